//! What the boot loader left, and memory before the frame allocator is up.

use core::ops::Range;

use crate::addr::{FrameNumber, PAGE_SIZE, PhysAddr};
use crate::arch;
use crate::frame;
use crate::upcall::bound;

/// What the kernel gets to know at boot.
#[derive(Debug)]
pub struct BootInfo {
    /// The kernel command line as the boot loader passed it, without the terminating NUL.
    pub command_line: &'static [u8],
    /// The initial RAM file system; several modules of a boot loader arrive as separate ones.
    pub initramfs: Option<BootModule>,
    /// Time stamp counter at the kernel's first instruction.
    pub entry_tsc: u64,
    /// CPUs that can run, this one included.
    pub cpu_count: usize,
    /// How the kernel was entered: "pvh", "multiboot2", "simulated".
    pub protocol: &'static str,
}

/// A file that the boot loader placed in memory. Dropping it gives its frames to the frame allocator, so the allocator
/// must be up by then.
#[derive(Debug)]
pub struct BootModule {
    start: PhysAddr,
    len: usize,
}

impl BootModule {
    /// Makes the module at this place.
    ///
    /// # Safety
    /// 1. All frames that the range touches are RAM and reserved in the frame table, and nothing else uses them.
    /// 2. They are in the direct map and hold initialised bytes.
    #[allow(dead_code, reason = "only a machine with a boot loader makes one")]
    pub(crate) unsafe fn new(start: PhysAddr, len: usize) -> Self {
        Self { start, len }
    }

    /// Returns the contents.
    pub fn bytes(&self) -> &[u8] {
        // SAFETY: by the duties of `new` these bytes are initialised, mapped and used by nobody else; they are not
        // written while `self` exists.
        unsafe { core::slice::from_raw_parts(arch::memory::phys_ptr(self.start), self.len) }
    }
}

impl Drop for BootModule {
    fn drop(&mut self) {
        let first = self.start.get() / PAGE_SIZE as u64;
        let end = (self.start.get() + self.len as u64).div_ceil(PAGE_SIZE as u64);
        let range = FrameNumber::new(first as u32)..FrameNumber::new(end as u32);
        for (number, order) in FrameNumber::blocks(range) {
            // SAFETY: duty 1 of `new`: reserved RAM of which this module was the only user.
            unsafe { frame::unreserve(number, order) };
            bound::free_frames(number, order);
        }
    }
}

/// Iterates over the RAM that nobody uses yet: not the kernel image, not early allocations, not boot modules. Ascending,
/// disjoint. Stable only after the last [`static_slice`].
pub fn memory_regions() -> impl Iterator<Item = Range<FrameNumber>> {
    arch::boot::memory_regions()
}

/// Allocates zeroed memory that is never freed, for tables sized by the machine. Works until the frame allocator has
/// claimed its first frame; `None` when memory is short.
pub fn static_slice<T: zerocopy::FromZeros + Sync>(n: usize) -> Option<&'static [T]> {
    const { assert!(align_of::<T>() <= PAGE_SIZE && size_of::<T>() != 0) };
    let bytes = n.checked_mul(size_of::<T>())?;
    if n == 0 {
        return Some(&[]);
    }
    let start = arch::boot::static_bytes(bytes)?;
    // SAFETY: `static_bytes` returns page-aligned zeroed memory of this size that is nobody else's, for ever; zeroes are
    // a valid `T`.
    Some(unsafe { core::slice::from_raw_parts(start.as_ptr().cast(), n) })
}

/// Returns one more than the highest frame number of RAM.
pub fn frame_count() -> usize {
    arch::boot::frame_count()
}
