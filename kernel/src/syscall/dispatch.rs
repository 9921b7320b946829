//! The table itself and the way from a number to a handler.

use hal::sync::{Once, SpinLock};
use hal::task::{SyscallFrame, UserRegs, Work};
use linux_abi::errno::Errno;

use super::syscall_numbers;
use super::table::{FULL_ROWS, ROWS, Restart};
use super::{Args, Context, strace};
use crate::lock_order;
use crate::process::ptrace;
use crate::process::seccomp;
use crate::process::watch::{self, Watchers};

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
    let task = &context.thread().task;
    if task.work().contains(Work::WATCHED) {
        task.raise(Work::FULL_FRAME);
        return 0;
    }
    to_rax(handler_of(args.number())(&context, &args))
}

/// Serves, on the slow exit path, a full-frame call or any call of a watched thread, and stores its result in
/// `regs.rax`. A handler that replaces the registers altogether (execve, rt_sigreturn) answers with the new `rax`.
pub fn dispatch_full(regs: &mut UserRegs) {
    let context = Context::current();
    if context.thread().task.work().contains(Work::WATCHED) {
        serve_watched(&context, regs);
    } else {
        serve(&context, regs);
    }
}

/// Serves a call while those look on who watch the thread.
fn serve_watched(context: &Context, regs: &mut UserRegs) {
    let watchers = watch::watchers(context.thread());
    // The tracer sees a call before the filters do, as it may change it.
    let is_traced = watchers.contains(Watchers::PTRACE);
    let is_asked_for = !is_traced || ptrace::before_call(&context.thread_arc(), context.user(), regs);
    let is_filtered = watchers.contains(Watchers::SECCOMP);
    let is_made = is_asked_for && (!is_filtered || seccomp::check(context, regs));
    let line = if watchers.contains(Watchers::STRACE) { strace::begin(context, regs) } else { None };
    if is_made {
        serve(context, regs);
    }
    if let Some(line) = line {
        line.end(regs.rax.cast_signed() as isize);
    }
    // Of a call that it began before it was traced, the end is told all the same.
    if watch::watchers(context.thread()).contains(Watchers::PTRACE) {
        ptrace::after_call(&context.thread_arc(), context.user(), regs);
    }
}

fn serve(context: &Context, regs: &mut UserRegs) {
    let frame = regs.syscall_frame();
    let args = Args::new(&frame);
    let result = match FULL_TABLE.get(args.number()).and_then(Once::get) {
        Some(handler) => handler(context, &args, regs),
        None => handler_of(args.number())(context, &args),
    };
    regs.rax = to_rax(result) as u64;
}

/// The handler of call `number` on the fast path.
fn handler_of(number: usize) -> SyscallHandler {
    TABLE.get(number).and_then(Once::get).copied().unwrap_or(unknown)
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
