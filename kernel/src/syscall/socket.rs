//! socket(2), socketpair(2), shutdown(2), and what the calls on sockets share.

use arrayvec::ArrayVec;
use hal::user::UserPtr;
use linux_abi::errno::Errno;
use linux_abi::open::OpenFlags;
use linux_abi::resource::RLIMIT_NOFILE;
use linux_abi::socket::{
    SHUT_RD, SHUT_RDWR, SHUT_WR, SOCK_CLOEXEC, SOCK_NONBLOCK, SOCK_TYPE_MASK, SOCKADDR_STORAGE_LEN,
};

use super::{Args, Context, SyscallError};
use crate::fs::vfs::OpenFile;
use crate::net::{self, Actor, Shutdown, Socket};

/// An address as a program gave it.
pub(super) type GivenAddress = ArrayVec<u8, SOCKADDR_STORAGE_LEN>;

/// socket(2): makes a socket and returns its descriptor.
///
/// # Errors
/// `EINVAL`: unknown flag or type. `EAFNOSUPPORT`, `EPROTONOSUPPORT`, `ESOCKTNOSUPPORT`: no such socket. `EMFILE`,
/// `ENOMEM`.
pub(super) fn socket(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let (kind, flags) = split_type(args.uint(1))?;
    let file = net::create(&actor(cx), args.int(0), kind, args.int(2), flags)?;
    let limit = cx.process().limit(RLIMIT_NOFILE);
    let fd = cx.files().insert(file, flags.contains(OpenFlags::O_CLOEXEC), limit)?;
    Ok(fd as usize)
}

/// socketpair(2): makes two connected sockets and stores their descriptors at argument 3.
///
/// # Errors
/// Those of socket, and `EFAULT`.
pub(super) fn socketpair(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let (kind, flags) = split_type(args.uint(1))?;
    let fds_out = args.user_ptr::<[i32; 2]>(3);

    let files = cx.files();
    let limit = cx.process().limit(RLIMIT_NOFILE);
    let reserved = files.reserve::<2>(flags.contains(OpenFlags::O_CLOEXEC), limit)?;
    fds_out.write(&reserved.numbers())?;
    let pair = net::create_pair(&actor(cx), args.int(0), kind, args.int(2), flags)?;

    reserved.install(pair);
    Ok(0)
}

/// shutdown(2). Errors: `EBADF`, `ENOTSOCK`; `EINVAL`: no such direction.
pub(super) fn shutdown(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let file = cx.files().get(args.fd(0))?;
    let socket = socket_of(&file)?;
    let how = match args.uint(1) {
        SHUT_RD => Shutdown::Receive,
        SHUT_WR => Shutdown::Send,
        SHUT_RDWR => Shutdown::Both,
        _ => return Err(Errno::EINVAL),
    };
    socket.shutdown(how).map(|()| 0)
}

/// Takes the flags beside a type apart from it.
pub(super) fn split_type(kind: u32) -> Result<(u32, OpenFlags), Errno> {
    Ok((kind & SOCK_TYPE_MASK, socket_flags(kind & !SOCK_TYPE_MASK)?))
}

/// Reads `SOCK_CLOEXEC` and `SOCK_NONBLOCK`, which are the flags of open(2).
pub(super) fn socket_flags(bits: u32) -> Result<OpenFlags, Errno> {
    if bits & !(SOCK_CLOEXEC | SOCK_NONBLOCK) != 0 {
        return Err(Errno::EINVAL);
    }
    Ok(OpenFlags::from_bits_truncate(bits))
}

/// The file as a socket. Errors: `ENOTSOCK`.
pub(super) fn socket_of(file: &OpenFile) -> Result<&dyn Socket, Errno> {
    file.file().as_socket().ok_or(Errno::ENOTSOCK)
}

/// The caller, for calls that name files or are seen by a peer.
pub(super) fn actor(cx: &Context) -> Actor {
    Actor { pid: cx.process().pid, credentials: cx.credentials(), fs: cx.fs() }
}

/// Copies in an address of `len` bytes.
///
/// # Errors
/// `EINVAL`: a negative length, or one that no address has. `EFAULT`.
pub(super) fn read_address(addr: usize, len: i32) -> Result<GivenAddress, Errno> {
    let len = usize::try_from(len).ok().filter(|&len| len <= SOCKADDR_STORAGE_LEN).ok_or(Errno::EINVAL)?;
    let mut bytes = [0; SOCKADDR_STORAGE_LEN];
    hal::user::copy_in(&mut bytes[..len], addr)?;
    Ok(bytes[..len].iter().copied().collect())
}

/// Copies out as much of an address as the program has room for, and stores its whole length at `len_ptr`, where the
/// room was.
///
/// # Errors
/// `EINVAL`: a negative length. `EFAULT`.
pub(super) fn write_address(addr: usize, len_ptr: UserPtr<i32>, address: &[u8]) -> Result<(), Errno> {
    let room = usize::try_from(len_ptr.read()?).map_err(|_| Errno::EINVAL)?;
    hal::user::copy_out(addr, &address[..address.len().min(room)])?;
    len_ptr.write(&(address.len() as i32))?;
    Ok(())
}
