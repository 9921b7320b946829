//! `/proc/PID/fd` and `/proc/PID/fdinfo`.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt::Write;
use core::ops::ControlFlow;

use linux_abi::errno::Errno;
use linux_abi::open::OpenFlags;

use super::file::{TextFile, TextSource};
use super::node::{Common, MagicLink};
use super::process::{DESCRIPTOR_NUMBERS, NUMBERS, Subject, parse_id, reader_root};
use crate::fs::vfs::text::Text;
use crate::fs::vfs::{
    DirectoryEntry, DirectorySink, FIRST_ENTRY, File, FileTable, FileType, Inode, InodeState, LinkTarget,
    Metadata, OpenFile, OpenRequest,
};

/// One of the two directories.
pub(super) struct Descriptors {
    common: Common,
    subject: Subject,
    shows_links: bool,
}

impl Descriptors {
    /// `/proc/PID/fd`: a link to what each descriptor stands for.
    pub(super) fn links(subject: &Subject, common: Common) -> Arc<dyn Inode> {
        Arc::new(Self { common, subject: subject.clone(), shows_links: true })
    }

    /// `/proc/PID/fdinfo`: a text about each descriptor.
    pub(super) fn infos(subject: &Subject, common: Common) -> Arc<dyn Inode> {
        Arc::new(Self { common, subject: subject.clone(), shows_links: false })
    }

    fn files(&self) -> Result<Arc<FileTable>, Errno> {
        self.subject.check_inspect()?;
        let thread = self.subject.thread().ok_or(Errno::ENOENT)?;
        thread.user.as_ref().map(|user| user.files()).ok_or(Errno::ENOENT)
    }

    fn entry_number(&self, fd: i32) -> u64 {
        let base = DESCRIPTOR_NUMBERS[usize::from(!self.shows_links)];
        // The directory itself has one of the first numbers of its process.
        (self.common.number() & !(NUMBERS - 1)) + base + fd as u64
    }
}

impl Inode for Descriptors {
    fn metadata(&self) -> Metadata {
        let mut metadata = self.common.metadata();
        metadata.link_count = 2;
        metadata
    }

    fn state(&self) -> &InodeState {
        self.common.state()
    }

    fn lookup(&self, name: &[u8]) -> Result<Arc<dyn Inode>, Errno> {
        let fd = if name == b"0" { 0 } else { parse_id(name).ok_or(Errno::ENOENT)? };
        let files = self.files()?;
        let open = files.get_any(fd).map_err(|_| Errno::ENOENT)?;
        let owner = self.common.owner();
        if self.shows_links {
            let mut permissions = 0;
            permissions |= if open.is_readable() { 0o500 } else { 0 };
            permissions |= if open.is_writable() { 0o300 } else { 0 };
            let common = Common::new(self.entry_number(fd), FileType::Symlink, permissions, owner);
            let (target, shown) = (open.clone(), open);
            return Ok(MagicLink::new(common, move || lead(&target), move || link_text(&shown)));
        }
        let is_close_on_exec = files.is_close_on_exec(fd).unwrap_or(false);
        let common = Common::new(self.entry_number(fd), FileType::Regular, 0o444, owner);
        Ok(Arc::new(InfoInode { common, open, is_close_on_exec }))
    }

    fn read_dir(&self, from: u64, sink: &mut DirectorySink<'_>) -> Result<(), Errno> {
        let files = self.files()?;
        // Whether the reader wants more does not matter at the end of the directory.
        let _ = self.report(&files, from, sink);
        Ok(())
    }

    fn is_volatile(&self) -> bool {
        true
    }

    fn is_closed(&self) -> bool {
        true
    }

    fn is_cacheable(&self) -> bool {
        false
    }
}

impl Descriptors {
    fn report(&self, files: &FileTable, from: u64, sink: &mut DirectorySink<'_>) -> ControlFlow<()> {
        let mut at = usize::try_from(from.saturating_sub(FIRST_ENTRY)).unwrap_or(usize::MAX);
        while let Some((fd, _)) = files.next_open(at) {
            at = fd as usize + 1;
            let name = alloc::format!("{fd}");
            sink(&DirectoryEntry {
                name: name.as_bytes(),
                inode_number: self.entry_number(fd),
                file_type: if self.shows_links { FileType::Symlink } else { FileType::Regular },
                next: FIRST_ENTRY + at as u64,
            })?;
        }
        ControlFlow::Continue(())
    }
}

/// Following the link opens what the descriptor stands for: the file at its place, or the nameless thing itself.
fn lead(open: &OpenFile) -> Result<LinkTarget, Errno> {
    Ok(LinkTarget::Jump(open.place()))
}

/// What readlink(2) shows: a path from the reader's root, or a name like `pipe:[7]`.
fn link_text(open: &OpenFile) -> Result<Vec<u8>, Errno> {
    open.display(&reader_root().ok_or(Errno::ENOENT)?)
}

/// `/proc/PID/fdinfo/N`.
struct InfoInode {
    common: Common,
    open: Arc<OpenFile>,
    is_close_on_exec: bool,
}

impl Inode for InfoInode {
    fn metadata(&self) -> Metadata {
        self.common.metadata()
    }

    fn state(&self) -> &InodeState {
        self.common.state()
    }

    fn open(self: Arc<Self>, _request: &OpenRequest) -> Result<Arc<dyn File>, Errno> {
        Ok(TextFile::new(Info { open: self.open.clone(), is_close_on_exec: self.is_close_on_exec }))
    }

    fn is_cacheable(&self) -> bool {
        false
    }
}

/// The text about a descriptor.
struct Info {
    open: Arc<OpenFile>,
    is_close_on_exec: bool,
}

impl TextSource for Info {
    fn show(&self, _from: u64, text: &mut Text) -> Result<Option<u64>, Errno> {
        let open = &self.open;
        let mut flags = open.flags().bits();
        if self.is_close_on_exec {
            flags |= OpenFlags::O_CLOEXEC.bits();
        }
        let position = open.last_position();
        let _ = writeln!(text, "pos:\t{position}\nflags:\t0{flags:o}\nmnt_id:\t{}", open.place().mount.id());
        let _ = writeln!(text, "ino:\t{}", open.metadata().inode_number);
        open.file().describe(text);
        Ok(None)
    }

    fn store(&self, _value: &[u8]) -> Result<(), Errno> {
        Err(Errno::EINVAL)
    }
}
