//! What procfs is made of: tables of entries, and the directories and links that show them.
//!
//! A table says for each name what is under it, once and for all; the inodes are made when a name is looked up. What the
//! entries are about, the system or one process, is a [`Topic`] that is handed to the functions in the table.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::ControlFlow;

use hal::sync::Once;
use linux_abi::errno::Errno;
use linux_abi::stat::Mode;
use linux_abi::time::Timespec;

use super::file::TextInode;
use crate::fs::vfs::text::Text;
use crate::fs::vfs::{
    DeviceNumber, DirectoryEntry, DirectorySink, FIRST_ENTRY, FileType, Inode, InodeState, LinkTarget,
    Metadata, clock,
};

/// The device number of the one procfs there is; set when it is made.
static DEVICE: Once<DeviceNumber> = Once::new();

/// The device number of procfs, `make` making it the first time.
pub(super) fn device_or(make: impl FnOnce() -> DeviceNumber) -> DeviceNumber {
    *DEVICE.get_or_init(make)
}

/// Inode number of the root directory.
pub(super) const ROOT_NUMBER: u64 = 1;

/// What a table of entries is about.
pub(super) trait Topic: Clone + Send + Sync + 'static {
    /// Whether it exists as long as the system does, so that names may be remembered.
    const IS_LASTING: bool;
    /// The error of writing a file that takes nothing, although it could be opened.
    const NOT_WRITABLE: Errno;
    /// Whether a file that takes nothing cannot even be opened for writing.
    const REFUSES_WRITERS: bool = false;

    /// Whose the files are: user and group.
    fn owner(&self) -> (u32, u32) {
        (0, 0)
    }

    /// Checks that it still exists.
    ///
    /// # Errors
    /// `ESRCH`.
    fn check(&self) -> Result<(), Errno> {
        Ok(())
    }

    /// The inode number of the entry at `index` of a table shown by the directory with the number `directory`: another
    /// one for each.
    fn entry_number(directory: u64, index: usize) -> u64 {
        directory << 8 | (index as u64 + 1)
    }
}

/// What is under a name.
pub(super) enum Content<T: 'static> {
    /// A text, made as a whole.
    Text(fn(&T, &mut Text) -> Result<(), Errno>),
    /// A text that also takes what is written, a value at a time.
    Setting(fn(&T, &mut Text) -> Result<(), Errno>, fn(&T, &[u8]) -> Result<(), Errno>),
    /// A text that may be long, made in pieces; see [`TextSource::show`](super::file::TextSource::show).
    Pieces(fn(&T, u64, &mut Text) -> Result<Option<u64>, Errno>),
    /// A symbolic link whose text never changes.
    FixedLink(&'static str),
    /// A symbolic link.
    Link(fn(&T) -> Result<LinkTarget, Errno>),
    /// A directory.
    Directory(&'static [Entry<T>]),
    /// A file or directory of another kind.
    Other(FileType, fn(&T, Common) -> Arc<dyn Inode>),
}

/// An entry of a directory.
pub(super) struct Entry<T: 'static> {
    name: &'static str,
    permissions: u32,
    content: Content<T>,
}

impl<T> Entry<T> {
    /// A file with this text.
    pub(super) const fn text(
        name: &'static str,
        permissions: u32,
        show: fn(&T, &mut Text) -> Result<(), Errno>,
    ) -> Self {
        Self { name, permissions, content: Content::Text(show) }
    }

    /// A file that shows and takes a value.
    pub(super) const fn setting(
        name: &'static str,
        show: fn(&T, &mut Text) -> Result<(), Errno>,
        store: fn(&T, &[u8]) -> Result<(), Errno>,
    ) -> Self {
        Self { name, permissions: 0o644, content: Content::Setting(show, store) }
    }

    /// A directory with these entries.
    pub(super) const fn directory(name: &'static str, entries: &'static [Self]) -> Self {
        Self { name, permissions: 0o555, content: Content::Directory(entries) }
    }

    /// An entry with this content.
    pub(super) const fn new(name: &'static str, permissions: u32, content: Content<T>) -> Self {
        Self { name, permissions, content }
    }

    fn file_type(&self) -> FileType {
        match self.content {
            Content::Text(_) | Content::Setting(..) | Content::Pieces(_) => FileType::Regular,
            Content::FixedLink(_) | Content::Link(_) => FileType::Symlink,
            Content::Directory(_) => FileType::Directory,
            Content::Other(file_type, _) => file_type,
        }
    }
}

impl<T: Topic> Entry<T> {
    fn inode(&'static self, topic: &T, number: u64) -> Arc<dyn Inode> {
        let common = Common::new(number, self.file_type(), self.permissions, topic.owner());
        match self.content {
            Content::Text(_) | Content::Setting(..) | Content::Pieces(_) => {
                TextInode::new(common, topic.clone(), &self.content)
            }
            Content::FixedLink(_) | Content::Link(_) => {
                Arc::new(Link { common, topic: topic.clone(), content: &self.content })
            }
            Content::Directory(entries) => Directory::new(common, topic.clone(), entries),
            Content::Other(_, make) => make(topic, common),
        }
    }
}

/// What every inode here has: number, mode, owner, time of making.
pub(super) struct Common {
    number: u64,
    mode: Mode,
    owner: (u32, u32),
    made: Timespec,
    state: InodeState,
}

impl Common {
    /// Makes the common part; `number` must be unique among what exists together.
    pub(super) fn new(number: u64, file_type: FileType, permissions: u32, owner: (u32, u32)) -> Self {
        let mode = Mode::new(file_type.mode_bits(), permissions);
        Self { number, mode, owner, made: clock::now(), state: InodeState::new() }
    }

    /// The inode number.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// Whose the file is: user and group.
    pub(super) fn owner(&self) -> (u32, u32) {
        self.owner
    }

    /// The state the virtual file system keeps.
    pub(super) fn state(&self) -> &InodeState {
        &self.state
    }

    /// What stat(2) says.
    pub(super) fn metadata(&self) -> Metadata {
        let device = device_or(|| DeviceNumber::NONE);
        let mut metadata = Metadata::new(device, self.number, self.mode, self.made);
        (metadata.uid, metadata.gid) = self.owner;
        metadata.block_size = 1024;
        metadata
    }
}

/// A directory that shows a table.
pub(super) struct Directory<T: 'static> {
    common: Common,
    topic: T,
    entries: &'static [Entry<T>],
}

impl<T: Topic> Directory<T> {
    /// Makes a directory.
    pub(super) fn new(common: Common, topic: T, entries: &'static [Entry<T>]) -> Arc<Self> {
        Arc::new(Self { common, topic, entries })
    }

    /// The number of entries.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Finds an entry.
    pub(super) fn find(&self, name: &[u8]) -> Option<Arc<dyn Inode>> {
        let index = self.entries.iter().position(|entry| entry.name.as_bytes() == name)?;
        Some(self.entries[index].inode(&self.topic, T::entry_number(self.common.number, index)))
    }

    /// Reports the entries from position `from` on; positions start at [`FIRST_ENTRY`].
    pub(super) fn report(&self, from: u64, sink: &mut DirectorySink<'_>) -> ControlFlow<()> {
        let start = usize::try_from(from.saturating_sub(FIRST_ENTRY)).unwrap_or(usize::MAX);
        for (index, entry) in self.entries.iter().enumerate().skip(start) {
            sink(&DirectoryEntry {
                name: entry.name.as_bytes(),
                inode_number: T::entry_number(self.common.number, index),
                file_type: entry.file_type(),
                next: FIRST_ENTRY + index as u64 + 1,
            })?;
        }
        ControlFlow::Continue(())
    }
}

impl<T: Topic> Inode for Directory<T> {
    fn metadata(&self) -> Metadata {
        let mut metadata = self.common.metadata();
        let directories = self.entries.iter().filter(|entry| entry.file_type() == FileType::Directory);
        metadata.link_count = 2 + directories.count() as u32;
        metadata
    }

    fn state(&self) -> &InodeState {
        self.common.state()
    }

    fn lookup(&self, name: &[u8]) -> Result<Arc<dyn Inode>, Errno> {
        self.topic.check().map_err(|_| Errno::ENOENT)?;
        self.find(name).ok_or(Errno::ENOENT)
    }

    fn read_dir(&self, from: u64, sink: &mut DirectorySink<'_>) -> Result<(), Errno> {
        self.topic.check().map_err(|_| Errno::ENOENT)?;
        // Whether the reader wants more does not matter at the end of the directory.
        let _ = self.report(from, sink);
        Ok(())
    }

    fn is_volatile(&self) -> bool {
        true
    }

    fn is_closed(&self) -> bool {
        true
    }

    fn is_cacheable(&self) -> bool {
        T::IS_LASTING
    }
}

/// A symbolic link.
struct Link<T: 'static> {
    common: Common,
    topic: T,
    content: &'static Content<T>,
}

impl<T: Topic> Inode for Link<T> {
    fn metadata(&self) -> Metadata {
        let mut metadata = self.common.metadata();
        if let Content::FixedLink(text) = self.content {
            metadata.size = text.len() as u64;
        }
        metadata
    }

    fn state(&self) -> &InodeState {
        self.common.state()
    }

    fn read_link(&self) -> Result<LinkTarget, Errno> {
        match self.content {
            Content::FixedLink(text) => Ok(LinkTarget::Text(text.as_bytes().into())),
            Content::Link(lead) => lead(&self.topic),
            _ => Err(Errno::EINVAL),
        }
    }

    fn is_cacheable(&self) -> bool {
        T::IS_LASTING
    }
}

/// Says where a link leads.
type Lead = dyn Fn() -> Result<LinkTarget, Errno> + Send + Sync;
/// Says what readlink(2) shows.
type LinkText = dyn Fn() -> Result<Vec<u8>, Errno> + Send + Sync;

/// A symbolic link to something that need not have a name, with a text of its own for readlink(2).
pub(super) struct MagicLink {
    common: Common,
    lead: Arc<Lead>,
    text: Arc<LinkText>,
}

impl MagicLink {
    /// A link that leads where `lead` says when it is followed, and shows what `text` says.
    pub(super) fn new(
        common: Common,
        lead: impl Fn() -> Result<LinkTarget, Errno> + Send + Sync + 'static,
        text: impl Fn() -> Result<Vec<u8>, Errno> + Send + Sync + 'static,
    ) -> Arc<Self> {
        Arc::new(Self { common, lead: Arc::new(lead), text: Arc::new(text) })
    }
}

impl Inode for MagicLink {
    fn metadata(&self) -> Metadata {
        let mut metadata = self.common.metadata();
        metadata.size = 64;
        metadata
    }

    fn state(&self) -> &InodeState {
        self.common.state()
    }

    fn read_link(&self) -> Result<LinkTarget, Errno> {
        (self.lead)()
    }

    fn link_text(&self) -> Option<Result<Vec<u8>, Errno>> {
        Some((self.text)())
    }

    fn is_cacheable(&self) -> bool {
        false
    }
}
