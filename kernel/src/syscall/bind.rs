//! bind(2), listen(2), getsockname(2), getpeername(2).

use super::socket::{actor, read_address, socket_of, write_address};
use super::{Args, Context, SyscallError};
use crate::net::{Address, Socket};

/// bind(2): names a socket.
///
/// # Errors
/// `EBADF`, `ENOTSOCK`; `EINVAL`: a bad address, or it has a name; `EADDRINUSE`; `EFAULT`; those of mknod for a path.
pub(super) fn bind(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let file = cx.files().get(args.fd(0))?;
    let socket = socket_of(&file)?;
    let address = read_address(args.addr(1), args.int(2))?;
    socket.bind(&actor(cx), &address).map(|()| 0)
}

/// listen(2). Errors: `EBADF`, `ENOTSOCK`; `EOPNOTSUPP`: not for this type; `EINVAL`: no name, or a peer.
pub(super) fn listen(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let file = cx.files().get(args.fd(0))?;
    // A negative number is a large one.
    socket_of(&file)?.listen(&actor(cx), args.uint(1)).map(|()| 0)
}

/// getsockname(2). Errors: `EBADF`, `ENOTSOCK`, `EFAULT`; `EINVAL`: a negative length.
pub(super) fn getsockname(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let file = cx.files().get(args.fd(0))?;
    let socket = socket_of(&file)?;
    let address = with_family(socket, socket.local_address());
    write_address(args.addr(1), args.user_ptr(2), &address).map(|()| 0)
}

/// getpeername(2). Errors: as getsockname; `ENOTCONN`.
pub(super) fn getpeername(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let file = cx.files().get(args.fd(0))?;
    let socket = socket_of(&file)?;
    let address = with_family(socket, socket.peer_address()?);
    write_address(args.addr(1), args.user_ptr(2), &address).map(|()| 0)
}

/// What stands for an address: the family alone for a socket without a name.
pub(super) fn with_family(socket: &dyn Socket, address: Address) -> alloc::sync::Arc<[u8]> {
    address.unwrap_or_else(|| socket.domain().to_ne_bytes().as_slice().into())
}
