//! recvfrom(2), recvmsg(2), recvmmsg(2).

use hal::user::UserPtr;
use linux_abi::errno::Errno;
use linux_abi::limits::UIO_MAXIOV;
use linux_abi::socket::{MSG_CMSG_CLOEXEC, MSG_DONTWAIT, MSG_ERRQUEUE, MSG_WAITFORONE, Mmsghdr, Msghdr};
use linux_abi::time::Timespec;

use super::control::Room;
use super::send::{Message, length_at, message_at};
use super::socket::{socket_of, write_address};
use super::{Args, Context, SyscallError};
use crate::fs::vfs::OpenFile;
use crate::net::Incoming;
use crate::uio::{Sink, check_user_range};

/// recvfrom(2), which is also recv(2).
///
/// # Errors
/// `EBADF`, `ENOTSOCK`, `EFAULT`; those of [`Socket::receive`](crate::net::Socket::receive).
pub(super) fn recvfrom(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    check_user_range(args.u64(1), args.u64(2))?;
    let file = cx.files().get(args.fd(0))?;
    let incoming = receive(&file, &mut Sink::user(args.addr(1), args.size(2)), args.uint(3))?;
    if args.addr(4) != 0 {
        write_address(args.addr(4), args.user_ptr(5), incoming.address.as_deref().unwrap_or_default())?;
    }
    Ok(incoming.len)
}

/// recvmsg(2). Errors as recvfrom; `EMSGSIZE`: too many vectors; `EINVAL`: a bad length.
pub(super) fn recvmsg(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let file = cx.files().get(args.fd(0))?;
    socket_of(&file)?;
    receive_message(cx, &file, args.user_ptr(1), args.uint(2))
}

/// recvmmsg(2): receives several messages and stores how many bytes of each; returns how many messages. The time limit is
/// looked at after each message, as on Linux.
///
/// # Errors
/// Those of recvmsg for the first message; `EINVAL`: a bad time limit.
pub(super) fn recvmmsg(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let timeout = args.user_ptr::<Timespec>(4);
    let deadline = if timeout.is_null() {
        None
    } else {
        let ns = timeout.read()?.to_ns().ok_or(Errno::EINVAL)?;
        Some(hal::time::now_ns().saturating_add(ns))
    };
    let file = cx.files().get(args.fd(0))?;
    if let Some(error) = socket_of(&file)?.take_error() {
        return Err(error);
    }
    let outcome = receive_messages(cx, &file, args, deadline);
    if let Some(deadline) = deadline
        && outcome.is_ok()
    {
        timeout.write(&Timespec::from_ns(deadline.saturating_sub(hal::time::now_ns())))?;
    }
    outcome
}

fn receive_messages(
    cx: &Context,
    file: &OpenFile,
    args: &Args,
    deadline: Option<u64>,
) -> Result<usize, Errno> {
    let count = (args.uint(2) as usize).min(UIO_MAXIOV);
    let messages = args.user_ptr::<Mmsghdr>(1);
    let mut flags = args.uint(3);
    for index in 0..count {
        let outcome = receive_message(cx, file, message_at(messages, index), flags & !MSG_WAITFORONE)
            .and_then(|len| Ok(length_at(messages, index).write(&(len as u32))?));
        match outcome {
            Ok(()) => {}
            Err(error) if index == 0 => return Err(error),
            Err(_) => return Ok(index),
        }
        if flags & MSG_WAITFORONE != 0 {
            flags |= MSG_DONTWAIT;
        }
        if deadline.is_some_and(|deadline| hal::time::now_ns() >= deadline) {
            return Ok(index + 1);
        }
        crate::scheduler::cond_resched();
    }
    Ok(count)
}

fn receive_message(
    cx: &Context,
    file: &OpenFile,
    message: UserPtr<Msghdr>,
    flags: u32,
) -> Result<usize, Errno> {
    let Message { header, vectors } = Message::read(message)?;
    let mut incoming = receive(file, &mut Sink::vectors(&vectors), flags)?;

    let field = |offset: usize| message.addr().wrapping_add(offset);
    if header.msg_name != 0 {
        let len_ptr = UserPtr::new(field(core::mem::offset_of!(Msghdr, msg_namelen)));
        let address = incoming.address.take();
        write_address(header.msg_name as usize, len_ptr, address.as_deref().unwrap_or_default())?;
    }
    let mut room = Room::new(header.msg_control as usize, header.msg_controllen);
    room.write(cx, &mut incoming, flags)?;
    let shown = incoming.flags | room.flags | flags & MSG_CMSG_CLOEXEC;
    UserPtr::new(field(core::mem::offset_of!(Msghdr, msg_flags))).write(&shown)?;
    UserPtr::new(field(core::mem::offset_of!(Msghdr, msg_controllen))).write(&room.used())?;
    Ok(incoming.len)
}

fn receive(file: &OpenFile, sink: &mut Sink<'_>, flags: u32) -> Result<Incoming, Errno> {
    let socket = socket_of(file)?;
    if flags & MSG_ERRQUEUE != 0 {
        // No family here has such a queue: it is always empty.
        return Err(Errno::EAGAIN);
    }
    let dont_wait = if file.is_nonblocking() { MSG_DONTWAIT } else { 0 };
    socket.receive(sink, flags | dont_wait)
}
