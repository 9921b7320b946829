//! How much of inotify a user may have (`/proc/sys/fs/inotify`).

use alloc::vec::Vec;
use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

use hal::sync::SpinLock;
use linux_abi::errno::Errno;

use crate::lock_order;
use crate::memory::fallible;
use crate::memory::physical::buddy_allocator;

/// What a watch may cost: itself and an inode that only it keeps, bytes.
pub(super) const WATCH_COST: usize = 1280;

hal::machine_static! {
    /// Events that a group made from now on keeps for its reader.
    pub static MAX_QUEUED_EVENTS: AtomicU32 = AtomicU32::new(16_384);
    /// Groups of a user.
    pub static MAX_USER_INSTANCES: AtomicU32 = AtomicU32::new(128);
    /// Watches of a user; [`BY_MEMORY`] until it is set.
    static MAX_USER_WATCHES: AtomicU32 = AtomicU32::new(BY_MEMORY);
    static USERS: SpinLock<Vec<User>> = SpinLock::new(lock_order::INOTIFY_USERS, Vec::new());
}

const BY_MEMORY: u32 = u32::MAX;

/// What a user has.
struct User {
    uid: u32,
    groups: u32,
    watches: u32,
}

/// Watches of a user at most: what takes a hundredth of the memory, unless it was set.
pub fn max_user_watches() -> u32 {
    match MAX_USER_WATCHES.load(Relaxed) {
        BY_MEMORY => (buddy_allocator::total_bytes() / 100 / WATCH_COST).clamp(8192, 1 << 20) as u32,
        set => set,
    }
}

/// Sets the number of watches of a user.
pub fn set_max_user_watches(count: u32) {
    MAX_USER_WATCHES.store(count, Relaxed);
}

/// Counts one more group of `uid`.
///
/// # Errors
/// `EMFILE`: it has as many as it may. `ENOMEM`.
pub(super) fn add_group(uid: u32) -> Result<(), Errno> {
    let mut users = USERS.lock();
    let index = match users.iter().position(|user| user.uid == uid) {
        Some(index) => index,
        None => {
            fallible::push(&mut users, User { uid, groups: 0, watches: 0 })?;
            users.len() - 1
        }
    };
    let user = &mut users[index];
    if user.groups >= MAX_USER_INSTANCES.load(Relaxed) {
        forget_idle(&mut users);
        return Err(Errno::EMFILE);
    }
    user.groups += 1;
    Ok(())
}

/// Takes back an [`add_group`].
pub(super) fn remove_group(uid: u32) {
    let mut users = USERS.lock();
    if let Some(user) = users.iter_mut().find(|user| user.uid == uid) {
        user.groups -= 1;
    }
    forget_idle(&mut users);
}

/// Counts one more watch of `uid`, which has a group.
///
/// # Errors
/// `ENOSPC`: it has as many as it may.
pub(super) fn add_watch(uid: u32) -> Result<(), Errno> {
    let limit = max_user_watches();
    let mut users = USERS.lock();
    let user = users.iter_mut().find(|user| user.uid == uid && user.watches < limit).ok_or(Errno::ENOSPC)?;
    user.watches += 1;
    Ok(())
}

/// Takes back `count` times an [`add_watch`].
pub(super) fn remove_watches(uid: u32, count: u32) {
    if let Some(user) = USERS.lock().iter_mut().find(|user| user.uid == uid) {
        user.watches -= count;
    }
}

fn forget_idle(users: &mut Vec<User>) {
    users.retain(|user| user.groups > 0);
}
