//! shmget(2), shmat(2), shmdt(2), shmctl(2).

use hal::user::UserPtr;
use hal::{PAGE_SIZE, addr::page_floor};
use linux_abi::cap::CAP_IPC_LOCK;
use linux_abi::errno::Errno;
use linux_abi::ipc::*;

use super::{Args, Context, SyscallError};
use crate::ipc::shm;
use crate::memory::address_space::{MapRequest, Place, VmFlags};

/// shmget(2): returns the id of the segment with a key, or of a new one.
///
/// # Errors
/// As [`shm::get`].
pub(super) fn shmget(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let id = shm::get(args.int(0), args.u64(1), args.uint(2), &cx.credentials())?;
    Ok(id as usize)
}

/// shmat(2): maps a segment; returns the address.
///
/// # Errors
/// - `EINVAL`: no such segment, an address that is no page's (without `SHM_RND`) or where something is mapped (without
///   `SHM_REMAP`).
/// - `EACCES`, `EIDRM`: as [`shm::attach`]. `ENOMEM`: no addresses.
pub(super) fn shmat(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let (id, mut addr, flags) = (args.int(0), args.addr(1), args.uint(2));
    let has = |flag: u32| flags & flag != 0;
    if has(SHM_RND) {
        addr = page_floor(addr);
    }
    if !addr.is_multiple_of(PAGE_SIZE) || (addr == 0 && has(SHM_REMAP)) {
        return Err(Errno::EINVAL);
    }
    let place = match addr {
        0 => Place::Hint(0),
        addr if has(SHM_REMAP) => Place::Fixed(addr),
        addr => Place::FixedNoReplace(addr),
    };
    let credentials = cx.credentials();
    let (object, len) = shm::attach(id, flags, &credentials)?;
    if matches!(place, Place::FixedNoReplace(_)) && addr.checked_add(len).is_none() {
        return Err(Errno::EINVAL);
    }
    let access = VmFlags::access(true, !has(SHM_RDONLY), has(SHM_EXEC));
    let mut kind = VmFlags::SHARED | VmFlags::MAYSHARE | VmFlags::MAY;
    if has(SHM_RDONLY) {
        kind.remove(VmFlags::SHARED | VmFlags::MAYWRITE);
    }
    let request = MapRequest {
        flags: access | kind,
        may_lock: credentials.has(CAP_IPC_LOCK),
        ..MapRequest::private(place, len, access, object, 0)
    };
    let at = cx.address_space().mmap(request);
    at.map_err(|error| if error == Errno::EEXIST { Errno::EINVAL } else { error })
}

/// shmdt(2): takes away what a shmat(2) mapped.
///
/// # Errors
/// `EINVAL`: nothing was attached there.
pub(super) fn shmdt(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    cx.address_space().detach(args.addr(0))?;
    Ok(0)
}

/// shmctl(2): describes, changes or removes a segment.
///
/// # Errors
/// - `EINVAL`: no such segment or command. `EACCES`, `EPERM`: not for the caller. `EFAULT`.
pub(super) fn shmctl(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let (id, command, buffer) = (args.int(0), args.uint(1), args.addr(2));
    let credentials = cx.credentials();
    if id < 0 {
        return Err(Errno::EINVAL);
    }
    match command {
        IPC_STAT | SHM_STAT | SHM_STAT_ANY => {
            let (found, description) =
                shm::describe(id, command != IPC_STAT, command == SHM_STAT_ANY, &credentials)?;
            UserPtr::new(buffer).write(&description)?;
            return Ok(if command == IPC_STAT { 0 } else { found as usize });
        }
        IPC_SET => {
            let new = UserPtr::<Shmid64Ds>::new(buffer).read()?;
            shm::set(id, &new.shm_perm, &credentials)?;
        }
        IPC_RMID => shm::remove(id, &credentials)?,
        SHM_LOCK | SHM_UNLOCK => shm::lock(id, command == SHM_LOCK, &credentials)?,
        IPC_INFO => {
            let info = Shminfo64 {
                shmmax: shm::MAX_BYTES,
                shmmin: 1,
                shmmni: 4096,
                shmseg: 4096,
                shmall: shm::MAX_BYTES,
                ..Shminfo64::default()
            };
            UserPtr::new(buffer).write(&info)?;
            return Ok(shm::totals().0);
        }
        SHM_INFO => {
            let (last, count, pages, resident) = shm::totals();
            let info =
                ShmInfo { used_ids: count as u64, shm_tot: pages, shm_rss: resident, ..ShmInfo::default() };
            UserPtr::new(buffer).write(&info)?;
            return Ok(last);
        }
        _ => return Err(Errno::EINVAL),
    }
    Ok(0)
}
