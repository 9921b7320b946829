//! User programs as Rust functions.
//!
//! A program has an address, which the kernel sees as its instruction pointer. While a program is in a system call its
//! instruction pointer is a *return address* that belongs to the call; the call returns once the kernel leaves the
//! pointer there. If the kernel moved it (exec, a signal handler), the program at the new address runs nested. A handler
//! comes back by `rt_sigreturn`, which puts the pointer back; what the handler still had on its Rust stack is unwound.
//! A program that returns does what `ret` does: takes an address from its stack. If that is no program, it exits with 0.

use std::boxed::Box;
use std::mem::MaybeUninit;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::vec::Vec;

use zerocopy::{FromBytes, Immutable, IntoBytes};

use super::irq;
use super::machine::{lock, machine};
use super::memory;
use super::mmu::with_page;
use super::task;
use crate::addr::{PAGE_SIZE, USER_END};
use crate::task::{SyscallFrame, Task, UserRegs, Work};
use crate::upcall::{Access, UserException, bound};

/// Address of the first program; each has 16 bytes.
const PROGRAMS: u64 = 0x2000_0000_0000;
/// Return address of a system call at nesting depth 0; each depth has 16 bytes.
const RETURNS: u64 = 0x2100_0000_0000;
/// Length of the SYSCALL instruction: the kernel goes back by this much to restart a call.
const SYSCALL_LEN: u64 = 2;
/// What a system call costs on the virtual clock.
const SYSCALL_NS: u64 = 500;

const SYS_FORK: u64 = 57;
const SYS_EXIT_GROUP: u64 = 231;
const SIGSEGV_VECTOR: u8 = 14;

type Shared = Arc<dyn Fn(&mut SimUser) + Send + Sync>;
type Single = Box<dyn FnOnce(&mut SimUser) + Send>;

enum Body {
    Shared(Shared),
    Once(Option<Single>),
}

/// The programs of a machine.
#[derive(Default)]
pub(crate) struct Programs(Vec<Body>);

fn register(body: Body) -> u64 {
    let mut programs = lock(&machine().programs);
    programs.0.push(body);
    PROGRAMS + 16 * (programs.0.len() as u64 - 1)
}

/// Registers a user program with the current machine and returns its address, for `UserRegs.rip`, an ELF file's entry
/// point or a signal handler.
pub fn program(body: impl Fn(&mut SimUser) + Send + Sync + 'static) -> usize {
    register(Body::Shared(Arc::new(body))) as usize
}

/// Finds the program at an address; one made for a single run is gone then.
fn find(rip: u64) -> Option<Single> {
    let index = rip.checked_sub(PROGRAMS).filter(|offset| offset % 16 == 0)? / 16;
    match lock(&machine().programs).0.get_mut(index as usize)? {
        Body::Shared(body) => {
            let body = body.clone();
            Some(Box::new(move |user: &mut SimUser| body(user)))
        }
        Body::Once(body) => body.take(),
    }
}

/// Payload of the unwinding that abandons a program whose instruction pointer was moved.
struct Moved;

/// A simulated program's view of its CPU.
#[derive(Debug)]
pub struct SimUser {
    regs: UserRegs,
    depth: u64,
}

/// Runs user mode from these registers on.
pub(super) fn run_for_ever(regs: UserRegs) -> ! {
    let mut user = SimUser { regs, depth: 0 };
    user.leave_kernel();
    user.run();
    unreachable!("a program at depth 0 has nowhere to return to");
}

impl SimUser {
    /// Performs a system call and returns the content of rax. Does not return from `exit`, nor from a successful
    /// `execve`.
    pub fn syscall(&mut self, number: u64, args: [u64; 6]) -> isize {
        let here = self.begin();
        let regs = &mut self.regs;
        (regs.rdi, regs.rsi, regs.rdx) = (args[0], args[1], args[2]);
        (regs.r10, regs.r8, regs.r9) = (args[3], args[4], args[5]);
        regs.rax = number;
        loop {
            super::time::busy_wait_ns(SYSCALL_NS);
            self.regs.orig_rax = self.regs.rax;
            self.regs.rcx = self.regs.rip;
            self.regs.r11 = self.regs.rflags;
            let result = bound::syscall(SyscallFrame::of(&mut self.regs));
            self.regs.rax = result as u64;
            self.leave_kernel();
            self.run_to(here);
            if self.regs.rip == here {
                break;
            }
            // Rewound: rax holds the number again.
            self.regs.rip = here;
        }
        self.depth -= 1;
        self.regs.rax as isize
    }

    /// Forks by system call 57; the child runs `child`. Returns what fork returned.
    pub fn fork(&mut self, child: impl FnOnce(&mut SimUser) + Send + 'static) -> isize {
        self.syscall_with_child(SYS_FORK, [0; 6], child)
    }

    /// Performs a system call that makes a child starting where this program is (fork, vfork, clone); the child runs
    /// `child` with the registers that the kernel gave it.
    pub fn syscall_with_child(
        &mut self,
        number: u64,
        args: [u64; 6],
        child: impl FnOnce(&mut SimUser) + Send + 'static,
    ) -> isize {
        // The kernel copies this address into the child's registers.
        let address = register(Body::Once(Some(Box::new(child))));
        let here = self.begin();
        let regs = &mut self.regs;
        (regs.rdi, regs.rsi, regs.rdx) = (args[0], args[1], args[2]);
        (regs.r10, regs.r8, regs.r9) = (args[3], args[4], args[5]);
        (regs.rax, regs.rip) = (number, address);
        loop {
            self.regs.orig_rax = self.regs.rax;
            let result = bound::syscall(SyscallFrame::of(&mut self.regs));
            self.regs.rax = result as u64;
            self.leave_kernel();
            if self.regs.rip == address {
                self.regs.rip = here;
            } else if self.regs.rip == address - SYSCALL_LEN {
                self.regs.rip = address;
                continue;
            }
            self.run_to(here);
            break;
        }
        self.depth -= 1;
        self.regs.rax as isize
    }

    /// Loads a value from user memory, through page faults.
    pub fn load<T: FromBytes>(&mut self, addr: usize) -> T {
        let mut value = MaybeUninit::<T>::zeroed();
        self.access(addr, size_of::<T>(), Access::Read, |pointer, done, n| {
            // SAFETY: `n` bytes from the page, to the `done`-th byte of a value that has at least `done + n`.
            unsafe { memory::copy(value.as_mut_ptr().cast::<u8>().wrapping_add(done), pointer, n) }
        });
        // SAFETY: zeroed, then overwritten by bytes; any bytes are a valid `T`.
        unsafe { value.assume_init() }
    }

    /// Stores a value into user memory, through page faults.
    pub fn store<T: IntoBytes + Immutable + ?Sized>(&mut self, addr: usize, value: &T) {
        let bytes = value.as_bytes();
        self.access(addr, bytes.len(), Access::Write, |pointer, done, n| {
            // SAFETY: `n` bytes of `bytes` from `done` on, to the page.
            unsafe { memory::copy(pointer, bytes[done..].as_ptr(), n) }
        });
    }

    /// Loads bytes from user memory.
    pub fn load_bytes(&mut self, addr: usize, len: usize) -> Vec<u8> {
        (0..len).map(|i| self.load::<u8>(addr + i)).collect()
    }

    /// Stores bytes below the stack pointer, moves it there, aligned to 16, and returns the address.
    pub fn push(&mut self, bytes: &[u8]) -> usize {
        let addr = (self.regs.rsp as usize).wrapping_sub(bytes.len()) & !15;
        self.regs.rsp = addr as u64;
        self.store(addr, bytes);
        addr
    }

    /// Stores a string with a NUL on the stack and returns its address.
    pub fn push_str(&mut self, text: &str) -> usize {
        let mut bytes = text.as_bytes().to_vec();
        bytes.push(0);
        self.push(&bytes)
    }

    /// Computes for this long: time passes, interrupts come.
    pub fn compute_ns(&mut self, ns: u64) {
        let here = self.begin();
        // Only interrupt handlers run before the flag is cleared, so the CPU stays the same.
        let in_user = &machine().cpu().in_user;
        in_user.store(true, Ordering::Relaxed);
        super::time::busy_wait_ns(ns);
        in_user.store(false, Ordering::Relaxed);
        self.leave_kernel();
        self.run_to(here);
        self.depth -= 1;
    }

    /// Raises an exception, as the instruction of this vector would.
    pub fn exception(&mut self, vector: u8) {
        let here = self.begin();
        self.raise(UserException { vector, error_code: 0, address: here as usize });
        self.run_to(here);
        self.depth -= 1;
    }

    /// Returns the registers.
    pub fn regs(&self) -> &UserRegs {
        &self.regs
    }

    /// Returns the registers, to be changed between system calls.
    pub fn regs_mut(&mut self) -> &mut UserRegs {
        &mut self.regs
    }

    /// Sets the simulated floating-point state.
    pub fn set_fpu(&mut self, value: u64) {
        current_task().context().set_fpu(value);
    }

    /// Returns the simulated floating-point state.
    pub fn fpu(&self) -> u64 {
        current_task().context().fpu()
    }

    /// Opens a nesting level: the instruction pointer is its return address, which the result names.
    fn begin(&mut self) -> u64 {
        let here = RETURNS + 16 * self.depth + SYSCALL_LEN;
        self.depth += 1;
        self.regs.rip = here;
        here
    }

    /// Does what the exit path of the kernel does.
    fn leave_kernel(&mut self) {
        irq::restore(true);
        loop {
            irq::deliver();
            let work = current_task().work().difference(Work::WATCHED);
            if work.is_empty() {
                break;
            }
            bound::exit_to_user(&mut self.regs, work);
        }
        self.regs.sanitise();
    }

    /// Runs whatever the instruction pointer points to until it is back at this level's return address, or that of a
    /// call to be restarted. If it went to an outer level's, abandons this one.
    fn run_to(&mut self, here: u64) {
        let depth = self.depth;
        while self.regs.rip != here && self.regs.rip != here - SYSCALL_LEN {
            self.run();
            if self.level() != Some(depth - 1) {
                resume_unwind(Box::new(Moved));
            }
        }
        self.depth = depth;
    }

    /// Returns the level that the instruction pointer is the return address of.
    fn level(&self) -> Option<u64> {
        let level = self.regs.rip.checked_sub(RETURNS)? / 16;
        (level < self.depth).then_some(level)
    }

    /// Runs programs until the instruction pointer is a return address of a level that is open.
    fn run(&mut self) {
        let depth = self.depth;
        loop {
            self.depth = depth;
            if self.level().is_some() {
                return;
            }
            match find(self.regs.rip) {
                Some(body) => match catch_unwind(AssertUnwindSafe(|| body(self))) {
                    Ok(()) => self.ret(),
                    Err(payload) if payload.is::<Moved>() => {}
                    Err(payload) => resume_unwind(payload),
                },
                None => {
                    // Nothing there that could run: the fetch faults, or meets bytes that are no simulated program.
                    let rip = self.regs.rip as usize;
                    let mapped = rip < USER_END && with_page(rip, Access::Execute, true, |_| ()).is_some();
                    let vector = if mapped { 6 } else { SIGSEGV_VECTOR };
                    self.raise(UserException { vector, error_code: 0, address: rip });
                }
            }
        }
    }

    /// Goes where the word on the stack says; without such a program, exits.
    fn ret(&mut self) {
        let rsp = self.regs.rsp as usize;
        let top = (rsp < USER_END - 8 && rsp.is_multiple_of(8))
            .then(|| with_page(rsp, Access::Read, true, |_| ()))
            .flatten()
            .map(|()| self.load::<u64>(rsp));
        match top {
            Some(address) if (PROGRAMS..RETURNS).contains(&address) => {
                self.regs.rsp += 8;
                self.regs.rip = address;
            }
            _ => {
                self.syscall(SYS_EXIT_GROUP, [0; 6]);
            }
        }
    }

    /// Accesses user memory page by page.
    fn access(
        &mut self,
        addr: usize,
        len: usize,
        access: Access,
        mut act: impl FnMut(*mut u8, usize, usize),
    ) {
        let mut done = 0;
        while done < len {
            let at = addr.wrapping_add(done);
            let n = (PAGE_SIZE - at % PAGE_SIZE).min(len - done);
            let accessed =
                at < USER_END && with_page(at, access, true, |pointer| act(pointer, done, n)).is_some();
            let here = self.begin();
            if !accessed {
                let error_code = 4 | u64::from(access == Access::Write) << 1;
                self.raise(UserException { vector: SIGSEGV_VECTOR, error_code, address: at });
                // A handler may return, to try again.
                self.run_to(here);
            } else {
                done += n;
            }
            self.depth -= 1;
        }
    }

    fn raise(&mut self, exception: UserException) {
        self.regs.orig_rax = UserRegs::NO_SYSCALL;
        bound::user_exception(&exception, &mut self.regs);
        self.leave_kernel();
    }
}

fn current_task() -> &'static Task {
    let task = task::current_task();
    assert!(!task.is_null(), "user mode needs a current thread");
    // SAFETY: the CPU owns a reference of its current thread, hence its task, while this code runs on it.
    unsafe { &*task }
}
