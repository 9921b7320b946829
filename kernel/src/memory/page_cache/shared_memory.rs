//! Shared memory without a name: what `MAP_SHARED | MAP_ANONYMOUS` maps.

use alloc::sync::Arc;
use core::ops::Range;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use hal::frame::Frame;
use hal::{Access, PAGE_SHIFT};
use linux_abi::errno::Errno;

use super::PageCache;
use crate::memory::commitment::Commitment;
use crate::memory::object::{MapLabel, MemoryObject};

hal::machine_static! {
    static NEXT_INODE: AtomicU64 = AtomicU64::new(1025);
}

/// Memory that processes share.
#[derive(Debug)]
pub struct SharedMemory {
    pages: PageCache,
    inode: u64,
    name: &'static [u8],
    /// What was promised of it beforehand.
    _promise: Option<Commitment>,
}

impl SharedMemory {
    /// Makes zeroes of `len` bytes, promised or not.
    pub(in crate::memory) fn new(len: u64, promise: Option<Commitment>) -> Arc<Self> {
        let pages = PageCache::new(None);
        pages.set_size(len);
        let inode = NEXT_INODE.fetch_add(1, Relaxed);
        Arc::new(Self { pages, inode, name: b"/dev/zero (deleted)", _promise: promise })
    }
}

impl SharedMemory {
    /// Makes zeroes of `len` bytes, a multiple of the page size, for System V shared memory.
    ///
    /// # Errors
    /// `ENOMEM`: more than may be promised.
    pub fn for_segment(len: u64, is_promised: bool) -> Result<Arc<Self>, Errno> {
        let pages = usize::try_from(len >> PAGE_SHIFT).map_err(|_| Errno::ENOMEM)?;
        Ok(Self::new(len, is_promised.then(|| Commitment::new(pages)).transpose()?))
    }

    /// Returns the number of pages in memory.
    pub fn page_count(&self) -> usize {
        self.pages.page_count()
    }
}

impl MemoryObject for SharedMemory {
    fn size(&self) -> u64 {
        self.pages.size()
    }

    fn page(&self, index: u64, access: Access) -> Result<Frame, Errno> {
        self.pages.page(index, access)
    }

    fn cached_page(&self, index: u64) -> Option<Frame> {
        self.pages.cached_page(index)
    }

    fn content_id(&self) -> usize {
        self.pages.content_id()
    }

    fn mapping_id(&self) -> usize {
        self.pages.content_id()
    }

    fn attach(&self, is_shared: bool) -> Result<(), Errno> {
        self.pages.attach(is_shared)
    }

    fn detach(&self, is_shared: bool) {
        self.pages.detach(is_shared);
    }

    fn is_shared_memory(&self) -> bool {
        true
    }

    fn label(&self) -> MapLabel {
        MapLabel { device: (0, 1), inode: self.inode, name: self.name.to_vec() }
    }

    fn punch_hole(&self, range: Range<u64>) -> Result<(), Errno> {
        self.pages.punch_hole(range);
        Ok(())
    }
}
