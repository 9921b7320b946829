//! System V shared memory: segments with keys, owners and permissions (shmget(2), shmat(2), shmctl(2)).
//!
//! A segment lives until it is removed and nothing shows it any more. Each shmat(2) maps an object of its own, so that
//! what is attached twice stays two mappings; the mappings count themselves.

use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::Range;

use hal::frame::Frame;
use hal::sync::SpinLock;
use hal::{Access, PAGE_SIZE};
use linux_abi::cap::{CAP_IPC_LOCK, CAP_IPC_OWNER, CAP_SYS_ADMIN};
use linux_abi::errno::Errno;
use linux_abi::ipc::*;

use crate::fs::vfs::clock;
use crate::lock_order;
use crate::memory::page_cache::SharedMemory;
use crate::memory::{MapLabel, MemoryObject};
use crate::process::credentials::Credentials;
use crate::scheduler;

/// Segments at most (`SHMMNI`); ids are this many apart for one place in the table.
const MAX_SEGMENTS: usize = 4096;
const ID_STEP: usize = 1 << 15;
/// Bytes of a segment at most (`SHMMAX`), and pages of all (`SHMALL`).
pub const MAX_BYTES: u64 = u64::MAX - (1 << 24);
/// Permissions in a mode.
const PERMISSIONS: u32 = 0o777;
/// Read, and write, for whom it may concern.
const READ: u32 = 0o444;
const WRITE: u32 = 0o222;
const EXECUTE: u32 = 0o111;

/// A segment. What changes is in the table.
struct Segment {
    id: i32,
    key: i32,
    len: usize,
    memory: Arc<SharedMemory>,
}

struct Entry {
    segment: Arc<Segment>,
    description: Shmid64Ds,
}

struct Table {
    entries: Vec<Option<Entry>>,
    /// Of the next segment, so that ids do not recur soon.
    sequence: u16,
}

hal::machine_static! {
    static SEGMENTS: SpinLock<Table> =
        SpinLock::new(lock_order::SHARED_SEGMENTS, Table { entries: Vec::new(), sequence: 0 });
}

fn now() -> i64 {
    clock::now().tv_sec
}

/// The calling process, as others see it; 0 in the kernel itself.
fn caller() -> i32 {
    scheduler::current().user.as_ref().map_or(0, |user| user.process.pid)
}

/// Checks the permissions of a segment (`ipcperms`).
fn check_access(perm: &Ipc64Perm, wanted: u32, who: &Credentials) -> Result<(), Errno> {
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

/// Checks that a segment may be changed.
fn check_owner(perm: &Ipc64Perm, who: &Credentials) -> Result<(), Errno> {
    let owns = who.uid.effective == perm.cuid || who.uid.effective == perm.uid;
    if owns || who.has(CAP_SYS_ADMIN) { Ok(()) } else { Err(Errno::EPERM) }
}

impl Table {
    fn find(&mut self, id: i32) -> Result<&mut Entry, Errno> {
        let index = usize::try_from(id).map_err(|_| Errno::EINVAL)? % ID_STEP;
        let entry = self.entries.get_mut(index).and_then(Option::as_mut);
        entry.filter(|entry| entry.segment.id == id).ok_or(Errno::EINVAL)
    }

    /// Finds a segment that has not been removed, by its key.
    fn with_key(&self, key: i32) -> Option<&Entry> {
        self.entries
            .iter()
            .flatten()
            .find(|entry| entry.description.shm_perm.key == key && key != IPC_PRIVATE)
    }

    fn remove(&mut self, id: i32) -> Option<Entry> {
        self.find(id).ok()?;
        self.entries.get_mut(id as usize % ID_STEP)?.take()
    }

    /// Adds a segment; returns its id.
    fn add(
        &mut self,
        key: i32,
        len: usize,
        memory: Arc<SharedMemory>,
        mut description: Shmid64Ds,
    ) -> Result<i32, Errno> {
        let free = self.entries.iter().position(Option::is_none);
        let index = free.unwrap_or(self.entries.len());
        if index == MAX_SEGMENTS {
            return Err(Errno::ENOSPC);
        }
        if free.is_none() {
            self.entries.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
            self.entries.push(None);
        } else {
            self.sequence = self.sequence.wrapping_add(1);
        }
        let id = i32::try_from(self.sequence as usize * ID_STEP + index).map_err(|_| Errno::ENOSPC)?;
        description.shm_perm.seq = self.sequence;
        let segment = Arc::new(Segment { id, key, len, memory });
        self.entries[index] = Some(Entry { segment, description });
        Ok(id)
    }
}

/// shmget(2): returns the id of the segment with a key, or of a new one.
///
/// # Errors
/// - `ENOENT`: none, and none is to be made. `EEXIST`: there is one. `EACCES`: not for the caller.
/// - `EINVAL`: a size that none can have, or larger than that of the segment. `ENOSPC`: too many. `ENOMEM`.
pub fn get(key: i32, size: u64, flags: u32, who: &Credentials) -> Result<i32, Errno> {
    let existing = |table: &Table| {
        let entry = table.with_key(key)?;
        Some(if flags & (IPC_CREAT | IPC_EXCL) == IPC_CREAT | IPC_EXCL {
            Err(Errno::EEXIST)
        } else if entry.description.shm_segsz < size {
            Err(Errno::EINVAL)
        } else {
            check_access(&entry.description.shm_perm, flags & PERMISSIONS, who).map(|()| entry.segment.id)
        })
    };
    if let Some(found) = existing(&SEGMENTS.lock()) {
        return found;
    }
    if key != IPC_PRIVATE && flags & IPC_CREAT == 0 {
        return Err(Errno::ENOENT);
    }
    if size == 0 || size > MAX_BYTES {
        return Err(Errno::EINVAL);
    }
    let len = usize::try_from(size).ok().and_then(hal::addr::page_ceil).ok_or(Errno::ENOSPC)?;
    if flags & SHM_HUGETLB != 0 {
        return Err(Errno::ENOMEM);
    }
    crate::memory::reserve::check(1 << 13)?;
    let memory = SharedMemory::for_segment(len as u64, flags & SHM_NORESERVE == 0)?;
    let perm = Ipc64Perm {
        key,
        uid: who.uid.effective,
        gid: who.gid.effective,
        cuid: who.uid.effective,
        cgid: who.gid.effective,
        mode: flags & PERMISSIONS,
        ..Ipc64Perm::default()
    };
    let description = Shmid64Ds {
        shm_perm: perm,
        shm_segsz: size,
        shm_ctime: now(),
        shm_cpid: caller(),
        ..Shmid64Ds::default()
    };
    let mut table = SEGMENTS.lock();
    // Another process may have been faster.
    existing(&table).unwrap_or_else(|| table.add(key, len, memory, description))
}

/// Prepares shmat(2): returns what is to be mapped and its length in bytes.
///
/// # Errors
/// `EINVAL`: no such segment. `EIDRM`: it has been removed. `EACCES`: not for the caller.
pub fn attach(id: i32, flags: u32, who: &Credentials) -> Result<(Arc<dyn MemoryObject>, usize), Errno> {
    let mut table = SEGMENTS.lock();
    let entry = table.find(id)?;
    let mut wanted = if flags & SHM_RDONLY != 0 { READ } else { READ | WRITE };
    if flags & SHM_EXEC != 0 {
        wanted |= EXECUTE;
    }
    check_access(&entry.description.shm_perm, wanted, who)?;
    let segment = entry.segment.clone();
    let len = segment.len;
    drop(table);
    Ok((Arc::new(Attachment { segment }), len))
}

/// Returns the description of a segment. `by_index`: of a place in the table, for anybody if `for_all`. Returns the id
/// with it.
///
/// # Errors
/// `EINVAL`: no such segment. `EACCES`: not for the caller.
pub fn describe(
    id: i32,
    by_index: bool,
    for_all: bool,
    who: &Credentials,
) -> Result<(i32, Shmid64Ds), Errno> {
    let mut table = SEGMENTS.lock();
    let entry = if by_index {
        let index = usize::try_from(id).map_err(|_| Errno::EINVAL)?;
        table.entries.get_mut(index).and_then(Option::as_mut).ok_or(Errno::EINVAL)?
    } else {
        table.find(id)?
    };
    if !for_all {
        check_access(&entry.description.shm_perm, READ, who)?;
    }
    Ok((entry.segment.id, entry.description))
}

/// Sets owner, group and permissions of a segment.
///
/// # Errors
/// `EINVAL`: no such segment. `EPERM`: not its owner.
pub fn set(id: i32, new: &Ipc64Perm, who: &Credentials) -> Result<(), Errno> {
    let mut table = SEGMENTS.lock();
    let description = &mut table.find(id)?.description;
    check_owner(&description.shm_perm, who)?;
    let perm = &mut description.shm_perm;
    (perm.uid, perm.gid) = (new.uid, new.gid);
    perm.mode = perm.mode & !PERMISSIONS | new.mode & PERMISSIONS;
    description.shm_ctime = now();
    Ok(())
}

/// Removes a segment, now or when nothing shows it any more.
///
/// # Errors
/// As [`set`].
pub fn remove(id: i32, who: &Credentials) -> Result<(), Errno> {
    let mut table = SEGMENTS.lock();
    let description = &mut table.find(id)?.description;
    check_owner(&description.shm_perm, who)?;
    let gone = if description.shm_nattch == 0 {
        table.remove(id)
    } else {
        description.shm_perm.key = IPC_PRIVATE;
        description.shm_perm.mode |= SHM_DEST;
        None
    };
    drop(table);
    drop(gone);
    Ok(())
}

/// Locks a segment into memory, where it is anyway, or unlocks it.
///
/// # Errors
/// As [`set`].
pub fn lock(id: i32, is_locked: bool, who: &Credentials) -> Result<(), Errno> {
    let mut table = SEGMENTS.lock();
    let perm = &mut table.find(id)?.description.shm_perm;
    if !who.has(CAP_IPC_LOCK) {
        check_owner(perm, who)?;
    }
    perm.mode = perm.mode & !SHM_LOCKED | if is_locked { SHM_LOCKED } else { 0 };
    Ok(())
}

/// Returns the highest place in use in the table, the number of segments, their pages, and how many of them are in
/// memory.
pub fn totals() -> (usize, usize, u64, u64) {
    let table = SEGMENTS.lock();
    let last = table.entries.iter().rposition(Option::is_some).unwrap_or(0);
    let all = || table.entries.iter().flatten().map(|entry| &entry.segment);
    let pages = all().map(|segment| (segment.len / PAGE_SIZE) as u64).sum();
    (last, all().count(), pages, all().map(|segment| segment.memory.page_count() as u64).sum())
}

/// What one shmat(2) maps.
struct Attachment {
    segment: Arc<Segment>,
}

impl MemoryObject for Attachment {
    fn size(&self) -> u64 {
        self.segment.memory.size()
    }

    fn page(&self, index: u64, access: Access) -> Result<Frame, Errno> {
        self.segment.memory.page(index, access)
    }

    fn cached_page(&self, index: u64) -> Option<Frame> {
        self.segment.memory.cached_page(index)
    }

    fn content_id(&self) -> usize {
        self.segment.memory.content_id()
    }

    fn mapping_id(&self) -> usize {
        core::ptr::from_ref(self).addr()
    }

    fn attachment_len(&self) -> Option<usize> {
        Some(self.segment.len)
    }

    fn attach(&self, is_shared: bool) -> Result<(), Errno> {
        let mut table = SEGMENTS.lock();
        // It may have been removed since it was looked up.
        let description = &mut table.find(self.segment.id).map_err(|_| Errno::EIDRM)?.description;
        description.shm_nattch += 1;
        (description.shm_lpid, description.shm_atime) = (caller(), now());
        drop(table);
        self.segment.memory.attach(is_shared)
    }

    fn detach(&self, is_shared: bool) {
        self.segment.memory.detach(is_shared);
        let mut table = SEGMENTS.lock();
        let Ok(entry) = table.find(self.segment.id) else { return };
        let description = &mut entry.description;
        description.shm_nattch -= 1;
        (description.shm_lpid, description.shm_dtime) = (caller(), now());
        let is_last = description.shm_nattch == 0 && description.shm_perm.mode & SHM_DEST != 0;
        let gone = if is_last { table.remove(self.segment.id) } else { None };
        drop(table);
        drop(gone);
    }

    fn is_shared_memory(&self) -> bool {
        true
    }

    fn label(&self) -> MapLabel {
        let name = format!("/SYSV{:08x} (deleted)", self.segment.key).into_bytes();
        MapLabel { device: (0, 1), inode: self.segment.id as u64, name }
    }

    fn punch_hole(&self, range: Range<u64>) -> Result<(), Errno> {
        self.segment.memory.punch_hole(range)
    }
}
