//! The inodes of procfs: a text made when read, a directory given by a table, a symbolic link.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::ControlFlow;

use hal::sync::{Mutex, Once};
use linux_abi::errno::Errno;
use linux_abi::stat::Mode;
use linux_abi::time::Timespec;

use crate::fs::vfs::{
    DeviceNumber, DirectoryEntry, DirectorySink, FIRST_ENTRY, File, FileType, Inode, InodeState, IoFlags,
    LinkTarget, Metadata, OpenRequest, clock,
};
use crate::lock_order;
use crate::uio::{Sink, Source};

/// The device number of the one procfs there is; set when it is made.
static DEVICE: Once<DeviceNumber> = Once::new();

/// The device number of procfs, `make` making it the first time.
pub(super) fn device_or(make: impl FnOnce() -> DeviceNumber) -> DeviceNumber {
    *DEVICE.get_or_init(make)
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

/// A number for an inode, from the number of what it belongs to and its place there. Not 0, not the root's.
pub(super) fn inode_number(owner: u64, index: u64) -> u64 {
    (owner + 1) << 20 | (index + 2)
}

/// Makes the text of a file.
pub(super) type Show = dyn Fn(&mut String) -> Result<(), Errno> + Send + Sync;
/// Takes what is written to a file.
pub(super) type Store = dyn Fn(&[u8]) -> Result<(), Errno> + Send + Sync;

/// A file whose text is made when it is read.
pub(super) struct TextInode {
    common: Common,
    show: Arc<Show>,
    store: Option<Arc<Store>>,
}

impl TextInode {
    /// A read-only file.
    pub(super) fn new(
        common: Common,
        show: impl Fn(&mut String) -> Result<(), Errno> + Send + Sync + 'static,
    ) -> Arc<Self> {
        Arc::new(Self { common, show: Arc::new(show), store: None })
    }

    /// A file that can be written too, a value at a time.
    pub(super) fn writable(
        common: Common,
        show: impl Fn(&mut String) -> Result<(), Errno> + Send + Sync + 'static,
        store: impl Fn(&[u8]) -> Result<(), Errno> + Send + Sync + 'static,
    ) -> Arc<Self> {
        Arc::new(Self { common, show: Arc::new(show), store: Some(Arc::new(store)) })
    }
}

impl Inode for TextInode {
    fn metadata(&self) -> Metadata {
        self.common.metadata()
    }

    fn state(&self) -> &InodeState {
        self.common.state()
    }

    fn open(self: Arc<Self>, _request: &OpenRequest) -> Result<Arc<dyn File>, Errno> {
        let text = Mutex::new(lock_order::PROC_TEXT, Vec::new());
        Ok(Arc::new(TextFile { show: self.show.clone(), store: self.store.clone(), text }))
    }
}

/// An open text. A read at position 0 makes the text anew, so that programs that rewind see news.
struct TextFile {
    show: Arc<Show>,
    store: Option<Arc<Store>>,
    text: Mutex<Vec<u8>>,
}

/// Longest write to a file of `/proc`.
const WRITE_MAX: usize = 4096;

impl File for TextFile {
    fn read(&self, position: &mut u64, sink: &mut Sink<'_>, _flags: IoFlags) -> Result<usize, Errno> {
        let mut text = self.text.lock();
        if *position == 0 {
            let mut fresh = String::new();
            (self.show)(&mut fresh)?;
            *text = fresh.into_bytes();
        }
        let start = usize::try_from(*position).unwrap_or(usize::MAX).min(text.len());
        let end = text.len().min(start.saturating_add(sink.remaining()));
        let done = sink.put(&text[start..end])?;
        *position += done as u64;
        Ok(done)
    }

    fn write(&self, position: &mut u64, source: &mut Source<'_>, _flags: IoFlags) -> Result<usize, Errno> {
        let store = self.store.as_ref().ok_or(Errno::EIO)?;
        let mut value = alloc::vec![0; source.remaining().min(WRITE_MAX)];
        let len = source.take(&mut value)?;
        store(&value[..len])?;
        *position += len as u64;
        Ok(len)
    }
}

/// Makes an entry of a directory; `None` when it does not exist now.
pub(super) type Make = dyn Fn() -> Option<Arc<dyn Inode>> + Send + Sync;

/// A directory whose entries are given by a table.
pub(super) struct Directory {
    common: Common,
    entries: Vec<(&'static str, FileType, Arc<Make>)>,
}

impl Directory {
    /// Makes a directory without entries.
    pub(super) fn new(common: Common) -> Self {
        Self { common, entries: Vec::new() }
    }

    /// Adds an entry.
    pub(super) fn with(
        mut self,
        name: &'static str,
        file_type: FileType,
        make: impl Fn() -> Option<Arc<dyn Inode>> + Send + Sync + 'static,
    ) -> Self {
        self.entries.push((name, file_type, Arc::new(make)));
        self
    }

    /// The number of entries.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Finds an entry.
    pub(super) fn find(&self, name: &[u8]) -> Option<Arc<dyn Inode>> {
        self.entries.iter().find(|entry| entry.0.as_bytes() == name).and_then(|entry| (entry.2)())
    }

    /// Reports the entries from position `from` on; positions start at [`FIRST_ENTRY`].
    pub(super) fn report(&self, from: u64, sink: &mut DirectorySink<'_>) -> ControlFlow<()> {
        let start = usize::try_from(from.saturating_sub(FIRST_ENTRY)).unwrap_or(usize::MAX);
        for (index, (name, file_type, _)) in self.entries.iter().enumerate().skip(start) {
            let entry = DirectoryEntry {
                name: name.as_bytes(),
                inode_number: self.common.number + 1 + index as u64,
                file_type: *file_type,
                next: FIRST_ENTRY + index as u64 + 1,
            };
            sink(&entry)?;
        }
        ControlFlow::Continue(())
    }
}

impl Inode for Directory {
    fn metadata(&self) -> Metadata {
        let mut metadata = self.common.metadata();
        metadata.link_count = 2;
        metadata
    }

    fn state(&self) -> &InodeState {
        self.common.state()
    }

    fn lookup(&self, name: &[u8]) -> Result<Arc<dyn Inode>, Errno> {
        self.find(name).ok_or(Errno::ENOENT)
    }

    fn read_dir(&self, from: u64, sink: &mut DirectorySink<'_>) -> Result<(), Errno> {
        // Whether the reader wants more does not matter at the end of the directory.
        let _ = self.report(from, sink);
        Ok(())
    }

    fn is_volatile(&self) -> bool {
        true
    }

    fn is_cacheable(&self) -> bool {
        false
    }
}

/// Says where a link leads.
pub(super) type Lead = dyn Fn() -> Result<LinkTarget, Errno> + Send + Sync;
/// Says what readlink(2) shows, where that is not the path of the place.
pub(super) type LinkText = dyn Fn() -> Option<Vec<u8>> + Send + Sync;

/// A symbolic link.
pub(super) struct Link {
    common: Common,
    lead: Arc<Lead>,
    text: Option<Arc<LinkText>>,
}

impl Link {
    /// A link that leads where `lead` says when it is followed.
    pub(super) fn new(
        common: Common,
        lead: impl Fn() -> Result<LinkTarget, Errno> + Send + Sync + 'static,
    ) -> Arc<Self> {
        Arc::new(Self { common, lead: Arc::new(lead), text: None })
    }

    /// The same with a text of its own for readlink(2).
    pub(super) fn with_text(
        common: Common,
        lead: impl Fn() -> Result<LinkTarget, Errno> + Send + Sync + 'static,
        text: impl Fn() -> Option<Vec<u8>> + Send + Sync + 'static,
    ) -> Arc<Self> {
        Arc::new(Self { common, lead: Arc::new(lead), text: Some(Arc::new(text)) })
    }
}

impl Inode for Link {
    fn metadata(&self) -> Metadata {
        self.common.metadata()
    }

    fn state(&self) -> &InodeState {
        self.common.state()
    }

    fn read_link(&self) -> Result<LinkTarget, Errno> {
        (self.lead)()
    }

    fn link_text(&self) -> Option<Result<Vec<u8>, Errno>> {
        self.text.as_ref().and_then(|text| text()).map(Ok)
    }

    fn is_cacheable(&self) -> bool {
        false
    }
}
