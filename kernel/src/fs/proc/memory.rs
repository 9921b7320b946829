//! Files of `/proc/PID` that show a process's memory: `cmdline`, `environ`, `auxv`, `mem`, `pagemap`; and
//! the opening of those that show its mappings.
//!
//! Who may look is asked when the file is opened, and what is seen is the address space of that moment: a program started
//! later in its place shows nothing through an old descriptor. An open file does not keep the memory alive.

use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;

use hal::PAGE_SIZE;
use linux_abi::cap::CAP_SYS_ADMIN;
use linux_abi::errno::Errno;
use zerocopy::IntoBytes;

use super::file::{TextFile, seek_plainly};
use super::mappings::{Form, Mappings};
use super::node::Common;
use super::process::Subject;
use crate::fs::vfs::{File, Inode, InodeState, IoFlags, Metadata, OpenRequest};
use crate::memory::address_space::{Body, PAGE_COUNT, RemoteMode};
use crate::memory::fallible;
use crate::scheduler;
use crate::uio::{Sink, Source};

/// Which of the files.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum View {
    /// The arguments, each with its NUL.
    Arguments,
    /// The environment, each string with its NUL.
    Environment,
    /// The auxiliary vector.
    AuxiliaryVector,
    /// All memory, by address.
    Memory,
    /// The mappings.
    Mappings,
    /// The mappings, and what is in memory of each.
    DetailedMappings,
    /// What is in memory of all mappings.
    SumOfMappings,
    /// A word for each page.
    PageMap,
}

/// One of the files.
pub(super) struct MemoryInode {
    common: Common,
    subject: Subject,
    view: View,
}

impl MemoryInode {
    /// Makes a file about the memory of `subject`.
    pub(super) fn inode(common: Common, subject: &Subject, view: View) -> Arc<dyn Inode> {
        Arc::new(Self { common, subject: subject.clone(), view })
    }
}

impl Inode for MemoryInode {
    fn metadata(&self) -> Metadata {
        self.common.metadata()
    }

    fn state(&self) -> &InodeState {
        self.common.state()
    }

    fn open(self: Arc<Self>, _request: &OpenRequest) -> Result<Arc<dyn File>, Errno> {
        if self.view != View::Arguments {
            self.subject.check_inspect()?;
        }
        let space = self.subject.process.look_at_memory();
        let space = space.map_or_else(Weak::new, |space| Arc::downgrade(&space));
        Ok(match self.view {
            View::Mappings => TextFile::new(Mappings::new(space, Form::Plain)),
            View::DetailedMappings => TextFile::new(Mappings::new(space, Form::Detailed)),
            View::SumOfMappings => TextFile::new(Mappings::new(space, Form::Sum)),
            view => {
                let image = self.subject.process.image();
                let (arguments, environment) = (image.arguments, image.environment);
                let current = scheduler::current();
                let opener = current.user.as_ref().map(|user| user.credentials());
                let is_privileged = opener.is_none_or(|opener| opener.has(CAP_SYS_ADMIN));
                Arc::new(MemoryFile { view, space, arguments, environment, auxv: image.auxv, is_privileged })
            }
        })
    }
}

/// A file whose position is a place in memory, or in a part of it.
struct MemoryFile {
    view: View,
    space: Weak<Body>,
    arguments: (usize, usize),
    environment: (usize, usize),
    auxv: Vec<u8>,
    /// Whether whoever opened it may know which frames pages are in.
    is_privileged: bool,
}

impl MemoryFile {
    /// Copies memory from `position` bytes behind `start` on, up to `end`; stops before what cannot be read.
    fn read_range(
        &self,
        (start, end): (usize, usize),
        position: &mut u64,
        sink: &mut Sink<'_>,
    ) -> Result<usize, Errno> {
        let Some(space) = self.space.upgrade() else { return Ok(0) };
        let mut buffer: Vec<u8> = fallible::zeroed(PAGE_SIZE)?;
        let mut done = 0;
        loop {
            let offset = usize::try_from(*position).unwrap_or(usize::MAX);
            let Some(at) = start.checked_add(offset).filter(|&at| at < end) else { break };
            let wanted = (end - at).min(sink.remaining()).min(buffer.len());
            if wanted == 0 {
                break;
            }
            let Ok(n) = space.read_some(at, &mut buffer[..wanted], RemoteMode::Debugger) else { break };
            let put = match sink.put(&buffer[..n]) {
                Ok(put) => put,
                Err(error) if done == 0 => return Err(error),
                Err(_) => break,
            };
            done += put;
            *position += put as u64;
            if put < wanted {
                break;
            }
            scheduler::cond_resched();
        }
        Ok(done)
    }

    /// Copies the words of the pages whose place is at `position`. Which frames they are in is for the privileged.
    fn read_page_map(&self, position: &mut u64, sink: &mut Sink<'_>) -> Result<usize, Errno> {
        const WORD: usize = size_of::<u64>();
        let wanted = sink.remaining();
        if !wanted.is_multiple_of(WORD) || !position.is_multiple_of(WORD as u64) {
            return Err(Errno::EINVAL);
        }
        let Some(space) = self.space.upgrade() else { return Ok(0) };
        let mut words = [0u64; 64];
        let mut done = 0;
        while done < wanted {
            let first = *position / WORD as u64;
            let left = usize::try_from(PAGE_COUNT.saturating_sub(first)).unwrap_or(usize::MAX);
            let count = ((wanted - done) / WORD).min(words.len()).min(left);
            if count == 0 {
                break;
            }
            space.page_map(first, &mut words[..count], self.is_privileged);
            match sink.put(words[..count].as_bytes()) {
                Ok(put) => {
                    done += put;
                    *position += put as u64;
                    if put < count * WORD {
                        break;
                    }
                }
                Err(error) if done == 0 => return Err(error),
                Err(_) => break,
            }
            scheduler::cond_resched();
        }
        Ok(done)
    }

    /// The range that `cmdline` shows. A program may have written a title over its arguments: where the last argument no
    /// longer ends with a NUL, the title goes on into the environment, up to its first NUL.
    fn title_range(&self) -> (usize, usize) {
        let (start, end) = self.arguments;
        let last = end.checked_sub(1).filter(|&last| last >= start && end == self.environment.0);
        let (Some(last), Some(space)) = (last, self.space.upgrade()) else { return (start, end) };
        let mut byte = [0];
        if space.read_remote(last, &mut byte).is_err() || byte[0] == 0 {
            return (start, end);
        }
        let mut at = start;
        let mut buffer = [0; 512];
        while at < self.environment.1 {
            let wanted = (self.environment.1 - at).min(buffer.len());
            let Ok(n) = space.read_some(at, &mut buffer[..wanted], RemoteMode::Debugger) else { break };
            if let Some(nul) = buffer[..n].iter().position(|&byte| byte == 0) {
                return (start, at + nul + 1);
            }
            at += n;
        }
        (start, at)
    }
}

impl File for MemoryFile {
    fn read(&self, position: &mut u64, sink: &mut Sink<'_>, _flags: IoFlags) -> Result<usize, Errno> {
        match self.view {
            View::Arguments => self.read_range(self.title_range(), position, sink),
            View::Environment => self.read_range(self.environment, position, sink),
            View::AuxiliaryVector => {
                let offset = usize::try_from(*position).unwrap_or(usize::MAX).min(self.auxv.len());
                let done = sink.put(&self.auxv[offset..])?;
                *position += done as u64;
                Ok(done)
            }
            View::PageMap => self.read_page_map(position, sink),
            _ => {
                let wanted = sink.remaining();
                let done = self.read_range((0, usize::MAX), position, sink)?;
                let is_alive = self.space.strong_count() > 0;
                if done == 0 && wanted > 0 && is_alive { Err(Errno::EIO) } else { Ok(done) }
            }
        }
    }

    fn write(&self, position: &mut u64, source: &mut Source<'_>, _flags: IoFlags) -> Result<usize, Errno> {
        if self.view != View::Memory {
            return Err(Errno::EINVAL);
        }
        let Some(space) = self.space.upgrade() else { return Ok(0) };
        let mut buffer: Vec<u8> = fallible::zeroed(PAGE_SIZE)?;
        let mut done = 0;
        while source.remaining() > 0 {
            let wanted = source.remaining().min(buffer.len());
            let taken = match source.take(&mut buffer[..wanted]) {
                Ok(taken) => taken,
                Err(error) if done == 0 => return Err(error),
                Err(_) => break,
            };
            let at = usize::try_from(*position).map_err(|_| Errno::EIO)?;
            match space.write_some(at, &buffer[..taken], RemoteMode::Debugger) {
                Ok(n) => {
                    done += n;
                    *position += n as u64;
                    if n < taken {
                        break;
                    }
                }
                Err(_) if done == 0 => return Err(Errno::EIO),
                Err(_) => break,
            }
            scheduler::cond_resched();
        }
        Ok(done)
    }

    fn seek(&self, current: u64, offset: i64, whence: u32) -> Result<u64, Errno> {
        seek_plainly(current, offset, whence)
    }

    fn set_size(&self, _size: u64) -> Result<(), Errno> {
        // Memory is not a file that could be cut; opening it with O_TRUNC changes nothing.
        Ok(())
    }
}
