//! A mapping of an open file: its pages are the file's, its name and identity those of the open file.

use alloc::sync::Arc;
use core::ops::Range;

use hal::Access;
use hal::frame::Frame;
use linux_abi::errno::Errno;

use super::{OpenFile, Path};
use crate::memory::{MapLabel, MemoryObject};

/// What mmap(2) and execve(2) map. Keeps the file open as long as the mapping exists.
pub struct MappedFile {
    open: Arc<OpenFile>,
    contents: Arc<dyn MemoryObject>,
}

impl MappedFile {
    /// Makes the object for a mapping of `open`.
    ///
    /// # Errors
    /// `ENODEV`: the file cannot be mapped; whatever else it has against it.
    pub fn of(open: &Arc<OpenFile>) -> Result<Arc<dyn MemoryObject>, Errno> {
        let contents = open.file().clone().memory_object()?;
        Ok(Arc::new(Self { open: open.clone(), contents }))
    }
}

/// Returns the name of a place from the root of its tree of mounts.
fn full_name(path: &Path) -> Option<alloc::vec::Vec<u8>> {
    let mut mount = path.mount.clone();
    while let Some(below) = mount.mounted_on() {
        mount = below.mount;
    }
    let dentry = mount.root().clone();
    path.display(&Path { mount, dentry }).ok()
}

impl MemoryObject for MappedFile {
    fn size(&self) -> u64 {
        self.contents.size()
    }

    fn page(&self, index: u64, access: Access) -> Result<Frame, Errno> {
        self.contents.page(index, access)
    }

    fn cached_page(&self, index: u64) -> Option<Frame> {
        self.contents.cached_page(index)
    }

    fn content_id(&self) -> usize {
        self.contents.content_id()
    }

    fn mapping_id(&self) -> usize {
        Arc::as_ptr(&self.open).addr()
    }

    fn forbids_stores(&self) -> bool {
        self.contents.forbids_stores()
    }

    fn attach(&self, is_shared: bool) -> Result<(), Errno> {
        self.contents.attach(is_shared)
    }

    fn detach(&self, is_shared: bool) {
        self.contents.detach(is_shared);
    }

    fn tracks_writes(&self) -> bool {
        self.contents.tracks_writes()
    }

    fn is_shared_memory(&self) -> bool {
        self.contents.is_shared_memory()
    }

    fn label(&self) -> MapLabel {
        let metadata = self.open.metadata();
        let name = match self.open.path() {
            Some(path) => full_name(path).unwrap_or_default(),
            None => self.open.inode().anonymous_name(),
        };
        let device = (metadata.device.major(), metadata.device.minor());
        MapLabel { device, inode: metadata.inode_number, name }
    }

    fn sync(&self, range: Range<u64>) -> Result<(), Errno> {
        self.contents.sync(range)?;
        self.open.inode().sync(true)
    }

    fn punch_hole(&self, range: Range<u64>) -> Result<(), Errno> {
        self.contents.punch_hole(range)
    }
}
