//! epoll_create(2), epoll_ctl(2), epoll_wait(2).

use alloc::sync::Arc;

use linux_abi::epoll::{EPOLL_CLOEXEC, EPOLL_CTL_DEL, EpollEvent};
use linux_abi::errno::Errno;
use linux_abi::resource::RLIMIT_NOFILE;
use linux_abi::time::Timespec;
use zerocopy::IntoBytes;

use super::poll::{deadline_in, finish, set_mask};
use super::{Args, Context, SyscallError};
use crate::fs::epoll::{Epoll, Events};
use crate::fs::vfs::OpenFile;

/// Most events that a call can ask for (`EP_MAX_EVENTS`).
const MAX_EVENTS: usize = i32::MAX as usize / size_of::<EpollEvent>();

/// epoll_create(2). Errors: `EINVAL`: a size that is not positive; those of epoll_create1.
pub(super) fn epoll_create(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    if args.int(0) <= 0 {
        return Err(Errno::EINVAL);
    }
    make(cx, false)
}

/// epoll_create1(2). Errors: `EINVAL`: an unknown flag; `EMFILE`, `ENOMEM`.
pub(super) fn epoll_create1(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let flags = args.uint(0);
    if flags & !EPOLL_CLOEXEC != 0 {
        return Err(Errno::EINVAL);
    }
    make(cx, flags & EPOLL_CLOEXEC != 0)
}

fn make(cx: &Context, close_on_exec: bool) -> Result<usize, SyscallError> {
    let epoll = Epoll::open()?;
    let fd = cx.files().insert(epoll, close_on_exec, cx.process().limit(RLIMIT_NOFILE))?;
    Ok(fd as usize)
}

/// epoll_ctl(2): adds, changes or removes an interest.
///
/// # Errors
/// `EFAULT`; `EBADF`: either is no descriptor; `EINVAL`: no epoll instance; those of [`Epoll::control`].
pub(super) fn epoll_ctl(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let operation = args.uint(1);
    let event = if operation == EPOLL_CTL_DEL {
        EpollEvent::default()
    } else {
        args.user_ptr::<EpollEvent>(3).read()?
    };
    let files = cx.files();
    let instance = files.get(args.fd(0))?;
    let target = files.get(args.fd(2))?;
    let epoll = instance.file().as_epoll().ok_or(Errno::EINVAL)?;
    epoll.control(operation, args.fd(2), &target, event)?;
    Ok(0)
}

/// epoll_wait(2). Errors: `EINVAL`: no instance, or a number of events that is not positive; `EFAULT`, `EINTR`.
pub(super) fn epoll_wait(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    wait(cx, args, milliseconds(args.int(3)))
}

/// epoll_pwait(2): epoll_wait with a mask in force meanwhile. Errors as epoll_wait.
pub(super) fn epoll_pwait(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    set_mask(cx, args.addr(4), args.size(5))?;
    finish(cx, wait(cx, args, milliseconds(args.int(3))), || {})
}

/// epoll_pwait2(2): epoll_pwait with a timeout in nanoseconds. Errors as epoll_wait.
pub(super) fn epoll_pwait2(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let timeout = args.user_ptr::<Timespec>(3);
    let deadline = if timeout.is_null() {
        None
    } else {
        let ns = timeout.read()?.to_ns().ok_or(Errno::EINVAL)?;
        Some(deadline_in(ns))
    };
    set_mask(cx, args.addr(4), args.size(5))?;
    finish(cx, wait(cx, args, deadline), || {})
}

/// The deadline of a timeout in milliseconds; negative: none.
fn milliseconds(timeout: i32) -> Option<u64> {
    u64::try_from(timeout).ok().map(|ms| deadline_in(ms * 1_000_000))
}

fn wait(cx: &Context, args: &Args, deadline: Option<u64>) -> Result<usize, Errno> {
    let max = usize::try_from(args.int(2))
        .ok()
        .filter(|max| (1..=MAX_EVENTS).contains(max))
        .ok_or(Errno::EINVAL)?;
    let instance: Arc<OpenFile> = cx.open_file(args.fd(0))?;
    let epoll = instance.file().as_epoll().ok_or(Errno::EINVAL)?;
    let mut events = Events::new();
    epoll.wait(max, deadline, &mut events)?;
    hal::user::copy_out(args.addr(1), events.as_slice().as_bytes())?;
    Ok(events.len())
}
