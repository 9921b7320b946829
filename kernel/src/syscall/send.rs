//! sendto(2), sendmsg(2), sendmmsg(2).

use hal::user::UserPtr;
use linux_abi::errno::Errno;
use linux_abi::limits::UIO_MAXIOV;
use linux_abi::socket::{MSG_DONTWAIT, MSG_NOSIGNAL, Mmsghdr, Msghdr, SOCKADDR_STORAGE_LEN};

use super::read::with_sigpipe;
use super::socket::{GivenAddress, actor, read_address, socket_of};
use super::{Args, Context, SyscallError, control};
use crate::fs::vfs::OpenFile;
use crate::net::Outgoing;
use crate::uio::{Iovecs, Source, check_user_range, copy_iovecs};

/// sendto(2), which is also send(2).
///
/// # Errors
/// `EBADF`, `ENOTSOCK`, `EFAULT`; `EPIPE` with SIGPIPE (not with `MSG_NOSIGNAL`); `EINVAL`: a bad address; those of
/// [`Socket::send`](crate::net::Socket::send).
pub(super) fn sendto(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    check_user_range(args.u64(1), args.u64(2))?;
    let file = cx.files().get(args.fd(0))?;
    socket_of(&file)?;
    let address =
        if args.addr(4) == 0 { GivenAddress::new() } else { read_address(args.addr(4), args.int(5))? };
    let mut source = Source::user(args.addr(1), args.size(2));
    send(cx, &file, &mut source, &address, args.uint(3), control::Control::default())
}

/// sendmsg(2). Errors as sendto; `EMSGSIZE`: too many vectors; `EINVAL`, `ENOBUFS`, `EBADF`, `EPERM`, `ETOOMANYREFS`:
/// something is wrong with the control messages.
pub(super) fn sendmsg(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let file = cx.files().get(args.fd(0))?;
    socket_of(&file)?;
    send_message(cx, &file, args.user_ptr(1), args.uint(2))
}

/// sendmmsg(2): sends several messages and stores how many bytes of each; returns how many messages.
///
/// # Errors
/// Those of sendmsg for the first message.
pub(super) fn sendmmsg(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let file = cx.files().get(args.fd(0))?;
    socket_of(&file)?;
    let count = (args.uint(2) as usize).min(UIO_MAXIOV);
    let messages = args.user_ptr::<Mmsghdr>(1);
    for index in 0..count {
        let outcome = send_message(cx, &file, message_at(messages, index), args.uint(3))
            .and_then(|sent| Ok(length_at(messages, index).write(&(sent as u32))?));
        match outcome {
            Ok(()) => {}
            Err(error) if index == 0 => return Err(error),
            Err(_) => return Ok(index),
        }
        crate::scheduler::cond_resched();
    }
    Ok(count)
}

/// The header in the message at `index`.
pub(super) fn message_at(messages: UserPtr<Mmsghdr>, index: usize) -> UserPtr<Msghdr> {
    UserPtr::new(messages.add(index).addr())
}

/// The length in the message at `index`.
pub(super) fn length_at(messages: UserPtr<Mmsghdr>, index: usize) -> UserPtr<u32> {
    UserPtr::new(messages.add(index).addr().wrapping_add(core::mem::offset_of!(Mmsghdr, msg_len)))
}

/// A header as it was copied in, and checked.
pub(super) struct Message {
    pub(super) header: Msghdr,
    pub(super) vectors: Iovecs,
}

impl Message {
    /// Copies in the header at `message` and its vectors.
    ///
    /// # Errors
    /// `EFAULT`; `EINVAL`: a negative length; `EMSGSIZE`: too many vectors.
    pub(super) fn read(message: UserPtr<Msghdr>) -> Result<Self, Errno> {
        let mut header = message.read()?;
        if header.msg_name == 0 {
            header.msg_namelen = 0;
        }
        if header.msg_namelen < 0 {
            return Err(Errno::EINVAL);
        }
        header.msg_namelen = header.msg_namelen.min(SOCKADDR_STORAGE_LEN as i32);
        if header.msg_iovlen > UIO_MAXIOV as u64 {
            return Err(Errno::EMSGSIZE);
        }
        let vectors = copy_iovecs(header.msg_iov as usize, header.msg_iovlen as usize)?;
        Ok(Self { header, vectors })
    }
}

fn send_message(cx: &Context, file: &OpenFile, message: UserPtr<Msghdr>, flags: u32) -> Result<usize, Errno> {
    let Message { header, vectors } = Message::read(message)?;
    let address = read_address(header.msg_name as usize, header.msg_namelen)?;
    let control = control::read(cx, header.msg_control as usize, header.msg_controllen)?;
    send(cx, file, &mut Source::vectors(&vectors), &address, flags, control)
}

fn send(
    cx: &Context,
    file: &OpenFile,
    source: &mut Source<'_>,
    address: &[u8],
    flags: u32,
    control: control::Control,
) -> Result<usize, Errno> {
    let actor = if address.is_empty() { None } else { Some(actor(cx)) };
    let dont_wait = if file.is_nonblocking() { MSG_DONTWAIT } else { 0 };
    let outgoing = Outgoing {
        destination: actor.as_ref().map(|actor| (address, actor)),
        flags: flags | dont_wait,
        credentials: control.credentials,
        rights: control.rights,
    };
    let outcome = socket_of(file)?.send(source, outgoing);
    if flags & MSG_NOSIGNAL != 0 { outcome } else { with_sigpipe(cx, file, outcome) }
}
