//! The state of one simulated machine.

use core::marker::PhantomData;
use std::boxed::Box;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::vec::Vec;

use super::api::{Outcome, TlbEvent};
use super::io::Uart;
use super::paging::Tlb;
use super::program::Programs;
use crate::addr::{FrameNumber, PAGE_SIZE};
use crate::cpu::CpuId;
use crate::frame::{FrameState, FrameTable, Taken};
use crate::heap::stock::Stock;
use crate::task::Task;

/// Most statics with an instance per machine that a program can have.
const MAX_STATICS: usize = if cfg!(miri) { 64 } else { 4096 };
/// Value of a deadline that is not set, and of a budget that is not limited.
pub(super) const NONE: u64 = u64::MAX;

/// One simulated machine.
pub(crate) struct Inner {
    pub(super) id: u32,
    /// RAM from physical address 0 on.
    pub(super) memory: &'static [AtomicU64],
    pub(super) frames: FrameTable,
    /// First frame above the RAM that is left to the frame allocator.
    pub(super) top: AtomicU32,
    /// Claims of frames that still succeed; `NONE` is no limit.
    pub(super) claims_left: AtomicU64,
    /// Whether the limit is lifted once it has made a claim fail.
    pub(super) fails_once: AtomicBool,
    pub(super) cpus: Box<[Cpu]>,
    pub(super) clock_ns: AtomicU64,
    pub(super) wall_clock_ns: u64,
    pub(super) seed: AtomicU64,
    pub(super) tlb_log: Mutex<Vec<TlbEvent>>,
    pub(super) console: Mutex<Vec<u8>>,
    pub(super) uart: Mutex<Uart>,
    pub(super) unmasked: [AtomicU64; 4],
    pub(super) programs: Mutex<Programs>,
    /// What CPUs wait on while idle, and tests for the end.
    pub(super) idle: Mutex<Idle>,
    pub(super) changed: Condvar,
    /// By the index of a [`StaticKey`]; null before the first use.
    statics: Box<[AtomicPtr<()>]>,
}

/// Which CPUs run and wait.
#[derive(Default)]
pub(super) struct Idle {
    pub(super) online: usize,
    pub(super) waiting: usize,
    pub(super) outcome: Option<Outcome>,
}

/// One CPU. Two lines of the cache apart from the next, which another OS thread plays.
#[repr(align(128))]
pub(super) struct Cpu {
    pub(super) irq_enabled: AtomicBool,
    pub(super) in_interrupt: AtomicBool,
    /// A simulated program computes.
    pub(super) in_user: AtomicBool,
    /// Bits of `irq::Pending`.
    pub(super) pending: AtomicU32,
    pub(super) lines: [AtomicU64; 4],
    pub(super) deadline_ns: AtomicU64,
    /// Physical address of the root table, 0 before the first.
    pub(super) root: AtomicU64,
    pub(super) tlb: Mutex<Tlb>,
    pub(super) thread: AtomicPtr<()>,
    pub(super) task: AtomicPtr<Task>,
    /// Its free heap slots.
    pub(super) slots: Stock,
}

impl Cpu {
    fn new() -> Self {
        Self {
            irq_enabled: AtomicBool::new(true),
            in_interrupt: AtomicBool::new(false),
            in_user: AtomicBool::new(false),
            pending: AtomicU32::new(0),
            lines: Default::default(),
            deadline_ns: AtomicU64::new(NONE),
            root: AtomicU64::new(0),
            tlb: Mutex::default(),
            thread: AtomicPtr::default(),
            task: AtomicPtr::default(),
            slots: Stock::new(),
        }
    }
}

/// Index of a static of type `T` among the statics of every machine, given at its first use. No two have the same.
pub(crate) struct StaticKey<T> {
    index: AtomicUsize,
    of: PhantomData<fn() -> T>,
}

impl<T> StaticKey<T> {
    pub(crate) const fn new() -> Self {
        Self { index: AtomicUsize::new(0), of: PhantomData }
    }

    #[inline(always)]
    fn index(&self) -> usize {
        let index = self.index.load(Ordering::Relaxed);
        if index != 0 { index } else { self.give_index() }
    }

    #[cold]
    fn give_index(&self) -> usize {
        static NEXT: AtomicUsize = AtomicUsize::new(1);
        let new = NEXT.fetch_add(1, Ordering::Relaxed);
        match self.index.compare_exchange(0, new, Ordering::Relaxed, Ordering::Relaxed) {
            Ok(_) => new,
            Err(theirs) => theirs,
        }
    }
}

impl Inner {
    pub(super) fn new(memory_bytes: usize, cpus: usize, wall_clock_ns: u64) -> &'static Inner {
        static NEXT_ID: AtomicU32 = AtomicU32::new(1);
        let n_frames = memory_bytes / PAGE_SIZE;
        let states: Vec<_> = (0..n_frames).map(|_| FrameState::default()).collect();
        let taken: Vec<_> = (0..FrameTable::taken_len(n_frames)).map(|_| Taken::default()).collect();
        let machine = Inner {
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            memory: zeroed_words(n_frames * (PAGE_SIZE / 8)),
            frames: FrameTable::new(states.leak(), taken.leak()),
            top: AtomicU32::new(n_frames as u32),
            claims_left: AtomicU64::new(NONE),
            fails_once: AtomicBool::new(false),
            cpus: (0..cpus).map(|_| Cpu::new()).collect(),
            clock_ns: AtomicU64::new(1_000_000),
            wall_clock_ns,
            seed: AtomicU64::new(0x9e37_79b9_7f4a_7c15),
            tlb_log: Mutex::default(),
            console: Mutex::default(),
            uart: Mutex::default(),
            unmasked: Default::default(),
            programs: Mutex::default(),
            idle: Mutex::default(),
            changed: Condvar::new(),
            statics: (0..MAX_STATICS).map(|_| AtomicPtr::default()).collect(),
        };
        let machine: &'static Inner = Box::leak(Box::new(machine));
        // Reachable from a static, so that leak checkers see the intention.
        static ALL: Mutex<BTreeMap<u32, &'static Inner>> = Mutex::new(BTreeMap::new());
        lock(&ALL).insert(machine.id, machine);
        machine.frames.reserve(0..1);
        machine
    }

    /// Returns the CPU that this thread acts for.
    pub(super) fn cpu(&self) -> &Cpu {
        &self.cpus[current_cpu().index()]
    }

    /// Returns this machine's instance of a static, which `make` makes at the first use.
    #[inline(always)]
    pub(crate) fn static_value<T: Send + Sync + 'static>(
        &'static self,
        key: &StaticKey<T>,
        make: impl FnOnce() -> T,
    ) -> &'static T {
        let place = &self.statics[key.index()];
        // Acquire pairs with the release in `make_static`.
        let value = place.load(Ordering::Acquire).cast::<T>();
        let value = if value.is_null() { Self::make_static(place, make()) } else { value };
        // SAFETY: `make_static` put a `T` there, for this key: no other has its index. It is never freed.
        unsafe { &*value }
    }

    /// Makes `value` the instance of a static, unless another thread was faster.
    #[cold]
    fn make_static<T>(place: &AtomicPtr<()>, value: T) -> *mut T {
        let new = Box::into_raw(Box::new(value));
        let old = core::ptr::null_mut();
        match place.compare_exchange(old, new.cast(), Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => new,
            Err(theirs) => {
                // SAFETY: `new` was made here, and nobody else has seen it.
                drop(unsafe { Box::from_raw(new) });
                theirs.cast()
            }
        }
    }

    /// Ends the simulation; the first outcome counts.
    pub(super) fn finish(&self, outcome: Outcome) {
        lock(&self.idle).outcome.get_or_insert(outcome);
        self.changed.notify_all();
    }

    /// Returns the panic message of a thread of this machine, if one panicked.
    pub(super) fn panic_message(&self) -> Option<String> {
        match &lock(&self.idle).outcome {
            Some(Outcome::Panic(message)) => Some(message.clone()),
            _ => None,
        }
    }

    /// Returns the range of frames left to the frame allocator.
    pub(super) fn usable(&self) -> core::ops::Range<FrameNumber> {
        FrameNumber::new(1)..FrameNumber::new(self.top.load(Ordering::Relaxed))
    }
}

/// Allocates zeroed memory that the operating system supplies as it is touched.
fn zeroed_words(n: usize) -> &'static [AtomicU64] {
    let layout = std::alloc::Layout::from_size_align(n * 8, PAGE_SIZE)
        .unwrap_or_else(|_| panic!("machine with too much memory"));
    assert!(n != 0, "machine without memory");
    // SAFETY: the layout is not of size zero.
    let start = unsafe { std::alloc::alloc_zeroed(layout) };
    assert!(!start.is_null(), "no memory for the machine");
    // SAFETY: the allocation is zeroed, aligned, of this size, and never freed.
    unsafe { std::slice::from_raw_parts(start.cast::<AtomicU64>(), n) }
}

/// What a thread acts for: what the GS base leads to on a PC.
#[derive(Clone, Copy)]
struct Played {
    machine: &'static Inner,
    cpu: &'static Cpu,
    id: CpuId,
}

std::thread_local! {
    static PLAYED: Cell<Option<Played>> = const { Cell::new(None) };
    /// The thread was made by the machine, not by the test.
    static OWNED: Cell<bool> = const { Cell::new(false) };
}

/// Returns what this thread acts for; makes a small machine if it has none.
#[inline(always)]
fn played() -> Played {
    PLAYED.get().unwrap_or_else(play_small)
}

#[cold]
#[inline(never)]
fn play_small() -> Played {
    let machine = super::api::Machine::builder().build().0;
    Played { machine, cpu: &machine.cpus[0], id: CpuId::BOOT }
}

/// Returns the machine that this thread belongs to; makes a small one if it has none.
#[inline(always)]
pub(crate) fn machine() -> &'static Inner {
    played().machine
}

/// Returns the CPU that this thread acts for.
#[inline(always)]
pub(super) fn cpu() -> &'static Cpu {
    played().cpu
}

#[inline(always)]
pub(super) fn current_cpu() -> CpuId {
    PLAYED.get().map_or(CpuId::BOOT, |played| played.id)
}

/// Makes this thread act for another CPU of its machine.
pub(super) fn set_current_cpu(id: CpuId) {
    let machine = machine();
    PLAYED.set(Some(Played { machine, cpu: &machine.cpus[id.index()], id }));
}

/// Makes this thread belong to a machine and act for its CPU 0.
pub(super) fn enter(machine: &'static Inner) {
    PLAYED.set(Some(Played { machine, cpu: &machine.cpus[0], id: CpuId::BOOT }));
}

/// Tells whether the machine made this thread, so that nobody waits for it to return.
pub(super) fn is_owned() -> bool {
    OWNED.get()
}

/// Runs `body` as a CPU of the machine on a new OS thread. A panic ends the simulation.
pub(super) fn spawn(machine: &'static Inner, cpu: CpuId, body: impl FnOnce() + Send + 'static) {
    let run = move || {
        enter(machine);
        set_current_cpu(cpu);
        OWNED.set(true);
        if let Err(payload) = std::panic::catch_unwind(std::panic::AssertUnwindSafe(body)) {
            let text = payload.downcast_ref::<&str>().copied();
            let text = text.or_else(|| payload.downcast_ref::<String>().map(|s| &s[..]));
            machine.finish(Outcome::Panic(text.unwrap_or("panic").into()));
        }
    };
    let builder = std::thread::Builder::new().name("simulated".into()).stack_size(4 << 20);
    builder.spawn(run).unwrap_or_else(|error| panic!("no OS thread for the simulation: {error}"));
}

/// Blocks this thread for ever, once the machine has stopped or the task is dead. A test's own thread panics instead.
pub(super) fn park_for_ever(why: &str) -> ! {
    if !is_owned() {
        panic!("{why}");
    }
    loop {
        std::thread::park();
    }
}

/// Locks what a panicking test thread may have poisoned.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
