//! The kernel's reserve: memory that no user request takes (the pool of the frame allocator).
//!
//! A system call that makes kernel objects for its caller asks here first, so that running out of memory is an error of
//! that call. What the kernel allocates after a successful check, and in between, lives from the reserve.

use linux_abi::errno::Errno;

use super::physical::buddy_allocator;

/// Tells whether the kernel may allocate `bytes` at a user's request now.
///
/// # Errors
/// `ENOMEM`: only the reserve is left.
#[inline]
pub fn check(bytes: usize) -> Result<(), Errno> {
    #[cfg(not(target_os = "none"))]
    if !hal::sim::take_allocation() {
        return Err(Errno::ENOMEM);
    }
    if buddy_allocator::has_room_for(bytes) { Ok(()) } else { Err(Errno::ENOMEM) }
}
