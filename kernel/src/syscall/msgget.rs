//! msgget(2), msgsnd(2), msgrcv(2), msgctl(2).

use alloc::vec::Vec;

use hal::user::UserPtr;
use linux_abi::errno::Errno;
use linux_abi::ipc::*;

use super::{Args, Context, SyscallError};
use crate::ipc::sysv::msg::{self, Message, Wanted};
use crate::memory::fallible;

/// msgget(2): returns the id of the queue with a key, or of a new one.
///
/// # Errors
/// As [`msg::get`].
pub(super) fn msgget(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    Ok(msg::get(args.int(0), args.uint(1), &cx.credentials())? as usize)
}

/// The type of a message comes before its text.
const TEXT: usize = size_of::<i64>();

/// msgsnd(2): adds a message to a queue.
///
/// # Errors
/// `EINVAL`: no such queue, too long a message, or a type that is not positive. `EFAULT`. As [`msg::send`].
pub(super) fn msgsnd(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let (id, addr, len, flags) = (args.int(0), args.addr(1), args.size(2), args.uint(3));
    let kind = UserPtr::<i64>::new(addr).read()?;
    if len > msg::MAX_MESSAGE || id < 0 || kind < 1 {
        return Err(Errno::EINVAL);
    }
    let mut text: Vec<u8> = fallible::zeroed(len)?;
    hal::user::copy_in(&mut text, addr.wrapping_add(TEXT))?;
    msg::send(id, Message { kind, text }, flags & IPC_NOWAIT != 0, &cx.credentials())?;
    Ok(0)
}

/// msgrcv(2): takes a message from a queue; returns the length of what was stored of its text.
///
/// # Errors
/// `EINVAL`: no such queue, a negative length, or `MSG_COPY` with `MSG_EXCEPT` or without `IPC_NOWAIT`. `EFAULT`: the
/// message is lost. As [`msg::receive`].
pub(super) fn msgrcv(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let (id, addr, room, kind, flags) = (args.int(0), args.addr(1), args.size(2), args.i64(3), args.uint(4));
    if id < 0 || room.cast_signed() < 0 {
        return Err(Errno::EINVAL);
    }
    let is_nonblocking = flags & IPC_NOWAIT != 0;
    let wanted = if flags & MSG_COPY != 0 {
        if flags & MSG_EXCEPT != 0 || !is_nonblocking {
            return Err(Errno::EINVAL);
        }
        Wanted::Place(kind)
    } else {
        match kind {
            0 => Wanted::First,
            i64::MIN..0 => Wanted::LowestUpTo(kind.checked_neg().unwrap_or(i64::MAX)),
            _ if flags & MSG_EXCEPT != 0 => Wanted::NotKind(kind),
            _ => Wanted::Kind(kind),
        }
    };
    let may_cut = flags & MSG_NOERROR != 0;
    let message = msg::receive(id, wanted, room, may_cut, is_nonblocking, &cx.credentials())?;
    let text = &message.text[..message.text.len().min(room)];
    UserPtr::<i64>::new(addr).write(&message.kind)?;
    hal::user::copy_out(addr.wrapping_add(TEXT), text)?;
    Ok(text.len())
}

/// msgctl(2): describes, changes or removes a queue.
///
/// # Errors
/// `EINVAL`: no such queue or command. `EACCES`, `EPERM`: not for the caller. `EFAULT`.
pub(super) fn msgctl(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let (id, command, buffer) = (args.int(0), args.uint(1), args.addr(2));
    let who = cx.credentials();
    if id < 0 {
        return Err(Errno::EINVAL);
    }
    match command {
        IPC_INFO | MSG_INFO => {
            let (last, queues, messages, bytes) = msg::totals();
            let is_limits = command == IPC_INFO;
            let pick = |limit: usize, used: u64| if is_limits { limit as i32 } else { used as i32 };
            let info = Msginfo {
                msgpool: pick(msg::MAX_QUEUES * msg::MAX_BYTES / 1024, queues as u64),
                msgmap: pick(msg::MAX_BYTES, messages),
                msgmax: msg::MAX_MESSAGE as i32,
                msgmnb: msg::MAX_BYTES as i32,
                msgmni: msg::MAX_QUEUES as i32,
                msgssz: 16,
                msgtql: pick(msg::MAX_BYTES, bytes),
                msgseg: 0xffff,
                _pad: 0,
            };
            UserPtr::new(buffer).write(&info)?;
            return Ok(last);
        }
        IPC_STAT | MSG_STAT | MSG_STAT_ANY => {
            let (found, description) = msg::describe(id, command != IPC_STAT, command == MSG_STAT_ANY, &who)?;
            UserPtr::new(buffer).write(&description)?;
            return Ok(if command == IPC_STAT { 0 } else { found as usize });
        }
        IPC_SET => msg::set(id, &UserPtr::<Msqid64Ds>::new(buffer).read()?, &who)?,
        IPC_RMID => msg::remove(id, &who)?,
        _ => return Err(Errno::EINVAL),
    }
    Ok(0)
}
