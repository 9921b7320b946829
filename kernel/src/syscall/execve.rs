//! execve(2), execveat(2).

use alloc::format;

use hal::task::UserRegs;
use linux_abi::errno::Errno;
use linux_abi::open::{AT_FDCWD, AtFlags};

use super::args::copy_path;
use super::{Args, Context, SyscallError};
use crate::fs::vfs::{Base, Caller};
use crate::process::exec::{self, Name, Strings};
use crate::process::ptrace;

/// execve(2): replaces the caller's program.
///
/// # Errors
/// Those of [`exec::exec`], of path lookup, and `EFAULT`.
pub(super) fn execve(cx: &Context, args: &Args, regs: &mut UserRegs) -> Result<usize, SyscallError> {
    run(cx, regs, AT_FDCWD, args.addr(0), args.addr(1), args.addr(2), AtFlags::empty())
}

/// execveat(2): the same, with the path relative to a directory descriptor, or naming the descriptor itself.
///
/// # Errors
/// As execve; `EINVAL`: an unknown flag; `EBADF`: a bad descriptor.
pub(super) fn execveat(cx: &Context, args: &Args, regs: &mut UserRegs) -> Result<usize, SyscallError> {
    run(
        cx,
        regs,
        args.fd(0),
        args.addr(1),
        args.addr(2),
        args.addr(3),
        AtFlags::from_bits(args.uint(4)).ok_or(Errno::EINVAL)?,
    )
}

fn run(
    cx: &Context,
    regs: &mut UserRegs,
    dir: i32,
    path: usize,
    arguments: usize,
    environment: usize,
    flags: AtFlags,
) -> Result<usize, SyscallError> {
    if !(AtFlags::AT_EMPTY_PATH | AtFlags::AT_SYMLINK_NOFOLLOW).contains(flags) {
        return Err(Errno::EINVAL);
    }
    let path = copy_path(path)?;
    let limit = exec::string_limit(cx.process());
    let arguments = Strings::copy_in(arguments, limit)?;
    let environment = Strings::copy_in(environment, limit)?;

    let (fs, credentials) = (cx.fs(), cx.credentials());
    let caller = Caller { fs: &fs, credentials: &credentials };
    let directory = match dir {
        AT_FDCWD => None,
        _ if path.first() == Some(&b'/') => None,
        fd => Some(cx.files().get_any(fd)?),
    };
    let follow = !flags.contains(AtFlags::AT_SYMLINK_NOFOLLOW);
    let file = match &directory {
        Some(open) if path.is_empty() && flags.contains(AtFlags::AT_EMPTY_PATH) => {
            caller.open_program_at(open.place())?
        }
        Some(open) => caller.open_program(Base::At(&open.place()), &path, follow)?,
        None => caller.open_program(Base::WorkingDirectory, &path, follow)?,
    };
    let name = match &directory {
        Some(_) => Name {
            path: if path.is_empty() {
                format!("/dev/fd/{dir}").into_bytes()
            } else {
                [format!("/dev/fd/{dir}/").as_bytes(), &path].concat()
            },
            is_inaccessible: cx.files().is_close_on_exec(dir)?,
        },
        None => Name { path, is_inaccessible: false },
    };
    let former = cx.thread().tid();
    exec::exec(cx, regs, &name, file, arguments, environment)?;
    regs.rax = 0;
    ptrace::after_exec(&cx.thread_arc(), cx.user(), regs, former);
    Ok(regs.rax as usize)
}
