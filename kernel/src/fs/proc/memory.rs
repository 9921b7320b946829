//! Files of `/proc/PID` that show a process's memory: `cmdline`, `environ`, `auxv`, `mem`, `maps`, `smaps`.
//!
//! Who may look is asked when the file is opened, and what is seen is the address space of that moment: a program started
//! later in its place shows nothing through an old descriptor. An open file does not keep the memory alive.

use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::fmt::Write;
use core::ops::Deref;

use hal::PAGE_SIZE;
use linux_abi::errno::Errno;

use super::file::{PIECE, TextFile, TextSource, seek_plainly};
use super::node::Common;
use super::process::Subject;
use crate::fs::vfs::text::Text;
use crate::fs::vfs::{File, Inode, InodeState, IoFlags, Metadata, OpenRequest};
use crate::memory::address_space::{AddressSpace, RemoteMode};
use crate::scheduler;
use crate::uio::{Sink, Source};

const KIB: usize = 1024;

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
        let space = self.subject.process.try_address_space();
        let space = space.map_or_else(Weak::new, |space| {
            let weak = Arc::downgrade(&space);
            AddressSpace::let_go(space);
            weak
        });
        Ok(match self.view {
            View::Mappings => TextFile::new(Mappings { space, is_detailed: false }),
            View::DetailedMappings => TextFile::new(Mappings { space, is_detailed: true }),
            view => {
                let image = self.subject.process.image();
                let (arguments, environment) = (image.arguments, image.environment);
                Arc::new(MemoryFile { view, space, arguments, environment, auxv: image.auxv })
            }
        })
    }
}

/// An address space that is looked at for a moment, under the locks of an open file.
struct Looked(Option<Arc<AddressSpace>>);

impl Looked {
    fn at(space: &Weak<AddressSpace>) -> Option<Self> {
        space.upgrade().map(|space| Self(Some(space)))
    }
}

impl Deref for Looked {
    type Target = AddressSpace;

    fn deref(&self) -> &AddressSpace {
        self.0.as_ref().expect("taken by drop only")
    }
}

impl Drop for Looked {
    fn drop(&mut self) {
        if let Some(space) = self.0.take() {
            AddressSpace::let_go(space);
        }
    }
}

/// A file whose position is a place in memory, or in a part of it.
struct MemoryFile {
    view: View,
    space: Weak<AddressSpace>,
    arguments: (usize, usize),
    environment: (usize, usize),
    auxv: Vec<u8>,
}

impl MemoryFile {
    /// Copies memory from `position` bytes behind `start` on, up to `end`; stops before what cannot be read.
    fn read_range(
        &self,
        (start, end): (usize, usize),
        position: &mut u64,
        sink: &mut Sink<'_>,
    ) -> Result<usize, Errno> {
        let Some(space) = Looked::at(&self.space) else { return Ok(0) };
        let mut buffer = alloc::vec![0; PAGE_SIZE];
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

    /// The range that `cmdline` shows. A program may have written a title over its arguments: where the last argument no
    /// longer ends with a NUL, the title goes on into the environment, up to its first NUL.
    fn title_range(&self) -> (usize, usize) {
        let (start, end) = self.arguments;
        let last = end.checked_sub(1).filter(|&last| last >= start && end == self.environment.0);
        let (Some(last), Some(space)) = (last, Looked::at(&self.space)) else { return (start, end) };
        let mut byte = [0];
        if space.read_remote(last, &mut byte).is_err() || byte[0] == 0 {
            return (start, end);
        }
        let mut at = start;
        let mut buffer = alloc::vec![0; PAGE_SIZE];
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
        let Some(space) = Looked::at(&self.space) else { return Ok(0) };
        let mut buffer = alloc::vec![0; PAGE_SIZE];
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

/// `maps` and `smaps`: a piece starts at an address.
struct Mappings {
    space: Weak<AddressSpace>,
    is_detailed: bool,
}

impl TextSource for Mappings {
    fn show(&self, from: u64, text: &mut Text) -> Result<Option<u64>, Errno> {
        let Some(space) = Looked::at(&self.space) else { return Ok(None) };
        let mut at = usize::try_from(from).map_err(|_| Errno::EINVAL)?;
        let mut line = Vec::new();
        scheduler::cond_resched();
        while text.len() < PIECE {
            let Some(mapping) = space.mapping_from(at, self.is_detailed) else { return Ok(None) };
            at = mapping.range.end;
            line.clear();
            mapping.write_line(&mut line);
            text.push(&line);
            if self.is_detailed {
                let page_kib = PAGE_SIZE / KIB;
                let rows = [
                    ("Size:", mapping.range.len() / KIB),
                    ("KernelPageSize:", page_kib),
                    ("MMUPageSize:", page_kib),
                    ("Rss:", mapping.resident_pages * page_kib),
                    ("Anonymous:", mapping.anonymous_pages * page_kib),
                    ("AnonHugePages:", mapping.pages_in_large * page_kib),
                ];
                for (name, kib) in rows {
                    // A text that has become too long says so itself.
                    let _ = writeln!(text, "{name:<16}{kib:>8} kB");
                }
            }
        }
        Ok(Some(at as u64))
    }

    fn store(&self, _value: &[u8]) -> Result<(), Errno> {
        Err(Errno::EINVAL)
    }
}
