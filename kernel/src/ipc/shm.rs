//! System V shared memory: segments with keys, owners and permissions (shmget(2), shmat(2), shmctl(2)).
//!
//! A segment lives until it is removed and nothing shows it any more. Each shmat(2) maps an object of its own, so that
//! what is attached twice stays two mappings; the mappings count themselves.

use alloc::format;
use alloc::sync::Arc;
use core::fmt::Write;
use core::ops::Range;

use hal::frame::Frame;
use hal::sync::SpinLock;
use hal::{Access, PAGE_SIZE};
use linux_abi::cap::CAP_IPC_LOCK;
use linux_abi::errno::Errno;
use linux_abi::ipc::*;

use super::sysv::ids::{
    Ids, Object, READ, WRITE, caller, check_access, check_owner, new_perm, now, set_owner,
};
use crate::fs::vfs::text::Text;
use crate::lock_order;
use crate::memory::page_cache::SharedMemory;
use crate::memory::{MapLabel, MemoryObject};
use crate::process::credentials::Credentials;

/// Segments at most (`SHMMNI`).
pub const MAX_SEGMENTS: usize = 4096;
/// Bytes of a segment at most (`SHMMAX`), and pages of all (`SHMALL`).
pub const MAX_BYTES: u64 = u64::MAX - (1 << 24);
/// Execute, for whom it may concern.
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

impl Object for Entry {
    fn perm(&self) -> Ipc64Perm {
        self.description.shm_perm
    }
}

hal::machine_static! {
    static SEGMENTS: SpinLock<Ids<Entry>> = SpinLock::new(lock_order::SHARED_SEGMENTS, Ids::new(MAX_SEGMENTS));
}

/// shmget(2): returns the id of the segment with a key, or of a new one.
///
/// # Errors
/// - `ENOENT`: none, and none is to be made. `EEXIST`: there is one. `EACCES`: not for the caller.
/// - `EINVAL`: a size that none can have, or larger than that of the segment. `ENOSPC`: too many. `ENOMEM`.
pub fn get(key: i32, size: u64, flags: u32, who: &Credentials) -> Result<i32, Errno> {
    let suits = |entry: &Entry| {
        if entry.description.shm_segsz < size { Err(Errno::EINVAL) } else { Ok(()) }
    };
    if let Some(id) = SEGMENTS.lock().get(key, flags, who, suits)? {
        return Ok(id);
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
    let mut description = Shmid64Ds {
        shm_perm: new_perm(key, flags, who),
        shm_segsz: size,
        shm_ctime: now(),
        shm_cpid: caller(),
        ..Shmid64Ds::default()
    };
    let mut segments = SEGMENTS.lock();
    // Another process may have been faster.
    if let Some(id) = segments.get(key, flags, who, suits)? {
        return Ok(id);
    }
    segments.add(|id, sequence| {
        description.shm_perm.seq = sequence;
        Entry { segment: Arc::new(Segment { id, key, len, memory }), description }
    })
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
    let entry = if by_index { table.at(id)?.1 } else { table.find(id)? };
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
    set_owner(&mut description.shm_perm, new);
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
    let last = table.last_index();
    let all = || table.iter().map(|(_, entry)| &entry.segment);
    let pages = all().map(|segment| (segment.len / PAGE_SIZE) as u64).sum();
    (last, all().count(), pages, all().map(|segment| segment.memory.page_count() as u64).sum())
}

/// Writes `/proc/sysvipc/shm`.
pub fn write_table(text: &mut Text) {
    text.push(
        b"       key      shmid perms                  size  cpid  lpid nattch   uid   gid  cuid  cgid      atime      dtime      ctime                   rss                  swap\n",
    );
    for (id, entry) in SEGMENTS.lock().iter() {
        let (d, p) = (entry.description, entry.description.shm_perm);
        let resident = entry.segment.memory.page_count() * PAGE_SIZE;
        // A text that has become too long says so itself.
        let _ = writeln!(
            text,
            "{:10} {id:10}  {:4o} {:21} {:5} {:5}  {:5} {:5} {:5} {:5} {:5} {:10} {:10} {:10} {resident:21} {:21}",
            p.key,
            p.mode,
            d.shm_segsz,
            d.shm_cpid,
            d.shm_lpid,
            d.shm_nattch,
            p.uid,
            p.gid,
            p.cuid,
            p.cgid,
            d.shm_atime,
            d.shm_dtime,
            d.shm_ctime,
            0
        );
    }
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
