//! connect(2), accept(2).

use linux_abi::errno::Errno;
use linux_abi::open::OpenFlags;
use linux_abi::resource::RLIMIT_NOFILE;

use super::bind::with_family;
use super::socket::{actor, read_address, socket_flags, socket_of, write_address};
use super::{Args, Context, SyscallError};

/// connect(2).
///
/// # Errors
/// `EBADF`, `ENOTSOCK`, `EFAULT`; `EINVAL`: a bad address; `ECONNREFUSED`: nobody listens; `EISCONN`; `EACCES`;
/// `EPROTOTYPE`: one of another type does; `EAGAIN`, `EINTR`; those of the walk.
pub(super) fn connect(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let file = cx.files().get(args.fd(0))?;
    let socket = socket_of(&file)?;
    let address = read_address(args.addr(1), args.int(2))?;
    socket.connect(&actor(cx), &address, file.is_nonblocking()).map(|()| 0)
}

/// accept(2). Errors as accept4.
pub(super) fn accept(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    accept_with(cx, args, 0)
}

/// accept4(2): takes a connection, stores the peer's address at argument 1 if that is not null, returns a descriptor.
///
/// # Errors
/// `EBADF`, `ENOTSOCK`, `EOPNOTSUPP`; `EINVAL`: it does not listen, unknown flags; `EMFILE`, `EAGAIN`, `EINTR`; `EFAULT`:
/// the connection is lost.
pub(super) fn accept4(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    accept_with(cx, args, args.uint(3))
}

fn accept_with(cx: &Context, args: &Args, flags: u32) -> Result<usize, SyscallError> {
    let files = cx.files();
    let file = files.get(args.fd(0))?;
    let flags = socket_flags(flags)?;
    let limit = cx.process().limit(RLIMIT_NOFILE);
    let reserved = files.reserve::<1>(flags.contains(OpenFlags::O_CLOEXEC), limit)?;
    let accepted = socket_of(&file)?.accept(file.is_nonblocking(), flags)?;

    if args.addr(1) != 0 {
        let socket = socket_of(&accepted)?;
        let address = socket.peer_address().map_err(|_| Errno::ECONNABORTED)?;
        write_address(args.addr(1), args.user_ptr(2), &with_family(socket, address))?;
    }
    let [fd] = reserved.numbers();
    reserved.install([accepted]);
    Ok(fd as usize)
}
