//! capget(2), capset(2).

use linux_abi::cap::{
    CapUserData, CapUserHeader, LINUX_CAPABILITY_VERSION_1, LINUX_CAPABILITY_VERSION_2,
    LINUX_CAPABILITY_VERSION_3,
};
use linux_abi::errno::Errno;

use super::{Args, Context, SyscallError};
use crate::process::credentials::CapSet;
use crate::process::tree;

/// capget(2): the capability sets of a thread.
///
/// # Errors
/// `EINVAL`: an unknown version (the one we prefer is stored in the header) or a negative pid. `ESRCH`: no such
/// thread. `EFAULT`: bad pointers.
pub(super) fn capget(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let (header_ptr, data_ptr) = (args.user_ptr::<CapUserHeader>(0), args.user_ptr::<CapUserData>(1));
    let header = header_ptr.read()?;
    let words = match version_words(&header) {
        Some(words) => words,
        None => {
            header_ptr.write(&CapUserHeader { version: LINUX_CAPABILITY_VERSION_3, ..header })?;
            // Asking for the version alone, with a null data pointer, is not an error.
            return if data_ptr.is_null() { Ok(0) } else { Err(Errno::EINVAL) };
        }
    };
    if header.pid < 0 {
        return Err(Errno::EINVAL);
    }
    let credentials = if header.pid == 0 {
        cx.credentials()
    } else {
        let thread = tree::find_thread(header.pid).ok_or(Errno::ESRCH)?;
        thread.user.as_ref().ok_or(Errno::ESRCH)?.credentials()
    };
    if data_ptr.is_null() {
        return Ok(0);
    }
    for word in 0..words {
        let half = |set: CapSet| (set.0 >> (32 * word)) as u32;
        let data = CapUserData {
            effective: half(credentials.effective),
            permitted: half(credentials.permitted),
            inheritable: half(credentials.inheritable),
        };
        data_ptr.add(word).write(&data)?;
    }
    Ok(0)
}

/// capset(2): replaces the calling thread's capability sets.
///
/// # Errors
/// `EPERM`: another thread, or sets the caller may not have. `EINVAL`: an unknown version. `EFAULT`: bad pointers.
pub(super) fn capset(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let (header_ptr, data_ptr) = (args.user_ptr::<CapUserHeader>(0), args.user_ptr::<CapUserData>(1));
    let header = header_ptr.read()?;
    let Some(words) = version_words(&header) else {
        header_ptr.write(&CapUserHeader { version: LINUX_CAPABILITY_VERSION_3, ..header })?;
        return Err(Errno::EINVAL);
    };
    if header.pid != 0 && header.pid != cx.thread().tid() {
        return Err(Errno::EPERM);
    }
    let (mut effective, mut permitted, mut inheritable) = (0u64, 0u64, 0u64);
    for word in 0..words {
        let data = data_ptr.add(word).read()?;
        effective |= u64::from(data.effective) << (32 * word);
        permitted |= u64::from(data.permitted) << (32 * word);
        inheritable |= u64::from(data.inheritable) << (32 * word);
    }
    let known = |set: u64| CapSet(set & CapSet::ALL.0);
    let new = cx.credentials().set_capabilities(known(effective), known(permitted), known(inheritable))?;
    cx.user().set_credentials(new);
    Ok(0)
}

fn version_words(header: &CapUserHeader) -> Option<usize> {
    match header.version {
        LINUX_CAPABILITY_VERSION_1 => Some(1),
        LINUX_CAPABILITY_VERSION_2 | LINUX_CAPABILITY_VERSION_3 => Some(2),
        _ => None,
    }
}
