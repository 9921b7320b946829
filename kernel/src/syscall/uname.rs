//! uname(2), sethostname(2), setdomainname(2).

use alloc::vec;

use linux_abi::cap::CAP_SYS_ADMIN;
use linux_abi::errno::Errno;
use linux_abi::utsname::{NAME_MAX, Utsname};

use super::{Args, Context, SyscallError};
use crate::uts;

/// uname(2): names of the system. Errors: `EFAULT`.
pub(super) fn uname(_cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    args.user_ptr::<Utsname>(0).write(&uts::utsname())?;
    Ok(0)
}

/// sethostname(2).
///
/// # Errors
/// `EPERM`: no `CAP_SYS_ADMIN`. `EINVAL`: longer than 64 bytes. `EFAULT`: not readable.
pub(super) fn sethostname(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    set(cx, args, uts::set_host_name)
}

/// setdomainname(2); errors as sethostname.
pub(super) fn setdomainname(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    set(cx, args, uts::set_domain_name)
}

fn set(cx: &Context, args: &Args, store: fn(&[u8])) -> Result<usize, SyscallError> {
    cx.credentials().require(CAP_SYS_ADMIN)?;
    let len = usize::try_from(args.int(1)).ok().filter(|&len| len <= NAME_MAX).ok_or(Errno::EINVAL)?;
    let mut name = vec![0; len];
    hal::user::copy_in(&mut name, args.addr(0))?;
    store(&name);
    Ok(0)
}
