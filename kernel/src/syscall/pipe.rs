//! pipe(2), pipe2(2).

use linux_abi::errno::Errno;
use linux_abi::open::OpenFlags;
use linux_abi::resource::RLIMIT_NOFILE;

use super::{Args, Context, SyscallError};
use crate::ipc::pipe::Pipe;

/// pipe(2). Errors as pipe2.
pub(super) fn pipe(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    make(cx, args, OpenFlags::empty())
}

/// pipe2(2): makes a pipe and stores its two descriptors at argument 0.
///
/// # Errors
/// - `EINVAL`: a flag outside `O_CLOEXEC | O_NONBLOCK | O_DIRECT`.
/// - `EMFILE`: no descriptor left. `ENOMEM`.
/// - `EFAULT`: the array is not writable; no descriptor has become visible.
pub(super) fn pipe2(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let known = OpenFlags::O_CLOEXEC | OpenFlags::O_NONBLOCK | OpenFlags::O_DIRECT;
    let flags =
        OpenFlags::from_bits(args.uint(1)).filter(|flags| known.contains(*flags)).ok_or(Errno::EINVAL)?;
    make(cx, args, flags)
}

fn make(cx: &Context, args: &Args, flags: OpenFlags) -> Result<usize, SyscallError> {
    let fds_out = args.user_ptr::<[i32; 2]>(0);

    let owner = cx.credentials();
    let ends = Pipe::create(owner.uid.fs, owner.gid.fs, flags)?;
    let files = cx.files();
    let limit = cx.process().limit(RLIMIT_NOFILE);
    let reserved = files.reserve::<2>(flags.contains(OpenFlags::O_CLOEXEC), limit)?;

    fds_out.write(&reserved.numbers())?;
    reserved.install(ends);
    Ok(0)
}
