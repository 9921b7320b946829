//! ptrace(2).

use alloc::sync::Arc;

use hal::user::UserPtr;
use linux_abi::errno::Errno;
use linux_abi::ptrace::*;
use linux_abi::siginfo::SigInfo;
use linux_abi::signal::{SIGSET_SIZE, SigSet, Signal};
use linux_abi::uio::Iovec;
use zerocopy::IntoBytes;

use super::{Args, Context, SyscallError};
use crate::memory::address_space::{AddressSpace, RemoteMode};
use crate::process::ptrace::{self, Cause, Stop, Tracing, Until, from_user_regs, to_user_regs};
use crate::process::signal::{delivery, send};
use crate::process::tree;
use crate::scheduler::Thread;

/// Bytes of a word.
const WORD: usize = size_of::<u64>();

/// ptrace(2): traces another thread. `PTRACE_GET_SYSCALL_INFO` answers a length, everything else 0.
///
/// # Errors
/// - `ESRCH`: no such thread, it is not traced by the caller, or it does not stand still.
/// - `EPERM`: it may not be traced, or is already. `EIO`: no such request, place in the registers, or signal.
/// - `EINVAL`: unknown options, no such set of registers. `EFAULT`, `ENOMEM`.
pub(super) fn ptrace(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let (request, tid, addr, data) = (args.u64(0) as u32, args.int(1), args.addr(2), args.u64(3));
    let thread = match request {
        PTRACE_TRACEME => cx.thread_arc(),
        _ => tree::find_thread(tid).ok_or(Errno::ESRCH)?,
    };
    match request {
        PTRACE_TRACEME => ptrace::trace_me(&thread, cx.user())?,
        PTRACE_ATTACH => ptrace::attach(cx.user(), &thread, None)?,
        PTRACE_SEIZE => {
            let options = u32::try_from(data).ok().and_then(PtraceOptions::from_bits).filter(|_| addr == 0);
            ptrace::attach(cx.user(), &thread, Some(options.ok_or(Errno::EIO)?))?;
        }
        _ if ptrace::tracer_of(&thread) != cx.process().pid => return Err(Errno::ESRCH),
        PTRACE_KILL => {
            if ptrace::is_stopped(&thread) {
                send::send_to_thread(&thread, SigInfo::kernel(Signal::SIGKILL));
            }
        }
        PTRACE_INTERRUPT => {
            let user = thread.user.as_ref().ok_or(Errno::ESRCH)?;
            if user.traced.with(|tracing| tracing.is_seized) != Some(true) {
                return Err(Errno::EIO);
            }
            ptrace::ask(&thread);
        }
        PTRACE_LISTEN => ptrace::listen(&thread)?,
        PTRACE_CONT => ptrace::resume(&thread, Until::Event, signal_of(data)?)?,
        PTRACE_SYSCALL => ptrace::resume(&thread, Until::Call, signal_of(data)?)?,
        PTRACE_SINGLESTEP => ptrace::resume(&thread, Until::Step, signal_of(data)?)?,
        PTRACE_DETACH => {
            at_stop(&thread, |_| Ok(()))?;
            ptrace::detach(cx.process(), &thread, signal_of(data)?);
        }
        _ => return look(request, &thread, addr, data),
    }
    Ok(0)
}

/// The signal of a number that a tracer gives; 0 is none.
fn signal_of(number: u64) -> Result<Option<Signal>, Errno> {
    match u32::try_from(number) {
        Ok(0) => Ok(None),
        Ok(number) => Signal::new(number).map(Some).ok_or(Errno::EIO),
        Err(_) => Err(Errno::EIO),
    }
}

/// Runs `f` on where a thread stands.
fn at_stop<R>(thread: &Thread, f: impl FnOnce(&mut Stop) -> Result<R, Errno>) -> Result<R, Errno> {
    with_stopped(thread, |tracing| f(tracing.stop().ok_or(Errno::ESRCH)?))
}

/// Runs `f` on the tracing of a thread that stands still.
fn with_stopped<R>(thread: &Thread, f: impl FnOnce(&mut Tracing) -> Result<R, Errno>) -> Result<R, Errno> {
    let user = thread.user.as_ref().ok_or(Errno::ESRCH)?;
    let result = user.traced.with(|tracing| match tracing.stop() {
        Some(_) => f(tracing),
        None => Err(Errno::ESRCH),
    });
    result.ok_or(Errno::ESRCH)?
}

/// Requests that read or change a thread that stands still.
fn look(request: u32, thread: &Arc<Thread>, addr: usize, data: u64) -> Result<usize, Errno> {
    at_stop(thread, |_| Ok(()))?;
    let at = data as usize;
    match request {
        PTRACE_PEEKTEXT | PTRACE_PEEKDATA => {
            let mut word = [0; WORD];
            let n =
                memory(thread)?.read_some(addr, &mut word, RemoteMode::Debugger).map_err(|_| Errno::EIO)?;
            if n != WORD {
                return Err(Errno::EIO);
            }
            UserPtr::<u64>::new(at).write(&u64::from_ne_bytes(word))?;
        }
        PTRACE_POKETEXT | PTRACE_POKEDATA => {
            let word = data.to_ne_bytes();
            let n = memory(thread)?.write_some(addr, &word, RemoteMode::Debugger).map_err(|_| Errno::EIO)?;
            if n != WORD {
                return Err(Errno::EIO);
            }
        }
        PTRACE_SETOPTIONS => {
            let options = u32::try_from(data).ok().and_then(PtraceOptions::from_bits);
            let options =
                options.filter(|options| !options.contains(PtraceOptions::PTRACE_O_SUSPEND_SECCOMP));
            let options = options.ok_or(Errno::EINVAL)?;
            with_stopped(thread, |tracing| {
                tracing.options = options;
                Ok(())
            })?;
        }
        PTRACE_GETEVENTMSG => {
            let message = with_stopped(thread, |tracing| Ok(tracing.message))?;
            UserPtr::<u64>::new(at).write(&message)?;
        }
        PTRACE_GETSIGINFO => {
            let info = at_stop(thread, |stop| stop.info.ok_or(Errno::EINVAL))?;
            UserPtr::<SigInfo>::new(at).write(&info)?;
        }
        PTRACE_SETSIGINFO => {
            let info = UserPtr::<SigInfo>::new(at).read()?;
            at_stop(thread, |stop| {
                *stop.info.as_mut().ok_or(Errno::EINVAL)? = info;
                Ok(())
            })?;
        }
        PTRACE_GETSIGMASK | PTRACE_SETSIGMASK => mask(request, thread, addr, at)?,
        PTRACE_GET_SYSCALL_INFO => {
            let (info, len) = at_stop(thread, |stop| Ok(call_info(stop)))?;
            hal::user::copy_out(at, &info.as_bytes()[..len.min(addr)])?;
            return Ok(len);
        }
        _ => look_at_registers(request, thread, addr, data)?,
    }
    Ok(0)
}

fn look_at_registers(request: u32, thread: &Thread, addr: usize, data: u64) -> Result<(), Errno> {
    let at = data as usize;
    match request {
        PTRACE_PEEKUSER => {
            let offset = user_offset(addr)?;
            let regs = at_stop(thread, |stop| Ok(registers(stop)))?;
            // Behind the registers lies what only a core dump has, and the debug registers, which nobody can set here.
            let word = regs.as_bytes().get(offset..offset + WORD).and_then(|word| word.try_into().ok());
            UserPtr::<u64>::new(at).write(&word.map_or(0, u64::from_ne_bytes))?;
        }
        PTRACE_POKEUSER => {
            let offset = user_offset(addr)?;
            at_stop(thread, |stop| {
                let mut regs = registers(stop);
                let word = regs.as_mut_bytes().get_mut(offset..offset + WORD).ok_or(Errno::EIO)?;
                word.copy_from_slice(&data.to_ne_bytes());
                set_registers(stop, &regs)
            })?;
        }
        PTRACE_GETREGS => {
            let regs = at_stop(thread, |stop| Ok(registers(stop)))?;
            UserPtr::<UserRegsStruct>::new(at).write(&regs)?;
        }
        PTRACE_SETREGS => {
            let regs = UserPtr::<UserRegsStruct>::new(at).read()?;
            at_stop(thread, |stop| set_registers(stop, &regs))?;
        }
        PTRACE_GETREGSET | PTRACE_SETREGSET => {
            // The extended state stays in the task: it is not copied at a stop.
            if addr as u64 != NT_PRSTATUS {
                return Err(Errno::EINVAL);
            }
            register_set(request == PTRACE_SETREGSET, thread, UserPtr::new(at))?;
        }
        _ => return Err(Errno::EIO),
    }
    Ok(())
}

/// Reads or writes as much of the registers as the vector has room for, and says how much that was.
fn register_set(is_set: bool, thread: &Thread, vector: UserPtr<Iovec>) -> Result<(), Errno> {
    let mut iovec = vector.read()?;
    let len = usize::try_from(iovec.iov_len).unwrap_or(usize::MAX).min(size_of::<UserRegsStruct>());
    if !iovec.iov_len.is_multiple_of(WORD as u64) {
        return Err(Errno::EINVAL);
    }
    let mut regs = at_stop(thread, |stop| Ok(registers(stop)))?;
    if is_set {
        hal::user::copy_in(&mut regs.as_mut_bytes()[..len], iovec.iov_base as usize)?;
        at_stop(thread, |stop| set_registers(stop, &regs))?;
    } else {
        hal::user::copy_out(iovec.iov_base as usize, &regs.as_bytes()[..len])?;
    }
    iovec.iov_len = len as u64;
    vector.write(&iovec)?;
    Ok(())
}

fn registers(stop: &Stop) -> UserRegsStruct {
    to_user_regs(&stop.regs, stop.bases)
}

/// # Errors
/// `EIO`: a base of FS or GS that no program can have.
fn set_registers(stop: &mut Stop, regs: &UserRegsStruct) -> Result<(), Errno> {
    let (regs, bases) = from_user_regs(regs);
    if bases.iter().any(|&base| base >= hal::USER_END) {
        return Err(Errno::EIO);
    }
    (stop.regs, stop.bases) = (regs, bases);
    Ok(())
}

/// Checks an offset into `struct user`.
fn user_offset(addr: usize) -> Result<usize, Errno> {
    let is_inside = addr.is_multiple_of(WORD) && (addr as u64) < USER_SIZE;
    is_inside.then_some(addr).ok_or(Errno::EIO)
}

fn memory(thread: &Thread) -> Result<Arc<AddressSpace>, Errno> {
    let user = thread.user.as_ref().ok_or(Errno::ESRCH)?;
    user.process.try_address_space().ok_or(Errno::ESRCH)
}

/// Reads or replaces the signals a thread blocks; `size` is that of the set.
fn mask(request: u32, thread: &Arc<Thread>, size: usize, at: usize) -> Result<(), Errno> {
    if size != SIGSET_SIZE {
        return Err(Errno::EINVAL);
    }
    let user = thread.user.as_ref().ok_or(Errno::ESRCH)?;
    let set = UserPtr::<SigSet>::new(at);
    if request == PTRACE_GETSIGMASK {
        set.write(&user.blocked())?;
    } else {
        let wanted = set.read()?;
        delivery::change_blocked(thread, user, |_| wanted);
    }
    Ok(())
}

/// What `PTRACE_GET_SYSCALL_INFO` tells, and how many of its bytes count.
fn call_info(stop: &Stop) -> (SyscallInfo, usize) {
    let regs = &stop.regs;
    let mut info = SyscallInfo {
        op: PTRACE_SYSCALL_INFO_NONE,
        arch: AUDIT_ARCH_X86_64,
        instruction_pointer: regs.rip,
        stack_pointer: regs.rsp,
        ..SyscallInfo::default()
    };
    match stop.cause {
        Cause::CallBegins => {
            info.op = PTRACE_SYSCALL_INFO_ENTRY;
            info.nr = regs.orig_rax;
            info.args = [regs.rdi, regs.rsi, regs.rdx, regs.r10, regs.r8, regs.r9];
            (info, 80)
        }
        Cause::CallEnds => {
            info.op = PTRACE_SYSCALL_INFO_EXIT;
            info.nr = regs.rax;
            info.args[0] = u64::from((-4095..0).contains(&regs.rax.cast_signed()));
            (info, 33)
        }
        _ => (info, 24),
    }
}
