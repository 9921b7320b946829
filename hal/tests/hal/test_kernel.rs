//! A kernel just large enough for this crate's own tests: first-fit frames, round-robin threads, a few system calls.

use core::alloc::Layout;
use core::fmt;
use core::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};

use hal::addr::FrameNumber;
use hal::boot::{self, BootInfo};
use hal::error::Error;
use hal::frame::Frame;
use hal::heap::{LiveBlock, Slot};
use hal::paging::{PageFlags, PageTable};
use hal::task::{self, HasTask, SyscallFrame, Task, UserRegs, Work};
use hal::upcall::{Kernel, PageFault, UserException};

pub(crate) struct TestKernel;

hal::entry!(TestKernel);

/// A thread: its task, and its address space if it is a user's.
pub(crate) struct TestThread {
    task: Task,
    pub(crate) table: Option<Mutex<PageTable>>,
    /// What `exit_to_user` is to do for a system call that needs all registers.
    pub(crate) deferred: AtomicUsize,
}

impl HasTask for TestThread {
    fn task(&self) -> &Task {
        &self.task
    }
}

impl TestThread {
    pub(crate) fn new(task: Task) -> Arc<Self> {
        Arc::new(Self { task, table: None, deferred: AtomicUsize::new(0) })
    }

    pub(crate) fn spawn(entry: impl FnOnce() + Send + 'static) -> Arc<Self> {
        Self::new(Task::new(16384, Box::new(entry)).unwrap())
    }

    pub(crate) fn user(table: PageTable, regs: UserRegs) -> Arc<Self> {
        let task = Task::new(16384, Box::new(move || task::enter_user(&regs))).unwrap();
        task.set_space(Some(table.space()));
        Arc::new(Self { task, table: Some(Mutex::new(table)), deferred: AtomicUsize::new(0) })
    }
}

hal::machine_static! {
    /// Threads that can run.
    static READY: Mutex<VecDeque<Arc<TestThread>>> = Mutex::new(VecDeque::new());
    /// Frames that were freed, in order, as (first, order).
    pub(crate) static FREED: Mutex<Vec<(FrameNumber, u8)>> = Mutex::new(Vec::new());
    /// What interrupts and threads report.
    pub(crate) static LOG: Mutex<Vec<&'static str>> = Mutex::new(Vec::new());
    /// Signal handlers' return points: registers to go back to.
    static INTERRUPTED: Mutex<BTreeMap<usize, UserRegs>> = Mutex::new(BTreeMap::new());
    pub(crate) static HANDLER: AtomicUsize = AtomicUsize::new(0);
}

/// Allocates a block of frames, the lowest that is free.
pub(crate) fn frame(order: u8) -> Frame {
    TestKernel::alloc_frames(order).expect("a free frame")
}

pub(crate) fn log(text: &'static str) {
    LOG.lock().unwrap().push(text);
}

pub(crate) fn ready(thread: Arc<TestThread>) {
    READY.lock().unwrap().push_back(thread);
}

/// Runs the next thread; the current one stays ready.
pub(crate) fn yield_now() {
    ready(task::current::<TestThread>().arc());
    block();
}

/// Runs the next thread; somebody else has to make this one ready again.
pub(crate) fn block() {
    loop {
        let next = READY.lock().unwrap().pop_front();
        if let Some(next) = next {
            return task::switch_to(next);
        }
        hal::cpu::wait_for_interrupt();
    }
}

/// Tells whether no thread waits for a CPU.
pub(crate) fn is_idle() -> bool {
    READY.lock().unwrap().is_empty()
}

pub(crate) const SYS_ADD: u64 = 1000;
pub(crate) const SYS_LOG: u64 = 1001;
pub(crate) const SYS_RAISE: u64 = 1002;
const SYS_SIGRETURN: u64 = 15;
const SYS_FORK: u64 = 57;
const SYS_EXIT: u64 = 231;

impl Kernel for TestKernel {
    type Thread = TestThread;

    fn boot(info: BootInfo) -> ! {
        log("boot");
        assert_eq!(info.command_line, b"quiet");
        if let Some(module) = &info.initramfs {
            assert_eq!(module.bytes(), b"initramfs");
        }
        drop(info);
        task::adopt_boot(TestThread::new);
        hal::irq::enable();
        hal::cpu::start_secondaries(usize::MAX);
        let deadline = hal::time::now_ns() + 1_000_000_000;
        hal::time::set_deadline(Some(deadline));
        hal::cpu::wait_for_interrupt();
        assert!(hal::time::now_ns() >= deadline);
        hal::cpu::power_off()
    }

    fn secondary_boot() -> ! {
        task::adopt_boot(TestThread::new);
        loop {
            hal::cpu::wait_for_interrupt();
        }
    }

    fn alloc_frames(order: u8) -> Option<Frame> {
        for range in boot::memory_regions() {
            let mut at = range.start.get().next_multiple_of(1 << order);
            while at + (1 << order) <= range.end.get() {
                match Frame::claim(FrameNumber::new(at), order) {
                    Ok(frame) => return Some(frame),
                    Err(Error::OutOfMemory) => return None,
                    Err(_) => at += 1 << order,
                }
            }
        }
        None
    }

    fn free_frames(first: FrameNumber, order: u8) {
        FREED.lock().unwrap().push((first, order));
    }

    fn heap_alloc(_: Layout) -> Option<Slot> {
        None
    }

    fn heap_free(_: Slot) {}

    fn heap_may_resize() -> bool {
        true
    }

    fn heap_resize(_: &mut LiveBlock, _: Layout, _: Layout) {}

    fn syscall(frame: &mut SyscallFrame) -> isize {
        match frame.number() {
            SYS_ADD => (0..6).map(|i| frame.arg(i) as isize).sum(),
            SYS_LOG => {
                let mut text = [0; 32];
                let len = hal::user::read_cstr(frame.arg(0) as usize, &mut text);
                match len {
                    Ok(Some(len)) => {
                        log(Box::leak(String::from_utf8_lossy(&text[..len]).into_owned().into_boxed_str()));
                        len as isize
                    }
                    Ok(None) => -36,
                    Err(_) => -14,
                }
            }
            number @ (SYS_FORK | SYS_EXIT | SYS_SIGRETURN | SYS_RAISE) => {
                let current = task::current::<TestThread>();
                current.deferred.store(number as usize, Ordering::Relaxed);
                current.task().raise(Work::FULL_FRAME);
                0
            }
            _ => -38,
        }
    }

    fn exit_to_user(regs: &mut UserRegs, work: Work) {
        let current = task::current::<TestThread>();
        current.task().lower(work);
        if !work.contains(Work::FULL_FRAME) {
            return;
        }
        match current.deferred.load(Ordering::Relaxed) as u64 {
            SYS_FORK => {
                let mut child = PageTable::new().unwrap();
                let mut flush = hal::paging::TlbFlush::new();
                let mut parent = current.table.as_ref().unwrap().lock().unwrap();
                let all = 0..hal::USER_END;
                parent.fork_range(&mut child, all, &mut flush, |_| ()).unwrap();
                flush.finish();
                let thread = TestThread::user(child, UserRegs { rax: 0, ..*regs });
                thread.task().copy_fpu_from_current();
                ready(thread);
                regs.rax = 1;
            }
            SYS_RAISE => deliver(regs),
            SYS_SIGRETURN => {
                let key = current.task() as *const Task as usize;
                *regs = INTERRUPTED.lock().unwrap().remove(&key).expect("inside a handler");
            }
            _ => {
                log("exit");
                block();
            }
        }
    }

    fn page_fault(fault: &PageFault) -> Result<(), Error> {
        let current = task::try_current::<TestThread>().ok_or(Error::Fault)?;
        let table = current.table.as_ref().ok_or(Error::Fault)?;
        let mut table = table.lock().unwrap();
        let page = hal::addr::page_floor(fault.address);
        let mut flush = hal::paging::TlbFlush::new();
        match table.get(page) {
            // Anonymous memory between 1 MiB and 2 MiB.
            None if (0x10_0000..0x20_0000).contains(&page) => {
                let frame = TestKernel::alloc_frames(0).ok_or(Error::OutOfMemory)?;
                frame.zero();
                table.map(page, frame, PageFlags::USER)
            }
            Some((frame, flags)) if flags.contains(PageFlags::COPY_ON_WRITE) => {
                drop(frame.clone());
                let shared = frame.ref_count() > 2;
                if !shared {
                    drop(frame);
                    return if table.cow_reuse(page) { Ok(()) } else { Err(Error::Fault) };
                }
                let copy = TestKernel::alloc_frames(0).ok_or(Error::OutOfMemory)?;
                copy.copy_from(&frame);
                table.replace(page, copy, PageFlags::USER, &mut flush)
            }
            _ => Err(Error::Fault),
        }
    }

    fn user_exception(exception: &UserException, regs: &mut UserRegs) {
        log(if exception.vector == 14 { "segv" } else { "exception" });
        if HANDLER.load(Ordering::Relaxed) != 0 {
            return deliver(regs);
        }
        block();
    }

    fn timer_interrupt() {
        log("timer");
    }

    fn reschedule_interrupt() {
        log("reschedule");
    }

    fn mutex_wait(word: &AtomicU32, expected: u32) {
        while word.load(Ordering::Relaxed) == expected {
            match task::try_current::<TestThread>() {
                Some(_) => yield_now(),
                None => std::thread::yield_now(),
            }
        }
    }

    fn mutex_wake(_: &AtomicU32, _: usize) {}

    fn panic_begin() {}

    fn panic_report(_: &mut dyn fmt::Write) {}

    fn panic_timeout() -> Option<i32> {
        None
    }
}

/// Makes the handler run next.
fn deliver(regs: &mut UserRegs) {
    let key = task::current::<TestThread>().task() as *const Task as usize;
    INTERRUPTED.lock().unwrap().insert(key, *regs);
    regs.rip = HANDLER.load(Ordering::Relaxed) as u64;
}
