//! mmap(2).

use hal::paging::LARGE_PAGE_SIZE;
use linux_abi::cap::{CAP_IPC_LOCK, CAP_SYS_RAWIO};
use linux_abi::errno::Errno;
use linux_abi::mman::{MAP_HUGE_MASK, MAP_HUGE_SHIFT, MAP_SHARED_VALIDATE, MAP_TYPE, MapFlags, Prot};

use super::{Args, Context, SyscallError};
use crate::fs::vfs::{MappedFile, MountOptions, OpenFile};
use crate::memory::address_space::{MapRequest, Place, VmFlags};

const MAP_SHARED: u32 = MapFlags::MAP_SHARED.bits();
const MAP_PRIVATE: u32 = MapFlags::MAP_PRIVATE.bits();

/// Flags that `MAP_SHARED_VALIDATE` lets pass: no file is on memory that could be written through at once (`MAP_SYNC`), and
/// `MAP_FIXED_NOREPLACE` is younger than the list (`LEGACY_MAP_MASK`).
const OLD_FLAGS: MapFlags =
    MapFlags::all().difference(MapFlags::MAP_SYNC.union(MapFlags::MAP_FIXED_NOREPLACE));

/// mmap(2): maps a file or zeroes.
///
/// # Errors
/// - `EINVAL`: no length, no kind of sharing, or an offset that is not one of a page.
/// - `EBADF`, `EACCES`, `ENODEV`: no such descriptor, opened in another mode, or nothing that can be mapped.
/// - `EPERM`: execution from a mount that forbids it, a sealed file, or an address below 64 KiB.
/// - `ENOMEM`, `EEXIST`, `EOVERFLOW`, `EAGAIN`: see [`AddressSpace::mmap`](crate::memory::address_space).
/// - `EOPNOTSUPP`: flags with `MAP_SHARED_VALIDATE` that the file does not know. Huge pages are refused with `ENOMEM`, as
///   on a Linux that has none to give.
pub(super) fn mmap(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let (hint, len) = (args.addr(0), args.size(1));
    let prot = Prot::from_bits_truncate(args.uint(2));
    let (raw, fd, offset) = (args.uint(3), args.fd(4), args.u64(5));
    let flags = MapFlags::from_bits_truncate(raw);

    if offset % hal::PAGE_SIZE as u64 != 0 {
        return Err(Errno::EINVAL);
    }
    let open = if flags.contains(MapFlags::MAP_ANONYMOUS) { None } else { Some(cx.open_file(fd)?) };
    if flags.contains(MapFlags::MAP_HUGETLB) {
        let size = raw >> MAP_HUGE_SHIFT & MAP_HUGE_MASK;
        let is_known = open.is_none() && (size == 0 || 1 << size == LARGE_PAGE_SIZE);
        return Err(if is_known && len != 0 { Errno::ENOMEM } else { Errno::EINVAL });
    }
    if len == 0 {
        return Err(Errno::EINVAL);
    }
    let mut access = VmFlags::from_bits_truncate(prot.bits()) & VmFlags::ACCESS;
    let kind = raw & MAP_TYPE;
    access |= VmFlags::MAY;
    match kind {
        MAP_SHARED => access |= VmFlags::SHARED | VmFlags::MAYSHARE,
        MAP_SHARED_VALIDATE if open.is_some() => access |= VmFlags::SHARED | VmFlags::MAYSHARE,
        MAP_PRIVATE => {}
        _ => return Err(Errno::EINVAL),
    }
    if kind == MAP_SHARED_VALIDATE && !OLD_FLAGS.contains(MapFlags::from_bits_retain(raw)) {
        return Err(Errno::EOPNOTSUPP);
    }
    if flags.contains(MapFlags::MAP_GROWSDOWN) {
        if open.is_some() || kind != MAP_PRIVATE {
            return Err(Errno::EINVAL);
        }
        access |= VmFlags::GROWSDOWN;
    }
    for (flag, bit) in
        [(MapFlags::MAP_LOCKED, VmFlags::LOCKED), (MapFlags::MAP_NORESERVE, VmFlags::NORESERVE)]
    {
        if flags.contains(flag) {
            access |= bit;
        }
    }
    let object = match &open {
        Some(open) => {
            access = file_rights(open, access)?;
            let is_nameless = access.contains(VmFlags::SHARED) && open.file().is_zeroes();
            if is_nameless { None } else { Some(MappedFile::of(open)?) }
        }
        None => None,
    };
    let place = if flags.contains(MapFlags::MAP_FIXED_NOREPLACE) {
        Place::FixedNoReplace(hint)
    } else if flags.contains(MapFlags::MAP_FIXED) {
        Place::Fixed(hint)
    } else if flags.contains(MapFlags::MAP_32BIT) {
        Place::Low
    } else {
        Place::Hint(hint)
    };
    let credentials = cx.credentials();
    cx.address_space().mmap(MapRequest {
        place,
        len,
        flags: access,
        object,
        offset,
        populate: flags.contains(MapFlags::MAP_POPULATE) && !flags.contains(MapFlags::MAP_NONBLOCK),
        may_map_low: credentials.has(CAP_SYS_RAWIO),
        may_lock: credentials.has(CAP_IPC_LOCK),
    })
}

/// Takes from the rights of a mapping what the open file cannot give.
fn file_rights(open: &OpenFile, mut access: VmFlags) -> Result<VmFlags, Errno> {
    if open.is_path_only() {
        return Err(Errno::EBADF);
    }
    if access.contains(VmFlags::SHARED) && !open.is_writable() {
        if access.contains(VmFlags::WRITE) {
            return Err(Errno::EACCES);
        }
        access.remove(VmFlags::SHARED | VmFlags::MAYWRITE);
    }
    if !open.is_readable() {
        return Err(Errno::EACCES);
    }
    if open.path().is_some_and(|path| path.mount.options().contains(MountOptions::NO_EXECUTE)) {
        if access.contains(VmFlags::EXEC) {
            return Err(Errno::EPERM);
        }
        access.remove(VmFlags::MAYEXEC);
    }
    Ok(access)
}
