//! getsockopt(2), setsockopt(2).

use hal::user::UserPtr;
use linux_abi::errno::Errno;
use linux_abi::socket::{SO_PEERCRED, SO_PEERGROUPS, SO_PEERNAME, SOL_SOCKET, Ucred};
use zerocopy::IntoBytes;

use super::bind::with_family;
use super::socket::socket_of;
use super::{Args, Context, SyscallError};
use crate::net::{Socket, options};

/// Bytes of the longest value that an option takes.
const MAX_VALUE: usize = 16;

/// getsockopt(2): stores as much of a value as there is room for, and its length.
///
/// # Errors
/// `EBADF`, `ENOTSOCK`, `EFAULT`; `EINVAL`: a negative length; `ENOPROTOOPT`: no such option; `EOPNOTSUPP`: no such level.
pub(super) fn getsockopt(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let (value, len_ptr) = (args.addr(3), args.user_ptr::<i32>(4));
    let file = cx.files().get(args.fd(0))?;
    let socket = socket_of(&file)?;
    if args.int(1) != SOL_SOCKET {
        return Err(Errno::EOPNOTSUPP);
    }
    let room = usize::try_from(len_ptr.read()?).map_err(|_| Errno::EINVAL)?;
    match args.int(2) {
        SO_PEERCRED => {
            let nobody = Ucred { pid: 0, uid: u32::MAX, gid: u32::MAX };
            let peer = socket.peer_identity().map_or(nobody, |peer| peer.ucred());
            store(value, len_ptr, room, peer.as_bytes())
        }
        SO_PEERGROUPS => peer_groups(socket, value, len_ptr, room),
        SO_PEERNAME => {
            let address = socket.peer_address().map_err(|_| Errno::ENOTCONN)?;
            let address = with_family(socket, address);
            if address.len() < room {
                return Err(Errno::EINVAL);
            }
            store(value, len_ptr, room, &address)
        }
        option => store(value, len_ptr, room, options::get(socket, option)?.as_bytes()),
    }
}

fn store(value: usize, len_ptr: UserPtr<i32>, room: usize, bytes: &[u8]) -> Result<usize, Errno> {
    let len = bytes.len().min(room);
    hal::user::copy_out(value, &bytes[..len])?;
    len_ptr.write(&(len as i32))?;
    Ok(0)
}

/// `SO_PEERGROUPS`. Errors: `ENODATA`: no peer; `ERANGE`: no room, the length says for how much there should be.
fn peer_groups(
    socket: &dyn Socket,
    value: usize,
    len_ptr: UserPtr<i32>,
    room: usize,
) -> Result<usize, Errno> {
    let peer = socket.peer_identity().ok_or(Errno::ENODATA)?;
    let groups: &[u32] = &peer.credentials.groups;
    let bytes = groups.as_bytes();
    if room < bytes.len() {
        len_ptr.write(&(bytes.len() as i32))?;
        return Err(Errno::ERANGE);
    }
    store(value, len_ptr, room, bytes)
}

/// setsockopt(2).
///
/// # Errors
/// `EBADF`, `ENOTSOCK`, `EFAULT`; `EINVAL`: a bad length or value; `ENOPROTOOPT`: no such option, or it cannot be set;
/// `EOPNOTSUPP`: no such level; `EDOM`: a bad time; `EPERM`, `EACCES`: it takes a capability.
pub(super) fn setsockopt(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let len = usize::try_from(args.int(4)).map_err(|_| Errno::EINVAL)?;
    let file = cx.files().get(args.fd(0))?;
    let socket = socket_of(&file)?;
    if args.int(1) != SOL_SOCKET {
        return Err(Errno::EOPNOTSUPP);
    }
    if len < size_of::<i32>() {
        return Err(Errno::EINVAL);
    }
    let mut value = [0; MAX_VALUE];
    let value = &mut value[..len.min(MAX_VALUE)];
    hal::user::copy_in(value, args.addr(3))?;
    options::set(socket, args.int(2), value, &cx.credentials())?;
    Ok(0)
}
