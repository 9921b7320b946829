//! The simulated machine's controls, for tests: exported as `hal::sim`.

use std::boxed::Box;
use std::string::String;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::vec::Vec;

pub use super::program::{SimUser, program};

use super::irq;
use super::machine::{self, Inner, NONE, current_cpu, lock};
use super::{io, memory, time};
use crate::addr::{FrameNumber, PAGE_SIZE};
use crate::boot::{BootInfo, BootModule};
use crate::cpu::{CpuId, MAX_CPUS};
use crate::heap::Slot;
use crate::irq::Irq;
use crate::paging::{self, SpaceRef};
use crate::upcall::bound;

/// What the page-table code told the MMUs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TlbEvent {
    /// A CPU forgot one page.
    Page {
        /// Which CPU.
        cpu: CpuId,
        /// The page's address.
        page: usize,
    },
    /// A CPU forgot everything.
    All {
        /// Which CPU.
        cpu: CpuId,
    },
    /// A CPU made others forget.
    Shootdown {
        /// Who asked.
        from: CpuId,
        /// Who had to forget.
        targets: Vec<CpuId>,
        /// The pages; none means everything.
        pages: Vec<usize>,
    },
}

/// How a simulation ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// [`power_off`](crate::cpu::power_off).
    PowerOff,
    /// [`reboot`](crate::cpu::reboot).
    Reboot,
    /// [`halt`](crate::cpu::halt).
    Halt,
    /// A panic in the kernel or in a simulated program, with its message.
    Panic(String),
}

/// Counts an allocation other than a claim of a frame against the limit of
/// [`Machine::fail_allocations_after`]; tells whether it may succeed.
pub fn take_allocation() -> bool {
    memory::may_claim()
}

/// A simulated machine. A thread that has built none gets a small one at first need.
#[derive(Clone, Copy)]
pub struct Machine(pub(super) &'static Inner);

impl Machine {
    /// Starts to describe a machine: 16 MiB, one CPU.
    pub fn builder() -> Builder {
        Builder {
            memory_mib: if cfg!(miri) { 4 } else { 16 },
            cpus: 1,
            command_line: Vec::new(),
            initramfs: None,
            wall_clock_ns: 1_600_000_000_000_000_000,
        }
    }

    /// Returns the machine that this thread belongs to.
    pub fn current() -> Machine {
        Machine(machine::machine())
    }

    /// Makes the calling thread belong to this machine and act for its CPU 0. For a helper thread of a test.
    pub fn enter(self) {
        machine::enter(self.0);
    }

    /// Makes the calling thread act for another CPU of its machine. Two threads must not act for one CPU at a time.
    pub fn act_as(self, cpu: CpuId) {
        assert!(cpu.index() < self.0.cpus.len(), "no such CPU");
        machine::enter(self.0);
        machine::set_current_cpu(cpu);
    }

    /// Returns what the TLBs were told since the last [`clear_tlb_log`](Self::clear_tlb_log).
    pub fn tlb_log(self) -> Vec<TlbEvent> {
        lock(&self.0.tlb_log).clone()
    }

    /// Empties the log.
    pub fn clear_tlb_log(self) {
        lock(&self.0.tlb_log).clear();
    }

    /// Moves the clock; timers that this passes interrupt their CPUs at their next look.
    pub fn advance_ns(self, ns: u64) {
        time::advance(self.0, ns);
        if core::ptr::eq(machine::machine(), self.0) {
            irq::deliver();
        }
    }

    /// Lets the next `n` allocations succeed and all later ones fail with `OutOfMemory`: claims of frames, and what is
    /// counted by [`take_allocation`].
    pub fn fail_allocations_after(self, n: u64) {
        self.0.fails_once.store(false, Ordering::SeqCst);
        self.0.claims_left.store(n, Ordering::SeqCst);
    }

    /// Lets the next `n` allocations succeed, the one after them fail, and all later ones succeed.
    pub fn fail_one_allocation_after(self, n: u64) {
        self.0.fails_once.store(true, Ordering::SeqCst);
        self.0.claims_left.store(n, Ordering::SeqCst);
    }

    /// Tells whether the failure of [`fail_one_allocation_after`](Self::fail_one_allocation_after) is yet to come.
    pub fn is_failure_to_come(self) -> bool {
        self.0.claims_left.load(Ordering::SeqCst) != NONE
    }

    /// Lifts the limit of [`fail_allocations_after`](Self::fail_allocations_after).
    pub fn allow_allocations(self) {
        self.0.claims_left.store(NONE, Ordering::SeqCst);
    }

    /// Returns the number of frames that are neither owned nor reserved.
    pub fn free_frames(self) -> usize {
        (0..self.0.frames.len()).filter(|&frame| self.0.frames.is_free(frame)).count()
    }

    /// Returns what was written to the console, polled or through the serial port.
    pub fn console_output(self) -> String {
        String::from_utf8_lossy(&lock(&self.0.console)).into_owned()
    }

    /// Lets bytes arrive at the serial port.
    pub fn type_input(self, bytes: &[u8]) {
        io::receive(self.0, bytes);
    }

    /// Raises a device's interrupt line.
    pub fn raise(self, irq: Irq) {
        irq::raise_line(self.0, irq);
        if core::ptr::eq(machine::machine(), self.0) {
            irq::deliver();
        }
    }

    /// Waits until the machine has ended.
    ///
    /// # Panics
    /// If it still runs after a minute of real time.
    pub fn wait(self) -> Outcome {
        let idle = lock(&self.0.idle);
        let limit = Duration::from_secs(60);
        let (idle, timeout) = self
            .0
            .changed
            .wait_timeout_while(idle, limit, |idle| idle.outcome.is_none())
            .unwrap_or_else(PoisonError::into_inner);
        assert!(
            !timeout.timed_out(),
            "the simulated machine does not end; console:\n{}",
            self.console_output()
        );
        match &idle.outcome {
            Some(outcome) => outcome.clone(),
            None => unreachable!("waited for it"),
        }
    }

    /// Waits until the machine has ended, panics unless it was switched off or reset, and returns the console output.
    pub fn wait_success(self) -> String {
        let outcome = self.wait();
        let output = self.console_output();
        assert!(
            matches!(outcome, Outcome::PowerOff | Outcome::Reboot),
            "the simulated machine ended with {outcome:?}; console:\n{output}"
        );
        output
    }
}

impl std::fmt::Debug for Machine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Machine({})", self.0.id)
    }
}

/// Description of a machine to be built.
#[derive(Clone, Debug)]
pub struct Builder {
    memory_mib: usize,
    cpus: usize,
    command_line: Vec<u8>,
    initramfs: Option<Vec<u8>>,
    wall_clock_ns: u64,
}

impl Builder {
    /// Sets the size of the memory.
    pub fn memory_mib(mut self, mib: usize) -> Self {
        self.memory_mib = mib;
        self
    }

    /// Sets the number of CPUs.
    pub fn cpus(mut self, n: usize) -> Self {
        assert!((1..=MAX_CPUS).contains(&n), "1 to {MAX_CPUS} CPUs");
        self.cpus = n;
        self
    }

    /// Sets the kernel command line.
    pub fn command_line(mut self, text: &str) -> Self {
        self.command_line = text.as_bytes().to_vec();
        self
    }

    /// Sets the initial RAM file system.
    pub fn initramfs(mut self, bytes: &[u8]) -> Self {
        self.initramfs = Some(bytes.to_vec());
        self
    }

    /// Sets the wall clock at boot, in nanoseconds since 1970.
    pub fn wall_clock_ns(mut self, ns: u64) -> Self {
        self.wall_clock_ns = ns;
        self
    }

    /// Builds the machine, without a running kernel, and makes the calling thread belong to it, on CPU 0.
    pub fn build(self) -> Machine {
        let machine = Inner::new(self.memory_mib << 20, self.cpus, self.wall_clock_ns);
        machine::enter(machine);
        Machine(machine)
    }

    /// As [`boot`](Self::boot), with the initial RAM file system that `make` returns: it is called when the machine
    /// exists, so that it can register programs and name them in ELF files.
    pub fn boot_with(self, make: impl FnOnce() -> Vec<u8>) -> Machine {
        let machine = self.clone().build();
        let initramfs = make();
        self.initramfs(&initramfs).boot_on(machine)
    }

    /// Builds the machine and boots the kernel on it, on a thread of its own. The calling thread belongs to the machine,
    /// for its statics and controls; it must not act for a CPU meanwhile.
    pub fn boot(self) -> Machine {
        let machine = self.clone().build();
        self.boot_on(machine)
    }

    fn boot_on(self, machine: Machine) -> Machine {
        let command_line: &'static [u8] = Box::leak(self.command_line.into_boxed_slice());
        let (cpu_count, initramfs) = (self.cpus, self.initramfs);
        let initramfs = initramfs.map(|bytes| place_module(machine.0, &bytes));
        lock(&machine.0.idle).online = 1;
        machine::spawn(machine.0, CpuId::BOOT, move || {
            irq::disable();
            let entry_tsc = crate::time::tsc();
            bound::boot(BootInfo { command_line, initramfs, entry_tsc, cpu_count, protocol: "simulated" })
        });
        machine
    }
}

/// Puts a file at the top of memory and reserves its frames.
fn place_module(machine: &'static Inner, bytes: &[u8]) -> BootModule {
    let frames = bytes.len().div_ceil(PAGE_SIZE) as u32;
    let start = machine.top.load(Ordering::Relaxed).checked_sub(frames).filter(|&start| start > 1);
    let Some(start) = start else { panic!("the initramfs does not fit into the machine's memory") };
    machine.top.store(start, Ordering::Relaxed);
    machine.frames.reserve(start as usize..(start + frames) as usize);
    let phys = FrameNumber::new(start).phys();
    // SAFETY: RAM that has just been reserved, large enough.
    unsafe { memory::copy(memory::phys_ptr(phys), bytes.as_ptr(), bytes.len()) };
    // SAFETY: reserved RAM that nothing else uses, zeroed at first and now written.
    unsafe { BootModule::new(phys, bytes.len()) }
}

/// Makes an address space the current one of this CPU, for tests of user copies without tasks.
pub fn set_space(space: &SpaceRef) {
    crate::irq::disabled(|| paging::activate(space));
}

/// Returns the CPU that the calling thread acts for.
pub fn acting_cpu() -> CpuId {
    current_cpu()
}

/// Writes a byte of the machine's memory at an address of this program, whoever owns it: what a wild pointer does.
pub fn poke(address: usize, byte: u8) {
    let memory = machine::machine().memory;
    let offset = address.wrapping_sub(memory.as_ptr() as usize);
    let shift = offset % 8 * 8;
    let change = |word: u64| Some(word & !(0xff << shift) | u64::from(byte) << shift);
    // It cannot fail: `change` always answers.
    let _ = memory[offset / 8].fetch_update(Ordering::Relaxed, Ordering::Relaxed, change);
}

/// Makes a second owner of a slot, to be freed twice: what a broken `drop` does. Only a debug mode may see it.
pub fn forge_slot(slot: &Slot) -> Slot {
    let start = core::ptr::NonNull::new(slot.addr() as *mut u8).unwrap_or(core::ptr::NonNull::dangling());
    // SAFETY: two owners break the rule of `from_ptr`, on purpose. What they share is the simulated machine's memory: atomics
    // that live as long as the machine, so that its books break and not this program's memory.
    unsafe { Slot::from_ptr(start, slot.size()) }
}
