//! Ids and keys of System V objects, and who may do what with one.

use alloc::vec::Vec;

use linux_abi::cap::{CAP_IPC_OWNER, CAP_SYS_ADMIN};
use linux_abi::errno::Errno;
use linux_abi::ipc::{IPC_CREAT, IPC_EXCL, IPC_PRIVATE, Ipc64Perm};

use crate::fs::vfs::clock;
use crate::memory::fallible;
use crate::process::credentials::Credentials;
use crate::scheduler;

/// Permissions in a mode.
pub const PERMISSIONS: u32 = 0o777;
/// Reading, for whom it may concern.
pub const READ: u32 = 0o444;
/// Writing, for whom it may concern.
pub const WRITE: u32 = 0o222;
/// Ids are this many apart for one place in the table.
const STEP: usize = 1 << 15;

/// The present, in seconds.
pub fn now() -> i64 {
    clock::now().tv_sec
}

/// The calling process, as others see it; 0 in the kernel itself.
pub fn caller() -> i32 {
    scheduler::current().user.as_ref().map_or(0, |user| user.process.pid)
}

/// Checks the permissions of an object (`ipcperms`).
///
/// # Errors
/// `EACCES`: the caller has not all of those in `wanted`.
pub fn check_access(perm: &Ipc64Perm, wanted: u32, who: &Credentials) -> Result<(), Errno> {
    let owns = who.uid.effective == perm.cuid || who.uid.effective == perm.uid;
    let in_group = who.is_member(perm.cgid) || who.is_member(perm.gid);
    let granted = perm.mode
        >> if owns {
            6
        } else if in_group {
            3
        } else {
            0
        };
    let wanted = (wanted >> 6 | wanted >> 3 | wanted) & 7;
    if wanted & !granted == 0 || who.has(CAP_IPC_OWNER) { Ok(()) } else { Err(Errno::EACCES) }
}

/// Checks that an object may be changed or removed.
///
/// # Errors
/// `EPERM`: by its owner, its maker and `CAP_SYS_ADMIN` alone.
pub fn check_owner(perm: &Ipc64Perm, who: &Credentials) -> Result<(), Errno> {
    let owns = who.uid.effective == perm.cuid || who.uid.effective == perm.uid;
    if owns || who.has(CAP_SYS_ADMIN) { Ok(()) } else { Err(Errno::EPERM) }
}

/// Changes what `IPC_SET` can change.
pub fn set_owner(perm: &mut Ipc64Perm, new: &Ipc64Perm) {
    (perm.uid, perm.gid) = (new.uid, new.gid);
    perm.mode = perm.mode & !PERMISSIONS | new.mode & PERMISSIONS;
}

/// The owner of a new object, made by `who` with `flags` of its `get` call.
pub fn new_perm(key: i32, flags: u32, who: &Credentials) -> Ipc64Perm {
    let (uid, gid) = (who.uid.effective, who.gid.effective);
    Ipc64Perm { key, uid, gid, cuid: uid, cgid: gid, mode: flags & PERMISSIONS, ..Ipc64Perm::default() }
}

/// What has an id.
pub trait Object {
    /// Its key, owner and permissions.
    fn perm(&self) -> Ipc64Perm;
}

struct Slot<T> {
    id: i32,
    object: T,
}

/// The objects of a kind, by id.
pub struct Ids<T> {
    slots: Vec<Option<Slot<T>>>,
    max: usize,
    /// Of the next object, so that ids do not recur soon.
    sequence: u16,
}

impl<T: Object> Ids<T> {
    /// Makes a table of at most `max` objects.
    pub const fn new(max: usize) -> Self {
        Self { slots: Vec::new(), max, sequence: 0 }
    }

    /// The object of this id.
    ///
    /// # Errors
    /// `EINVAL`: there is none.
    pub fn find(&mut self, id: i32) -> Result<&mut T, Errno> {
        let index = usize::try_from(id).map_err(|_| Errno::EINVAL)? % STEP;
        let slot = self.slots.get_mut(index).and_then(Option::as_mut);
        slot.filter(|slot| slot.id == id).map(|slot| &mut slot.object).ok_or(Errno::EINVAL)
    }

    /// The object at a place of the table, and its id.
    ///
    /// # Errors
    /// `EINVAL`: there is none.
    pub fn at(&mut self, index: i32) -> Result<(i32, &mut T), Errno> {
        let index = usize::try_from(index).map_err(|_| Errno::EINVAL)?;
        let slot = self.slots.get_mut(index).and_then(Option::as_mut).ok_or(Errno::EINVAL)?;
        Ok((slot.id, &mut slot.object))
    }

    /// What a `get` call with `key` and `flags` finds: an id, or `None` when an object is to be made. `suits` is asked
    /// whether the object is what is wanted.
    ///
    /// # Errors
    /// - `EEXIST`: there is one, and none is wanted. `ENOENT`: there is none, and none is to be made.
    /// - `EACCES`: not for the caller. Those of `suits`.
    pub fn get(
        &self,
        key: i32,
        flags: u32,
        who: &Credentials,
        suits: impl FnOnce(&T) -> Result<(), Errno>,
    ) -> Result<Option<i32>, Errno> {
        if key == IPC_PRIVATE {
            return Ok(None);
        }
        let found = self.slots.iter().flatten().find(|slot| slot.object.perm().key == key);
        match found {
            None if flags & IPC_CREAT == 0 => Err(Errno::ENOENT),
            None => Ok(None),
            Some(_) if flags & IPC_CREAT != 0 && flags & IPC_EXCL != 0 => Err(Errno::EEXIST),
            Some(slot) => {
                suits(&slot.object)?;
                check_access(&slot.object.perm(), flags & PERMISSIONS, who)?;
                Ok(Some(slot.id))
            }
        }
    }

    /// Adds what `make` makes for an id and its sequence number; returns the id.
    ///
    /// # Errors
    /// `ENOSPC`: the table is full. `ENOMEM`.
    pub fn add(&mut self, make: impl FnOnce(i32, u16) -> T) -> Result<i32, Errno> {
        let free = self.slots.iter().position(Option::is_none);
        let index = free.unwrap_or(self.slots.len());
        if index >= self.max {
            return Err(Errno::ENOSPC);
        }
        if free.is_none() {
            fallible::push(&mut self.slots, None)?;
        } else {
            self.sequence = (self.sequence + 1) % (1 << 15);
        }
        let id = i32::try_from(usize::from(self.sequence) * STEP + index).map_err(|_| Errno::ENOSPC)?;
        self.slots[index] = Some(Slot { id, object: make(id, self.sequence) });
        Ok(id)
    }

    /// Takes the object of this id out.
    pub fn remove(&mut self, id: i32) -> Option<T> {
        self.find(id).ok()?;
        self.slots.get_mut(id as usize % STEP)?.take().map(|slot| slot.object)
    }

    /// All objects with their ids.
    pub fn iter(&self) -> impl Iterator<Item = (i32, &T)> {
        self.slots.iter().flatten().map(|slot| (slot.id, &slot.object))
    }

    /// The highest place in use.
    pub fn last_index(&self) -> usize {
        self.slots.iter().rposition(Option::is_some).unwrap_or(0)
    }
}
