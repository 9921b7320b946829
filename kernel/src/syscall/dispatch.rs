//! The table itself and the way from a number to a handler.

use hal::sync::{Once, SpinLock};
use hal::task::{SyscallFrame, UserRegs, Work};
use linux_abi::errno::Errno;

use super::syscall_numbers;
use super::table::{FULL_ROWS, ROWS, Restart};
use super::{Args, Context};
use crate::lock_order;

/// What a handler answers when it fails: an errno, positive; negated once, in [`dispatch`].
pub type SyscallError = Errno;

/// A system-call handler. The value it returns goes to `rax` unchanged.
pub type SyscallHandler = fn(&Context, &Args) -> Result<usize, SyscallError>;

/// A handler that also sees, and may rewrite, every user register.
pub type FullHandler = fn(&Context, &Args, &mut UserRegs) -> Result<usize, SyscallError>;

/// Slots of the table.
pub const TABLE_SLOTS: usize = 512;

static TABLE: [Once<SyscallHandler>; TABLE_SLOTS] = [const { Once::new() }; TABLE_SLOTS];
static FULL_TABLE: [Once<FullHandler>; TABLE_SLOTS] = [const { Once::new() }; TABLE_SLOTS];

/// Puts `handler` into slot `number`; the next call of that number uses it.
///
/// # Errors
/// - `EINVAL`: `number` is not below [`TABLE_SLOTS`].
/// - `EEXIST`: the slot is taken.
pub fn register_syscall(number: usize, handler: SyscallHandler) -> Result<(), SyscallError> {
    let slot = TABLE.get(number).ok_or(Errno::EINVAL)?;
    slot.set(handler).map_err(|_| Errno::EEXIST)
}

/// Puts a handler that needs the full register frame into slot `number`; the errors are those of
/// [`register_syscall`].
pub fn register_full_syscall(number: usize, handler: FullHandler) -> Result<(), SyscallError> {
    register_syscall(number, need_full_frame)?;
    FULL_TABLE[number].set(handler).map_err(|_| Errno::EEXIST)
}

/// Registers every row of the table of supported calls. Called once, at boot.
pub fn init() {
    for row in ROWS {
        register_syscall(row.number, row.handler).expect("two rows of the table share a number");
    }
    for row in FULL_ROWS {
        register_full_syscall(row.number, row.handler).expect("two rows of the table share a number");
    }
}

/// Serves the call described by `frame`; the result is what the program finds in `rax`.
pub fn dispatch(frame: &SyscallFrame) -> isize {
    let context = Context::current();
    let args = Args::new(frame);
    let handler = TABLE.get(args.number()).and_then(Once::get).copied().unwrap_or(unknown);
    to_rax(handler(&context, &args))
}

/// Serves a full-frame call on the slow exit path and stores its result in `regs.rax`, unless the handler replaced
/// the registers altogether (execve, rt_sigreturn), in which case it answers with the new `rax`.
pub fn dispatch_full(regs: &mut UserRegs) {
    let number = regs.orig_rax as u32 as usize;
    let handler = FULL_TABLE.get(number).and_then(Once::get);
    let context = Context::current();
    let frame = regs.syscall_frame();
    let result = match handler {
        Some(handler) => handler(&context, &Args::new(&frame), regs),
        None => Err(Errno::ENOSYS),
    };
    regs.rax = to_rax(result) as u64;
}

/// How call `number` behaves when a signal interrupts it.
pub fn restart_of(number: usize) -> Restart {
    ROWS.iter().find(|row| row.number == number).map_or(Restart::Never, |row| row.restart)
}

fn to_rax(result: Result<usize, SyscallError>) -> isize {
    match result {
        Ok(value) => value.cast_signed(),
        Err(errno) => -(errno.number() as isize),
    }
}

/// The fast handler of every full-frame row.
fn need_full_frame(cx: &Context, _args: &Args) -> Result<usize, SyscallError> {
    cx.thread().task.raise(Work::FULL_FRAME);
    Ok(0)
}

/// What every unregistered slot holds: `ENOSYS`, named once in the kernel log.
fn unknown(_cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    static SEEN: SpinLock<[u64; TABLE_SLOTS / 64]> =
        SpinLock::new(lock_order::SYSCALL_TABLE, [0; TABLE_SLOTS / 64]);

    let number = args.number();
    if number < TABLE_SLOTS {
        let (word, bit) = (number / 64, 1 << (number % 64));
        let is_first = {
            let mut seen = SEEN.lock();
            let is_first = seen[word] & bit == 0;
            seen[word] |= bit;
            is_first
        };
        if is_first {
            let name = syscall_numbers::name(number).unwrap_or("?");
            log::info!("system call {number} ({name}) is not implemented");
        }
    }
    Err(Errno::ENOSYS)
}
