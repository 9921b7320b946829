//! Which system calls a thread may make (seccomp(2)).
//!
//! A thread that is confined is [watched](super::watch): [`check`] is asked before each of its calls. Filters form a chain,
//! the newest first, of which children share what their parents had.

mod bpf;

use alloc::sync::Arc;

use linux_abi::cap::CAP_SYS_ADMIN;
use linux_abi::errno::Errno;
use linux_abi::nr;
use linux_abi::seccomp::*;
use linux_abi::siginfo::SigInfo;
use linux_abi::signal::Signal;
use linux_abi::wait;

use hal::task::UserRegs;

use self::bpf::Program;
use super::watch::{self, Watchers};
use super::{UserThread, exit, signal};
use crate::scheduler::Thread;
use crate::syscall::Context;

/// Instructions of a chain at most; each filter counts for some more.
const MAX_IN_CHAIN: usize = 1 << 15;
const FILTER_COST: usize = 4;
/// The largest error that a filter can answer.
const MAX_ERRNO: u32 = 4095;

/// How a thread is confined.
#[derive(Clone, Default)]
pub struct Confinement {
    /// `SECCOMP_MODE_*`.
    pub mode: u32,
    filter: Option<Arc<Filter>>,
}

/// A filter and those that were there before.
pub struct Filter {
    program: Program,
    is_logged: bool,
    older: Option<Arc<Filter>>,
    /// Filters in the chain, and what they cost.
    count: usize,
    cost: usize,
}

impl Drop for Filter {
    /// Lets go of the chain one by one: a long one must not become a deep recursion.
    fn drop(&mut self) {
        let mut next = self.older.take();
        while let Some(filter) = next {
            next = Arc::into_inner(filter).and_then(|mut filter| filter.older.take());
        }
    }
}

impl Confinement {
    /// Number of filters.
    pub fn filters(&self) -> usize {
        self.filter.as_ref().map_or(0, |filter| filter.count)
    }

    /// Whether one who is confined as `other` may be confined as this: its filters are among these.
    fn continues(&self, other: &Self) -> bool {
        if other.mode == SECCOMP_MODE_DISABLED {
            return true;
        }
        let Some(wanted) = other.filter.as_ref().filter(|_| other.mode == SECCOMP_MODE_FILTER) else {
            return false;
        };
        let mut at = self.filter.as_ref();
        while let Some(filter) = at {
            if Arc::ptr_eq(filter, wanted) {
                return true;
            }
            at = filter.older.as_ref();
        }
        false
    }

    /// What the filters answer about a call: the gravest answer, of the newest filter among equals; and whether that
    /// filter's answers are noted.
    fn ask(&self, data: &SeccompData) -> (u32, bool) {
        let action = |answer: u32| (answer & SECCOMP_RET_ACTION_FULL).cast_signed();
        let (mut gravest, mut is_logged) = (SECCOMP_RET_ALLOW, false);
        let mut at = self.filter.as_ref();
        while let Some(filter) = at {
            let answer = filter.program.run(data);
            if action(answer) < action(gravest) {
                (gravest, is_logged) = (answer, filter.is_logged);
            }
            at = filter.older.as_ref();
        }
        (gravest, is_logged)
    }
}

/// Goes to strict mode: read, write, exit and rt_sigreturn are served.
///
/// # Errors
/// `EINVAL`: filters are in force.
pub fn confine_strictly(cx: &Context) -> Result<(), Errno> {
    let mut own = cx.user().confinement.lock();
    if own.mode == SECCOMP_MODE_FILTER {
        return Err(Errno::EINVAL);
    }
    own.mode = SECCOMP_MODE_STRICT;
    drop(own);
    watch::add(cx.thread(), Watchers::SECCOMP);
    Ok(())
}

/// Whether the caller may add a filter.
///
/// # Errors
/// `EACCES`: it could execute programs that gain rights, and is not privileged.
pub fn check_may_filter(cx: &Context) -> Result<(), Errno> {
    let who = cx.credentials();
    if who.no_new_privs || who.has(CAP_SYS_ADMIN) { Ok(()) } else { Err(Errno::EACCES) }
}

/// Adds a filter, with `SECCOMP_FILTER_FLAG_TSYNC` for all threads of the process. Returns the id of a thread that cannot
/// follow, if there is one; nothing is added then.
///
/// # Errors
/// `EINVAL`: not a filter; the thread is in strict mode. `ENOMEM`: too long a chain.
pub fn add_filter(cx: &Context, program: &[SockFilter], flags: u32) -> Result<Option<i32>, Errno> {
    let program = Program::check(program)?;
    let user = cx.user();
    let old = user.confinement.lock().clone();
    if old.mode == SECCOMP_MODE_STRICT {
        return Err(Errno::EINVAL);
    }
    let older_cost = old.filter.as_ref().map_or(0, |filter| filter.cost);
    let own_cost = program.cost();
    if older_cost + own_cost > MAX_IN_CHAIN {
        return Err(Errno::ENOMEM);
    }
    let cost = older_cost + own_cost + FILTER_COST;
    crate::memory::reserve::check(size_of::<Filter>())?;
    let syncs = flags & SECCOMP_FILTER_FLAG_TSYNC != 0;
    let mut stranger = None;
    if syncs {
        cx.process().for_each_thread(|thread| {
            let confinement = thread.user.as_ref().map(|user| user.confinement.lock().clone());
            if thread.tid() != cx.thread().tid() && confinement.is_some_and(|other| !old.continues(&other)) {
                stranger = Some(thread.tid());
            }
        });
    }
    if stranger.is_some() {
        return Ok(stranger);
    }
    let count = old.filters() + 1;
    let is_logged = flags & SECCOMP_FILTER_FLAG_LOG != 0;
    let filter = Arc::new(Filter { program, is_logged, older: old.filter, count, cost });
    let new = Confinement { mode: SECCOMP_MODE_FILTER, filter: Some(filter) };
    apply(cx.thread(), user, &new);
    if syncs {
        let keeps_privileges = !cx.credentials().no_new_privs;
        cx.process().for_each_thread(|thread| {
            let Some(other) = thread.user.as_ref().filter(|_| thread.tid() != cx.thread().tid()) else {
                return;
            };
            if !keeps_privileges && !other.credentials().no_new_privs {
                let mut credentials = (*other.credentials()).clone();
                credentials.no_new_privs = true;
                other.set_credentials(credentials);
            }
            apply(thread, other, &new);
        });
    }
    Ok(None)
}

fn apply(thread: &Thread, user: &UserThread, confinement: &Confinement) {
    let old = core::mem::replace(&mut *user.confinement.lock(), confinement.clone());
    drop(old);
    watch::add(thread, Watchers::SECCOMP);
}

/// Confines `child` as `parent` is. Called when the child is in the list of its process, so that none is forgotten when
/// all are to be confined.
pub fn inherit(parent: &UserThread, child: &UserThread) {
    let confinement = parent.confinement.lock().clone();
    if confinement.mode != SECCOMP_MODE_DISABLED {
        *child.confinement.lock() = confinement;
    }
}

/// Asks whether the call in `regs` is served; if not, what is to happen has, and what the program is to find in `rax` is
/// there.
pub fn check(cx: &Context, regs: &mut UserRegs) -> bool {
    let confinement = cx.user().confinement.lock().clone();
    let number = regs.orig_rax as u32 as i32;
    match confinement.mode {
        SECCOMP_MODE_STRICT => {
            const SERVED: [usize; 4] = [nr::READ, nr::WRITE, nr::EXIT, nr::RT_SIGRETURN];
            let is_served = SERVED.iter().any(|&served| served as i32 == number);
            if !is_served {
                exit::exit_current(&cx.thread_arc(), cx.user(), wait::status_killed(Signal::SIGKILL, false));
            }
            is_served
        }
        SECCOMP_MODE_FILTER => filter(cx, regs, &confinement, number),
        _ => true,
    }
}

fn filter(cx: &Context, regs: &mut UserRegs, confinement: &Confinement, number: i32) -> bool {
    let data = SeccompData {
        nr: number,
        arch: AUDIT_ARCH_X86_64,
        instruction_pointer: regs.rip,
        args: [regs.rdi, regs.rsi, regs.rdx, regs.r10, regs.r8, regs.r9],
    };
    let (answer, is_logged) = confinement.ask(&data);
    let (action, detail) = (answer & SECCOMP_RET_ACTION_FULL, answer & SECCOMP_RET_DATA);
    if is_logged && action != SECCOMP_RET_ALLOW || action == SECCOMP_RET_LOG {
        log::info!("seccomp: pid {} call {number}: {action:#x}", cx.process().pid);
    }
    match action {
        SECCOMP_RET_ALLOW | SECCOMP_RET_LOG => return true,
        SECCOMP_RET_ERRNO => regs.rax = i64::from(detail.min(MAX_ERRNO)).wrapping_neg().cast_unsigned(),
        SECCOMP_RET_TRAP => {
            // As if the call had not been made; the handler decides.
            regs.rax = regs.orig_rax;
            let info = SigInfo::seccomp(regs.rip, number, AUDIT_ARCH_X86_64, detail as i32);
            signal::send::force_fault(&cx.thread_arc(), info);
        }
        // Nobody listens, and nobody traces.
        SECCOMP_RET_USER_NOTIF | SECCOMP_RET_TRACE => {
            regs.rax = i64::from(Errno::ENOSYS.number()).wrapping_neg().cast_unsigned();
        }
        _ => {
            let status = wait::status_killed(Signal::SIGSYS, false);
            if action == SECCOMP_RET_KILL_THREAD && cx.process().thread_count() > 1 {
                exit::exit_current(&cx.thread_arc(), cx.user(), status);
            } else {
                exit::begin_group_exit(cx.process(), status);
            }
        }
    }
    false
}
