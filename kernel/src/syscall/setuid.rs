//! User and group ids: getuid(2), setuid(2), setreuid(2), setresuid(2), setfsuid(2), getgroups(2) and their kin.

use alloc::vec::Vec;

use linux_abi::cap::CAP_SETGID;
use linux_abi::errno::Errno;
use zerocopy::IntoBytes;

use super::{Args, Context, SyscallError};
use crate::memory::fallible;
use crate::process::credentials::Ids;

/// Most supplementary groups (`NGROUPS_MAX`).
const GROUPS_MAX: usize = 65_536;

/// getuid(2): the real user id.
pub(super) fn getuid(cx: &Context, _args: &Args) -> Result<usize, SyscallError> {
    Ok(cx.credentials().uid.real as usize)
}

/// geteuid(2): the effective user id.
pub(super) fn geteuid(cx: &Context, _args: &Args) -> Result<usize, SyscallError> {
    Ok(cx.credentials().uid.effective as usize)
}

/// getgid(2): the real group id.
pub(super) fn getgid(cx: &Context, _args: &Args) -> Result<usize, SyscallError> {
    Ok(cx.credentials().gid.real as usize)
}

/// getegid(2): the effective group id.
pub(super) fn getegid(cx: &Context, _args: &Args) -> Result<usize, SyscallError> {
    Ok(cx.credentials().gid.effective as usize)
}

/// setuid(2). Errors: `EPERM`, and `EINVAL` for id -1.
pub(super) fn setuid(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let uid = valid_id(args.uint(0))?;
    cx.user().set_credentials(cx.credentials().set_uid(uid)?);
    Ok(0)
}

/// setgid(2). Errors: `EPERM`, and `EINVAL` for id -1.
pub(super) fn setgid(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let gid = valid_id(args.uint(0))?;
    cx.user().set_credentials(cx.credentials().set_gid(gid)?);
    Ok(0)
}

/// setreuid(2): -1 leaves an id alone. Errors: `EPERM`.
pub(super) fn setreuid(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let new = cx.credentials().set_reuid(optional_id(args.uint(0)), optional_id(args.uint(1)))?;
    cx.user().set_credentials(new);
    Ok(0)
}

/// setregid(2): -1 leaves an id alone. Errors: `EPERM`.
pub(super) fn setregid(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let new = cx.credentials().set_regid(optional_id(args.uint(0)), optional_id(args.uint(1)))?;
    cx.user().set_credentials(new);
    Ok(0)
}

/// setresuid(2): -1 leaves an id alone. Errors: `EPERM`.
pub(super) fn setresuid(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let new = cx.credentials().set_resuid([0, 1, 2].map(|index| optional_id(args.uint(index))))?;
    cx.user().set_credentials(new);
    Ok(0)
}

/// setresgid(2): -1 leaves an id alone. Errors: `EPERM`.
pub(super) fn setresgid(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let new = cx.credentials().set_resgid([0, 1, 2].map(|index| optional_id(args.uint(index))))?;
    cx.user().set_credentials(new);
    Ok(0)
}

/// getresuid(2). Errors: `EFAULT`.
pub(super) fn getresuid(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    write_ids(args, &cx.credentials().uid)
}

/// getresgid(2). Errors: `EFAULT`.
pub(super) fn getresgid(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    write_ids(args, &cx.credentials().gid)
}

/// setfsuid(2): answers the old id, whether or not it changed.
pub(super) fn setfsuid(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let credentials = cx.credentials();
    if let Some(new) = optional_id(args.uint(0)).and_then(|uid| credentials.set_fsuid(uid)) {
        cx.user().set_credentials(new);
    }
    Ok(credentials.uid.fs as usize)
}

/// setfsgid(2): answers the old id, whether or not it changed.
pub(super) fn setfsgid(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let credentials = cx.credentials();
    if let Some(new) = optional_id(args.uint(0)).and_then(|gid| credentials.set_fsgid(gid)) {
        cx.user().set_credentials(new);
    }
    Ok(credentials.gid.fs as usize)
}

/// getgroups(2): the supplementary groups; with size 0 only their number.
///
/// # Errors
/// `EINVAL`: the array is too small. `EFAULT`: not writable.
pub(super) fn getgroups(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let (size, out) = (args.int(0), args.addr(1));
    let groups = cx.credentials().groups.clone();
    let size = usize::try_from(size).map_err(|_| Errno::EINVAL)?;
    if size == 0 {
        return Ok(groups.len());
    }
    if size < groups.len() {
        return Err(Errno::EINVAL);
    }
    if !groups.is_empty() {
        hal::user::copy_out(out, groups.as_bytes())?;
    }
    Ok(groups.len())
}

/// setgroups(2).
///
/// # Errors
/// `EPERM`: no `CAP_SETGID`. `EINVAL`: more than 65,536. `EFAULT`: not readable.
pub(super) fn setgroups(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let (count, list) = (args.uint(0) as usize, args.addr(1));
    cx.credentials().require(CAP_SETGID)?;
    if count > GROUPS_MAX {
        return Err(Errno::EINVAL);
    }
    let mut groups: Vec<u32> = fallible::zeroed(count)?;
    hal::user::copy_in(groups.as_mut_bytes(), list)?;
    cx.user().set_credentials(cx.credentials().set_groups(groups)?);
    Ok(0)
}

fn valid_id(id: u32) -> Result<u32, Errno> {
    optional_id(id).ok_or(Errno::EINVAL)
}

fn optional_id(id: u32) -> Option<u32> {
    (id != u32::MAX).then_some(id)
}

fn write_ids(args: &Args, ids: &Ids) -> Result<usize, SyscallError> {
    for (index, id) in [ids.real, ids.effective, ids.saved].into_iter().enumerate() {
        args.user_ptr::<u32>(index).write(&id)?;
    }
    Ok(0)
}
