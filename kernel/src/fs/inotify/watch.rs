//! The interest of a group in an inode, and the list of them that an inode has.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

use hal::sync::SpinLock;
use linux_abi::errno::Errno;
use linux_abi::inotify::*;
use smallvec::SmallVec;

use super::group::{Event, Group};
use crate::fs::vfs::Inode;
use crate::lock_order;
use crate::memory::fallible;

/// The interest of a group in an inode.
pub struct Watch {
    pub(super) group: Arc<Group>,
    /// What programs call it.
    pub(super) number: i32,
    pub(super) inode: Arc<dyn Inode>,
    /// The address of the super block the inode was found in.
    pub(super) super_block: usize,
    /// Events it wants, `IN_EXCL_UNLINK`, `IN_ONESHOT`.
    mask: AtomicU32,
}

/// What of a mask a watch keeps.
const KEPT: u32 = IN_ALL_EVENTS | IN_EXCL_UNLINK | IN_ONESHOT;

impl Watch {
    pub(super) fn new(
        group: Arc<Group>,
        number: i32,
        inode: Arc<dyn Inode>,
        super_block: usize,
        mask: u32,
    ) -> Self {
        Self { group, number, inode, super_block, mask: AtomicU32::new(mask & KEPT) }
    }

    /// Ends the watch, which its group is told of.
    pub fn end(self: &Arc<Self>) {
        self.group.end(self);
    }

    /// What it wants, as the program said it.
    pub(super) fn mask(&self) -> u32 {
        self.mask.load(Relaxed)
    }
}

/// The watches of an inode.
pub struct WatchList {
    watches: SpinLock<Vec<Arc<Watch>>>,
}

impl WatchList {
    /// Makes an empty list.
    pub const fn new() -> Self {
        Self { watches: SpinLock::new(lock_order::INODE_WATCHES, Vec::new()) }
    }

    /// Changes what the watch of `group` wants to `mask`, or adds that to it; returns its number, or `None` if the group
    /// has none here.
    ///
    /// # Errors
    /// `EEXIST`: `IN_MASK_CREATE`, and there is one.
    pub fn update(&self, group: &Arc<Group>, mask: u32, interests: &AtomicU32) -> Result<Option<i32>, Errno> {
        let watches = self.watches.lock();
        let Some(watch) = watches.iter().find(|watch| Arc::ptr_eq(&watch.group, group)) else {
            return Ok(None);
        };
        if mask & IN_MASK_CREATE != 0 {
            return Err(Errno::EEXIST);
        }
        let old = if mask & IN_MASK_ADD != 0 { watch.mask() } else { 0 };
        watch.mask.store(old | mask & KEPT, Relaxed);
        note_interests(&watches, interests);
        Ok(Some(watch.number))
    }

    /// Adds a watch.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub fn add(&self, watch: Arc<Watch>, interests: &AtomicU32) -> Result<(), Errno> {
        let mut watches = self.watches.lock();
        fallible::push(&mut watches, watch)?;
        note_interests(&watches, interests);
        Ok(())
    }

    /// Takes a watch out, which the caller then drops with no lock held.
    pub fn remove(&self, watch: &Arc<Watch>, interests: &AtomicU32) -> Option<Arc<Watch>> {
        let mut watches = self.watches.lock();
        let index = watches.iter().position(|other| Arc::ptr_eq(other, watch))?;
        let gone = watches.remove(index);
        note_interests(&watches, interests);
        Some(gone)
    }

    /// One of the watches.
    pub fn any(&self) -> Option<Arc<Watch>> {
        self.watches.lock().last().cloned()
    }

    /// Tells all that want to hear of it of an event. With `is_unlinked` it came through a file whose name is gone.
    pub fn tell(&self, mask: u32, cookie: u32, name: &[u8], is_unlinked: bool) {
        let mut done: SmallVec<[Arc<Watch>; 4]> = SmallVec::new();
        let watches = self.watches.lock();
        for watch in watches.iter() {
            let wanted = watch.mask();
            // That the file system goes away concerns all.
            if mask & (wanted & IN_ALL_EVENTS | IN_UNMOUNT) == 0
                || is_unlinked && wanted & IN_EXCL_UNLINK != 0
            {
                continue;
            }
            if wanted & IN_ONESHOT != 0 {
                if watch.mask.swap(0, Relaxed) == 0 {
                    continue;
                }
                done.push(watch.clone());
            }
            watch.group.push(Event::new(watch.number, mask, cookie, name));
        }
        drop(watches);
        for watch in done {
            watch.end();
        }
    }
}

impl Default for WatchList {
    fn default() -> Self {
        Self::new()
    }
}

fn note_interests(watches: &[Arc<Watch>], interests: &AtomicU32) {
    let all = watches.iter().fold(0, |all, watch| all | watch.mask() & IN_ALL_EVENTS | IN_UNMOUNT);
    interests.store(all, Relaxed);
}
