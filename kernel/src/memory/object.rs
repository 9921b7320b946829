//! What a mapping shows: a file, shared memory, a device.

use alloc::vec::Vec;
use core::ops::Range;

use hal::Access;
use hal::frame::Frame;
use linux_abi::errno::Errno;

/// How a mapping is named in `/proc/PID/maps`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MapLabel {
    /// The device that holds the file: `(major, minor)`.
    pub device: (u32, u32),
    /// The inode number.
    pub inode: u64,
    /// The path, or a name in brackets.
    pub name: Vec<u8>,
}

/// Memory that can be mapped. Its methods are called with an address space locked: they may sleep, but must take no lock
/// under which user memory is accessed.
pub trait MemoryObject: Send + Sync {
    /// Returns the size in bytes; pages beyond it cannot be accessed.
    fn size(&self) -> u64;

    /// Returns the frame of a page that a program accesses. All who ask get the same frame as long as the page exists.
    /// The access is [`Access::Write`] only for a store through a shared mapping.
    ///
    /// # Errors
    /// `ENOMEM`: no memory; the caller makes room and asks again. Any other: the access gives `SIGBUS` (`EFAULT`: beyond
    /// the end; `ENOSPC`, `EIO`: the file cannot supply the page).
    fn page(&self, index: u64, access: Access) -> Result<Frame, Errno>;

    /// Returns the frame of a page that is in memory already, without any effort; pages around a fault are mapped early
    /// so.
    fn cached_page(&self, _index: u64) -> Option<Frame> {
        None
    }

    /// Identifies the contents: two objects with one number show the same frames.
    fn content_id(&self) -> usize;

    /// Identifies what was mapped, an open file: neighbouring mappings of one number may become one.
    fn mapping_id(&self) -> usize;

    /// Tells whether no new mapping may be one through which stores reach the object (a seal).
    fn forbids_stores(&self) -> bool {
        false
    }

    /// Notes a new mapping; `is_shared` if stores through it reach the object, or may later.
    ///
    /// # Errors
    /// `EPERM`: such mappings are forbidden (a seal). Never for a copy of a mapping that exists.
    fn attach(&self, _is_shared: bool) -> Result<(), Errno> {
        Ok(())
    }

    /// Notes the end of a mapping.
    fn detach(&self, _is_shared: bool) {}

    /// Tells whether [`page`](Self::page) must be asked for the first store to each page.
    fn tracks_writes(&self) -> bool {
        false
    }

    /// Returns the length in bytes of what shmat(2) mapped, which shmdt(2) takes away as a whole.
    fn attachment_len(&self) -> Option<usize> {
        None
    }

    /// Tells whether the memory is shared memory rather than a file, for the accounts in `/proc`.
    fn is_shared_memory(&self) -> bool {
        false
    }

    /// Returns the name for `/proc/PID/maps`.
    fn label(&self) -> MapLabel {
        MapLabel::default()
    }

    /// Writes changed pages of a range of bytes to where they belong.
    ///
    /// # Errors
    /// `EIO`.
    fn sync(&self, _range: Range<u64>) -> Result<(), Errno> {
        Ok(())
    }

    /// Gives up the contents of a range of bytes, which read as zeroes then (`MADV_REMOVE`). Called without any lock.
    ///
    /// # Errors
    /// `EOPNOTSUPP` by default.
    fn punch_hole(&self, _range: Range<u64>) -> Result<(), Errno> {
        Err(Errno::EOPNOTSUPP)
    }
}
