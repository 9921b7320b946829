//! Where `hal` meets the kernel: the calls it makes upwards, and the boot sequence.

use core::alloc::Layout;
use core::fmt;
use core::sync::atomic::AtomicU32;

use alloc::sync::Arc;

use hal::Error;
use hal::addr::FrameNumber;
use hal::boot::BootInfo;
use hal::frame::Frame;
use hal::heap::{LiveBlock, Slot};
use hal::task::{SyscallFrame, UserRegs, Work};
use hal::upcall::{Kernel, PageFault, UserException};

use crate::command_line::CommandLine;
use crate::memory::heap::{self, hybrid_allocator};
use crate::memory::physical::buddy_allocator;
use crate::process::faults;
use crate::scheduler::Thread;
use crate::{bench, drivers, fs, init, klog, memory, process, scheduler, syscall, time, uts};

/// The kernel, as `hal` knows it.
pub struct Exo;

hal::entry!(Exo);

impl Kernel for Exo {
    type Thread = Thread;

    fn boot(info: BootInfo) -> ! {
        boot(info);
        scheduler::run(memory::tend)
    }

    fn secondary_boot() -> ! {
        scheduler::run_secondary(memory::tend)
    }

    fn alloc_frames(order: u8) -> Option<Frame> {
        buddy_allocator::alloc_block(order)
    }

    fn free_frames(first: FrameNumber, order: u8) {
        buddy_allocator::free_block(first, order);
    }

    fn heap_alloc(layout: Layout) -> Option<Slot> {
        hybrid_allocator::alloc_slowly(layout)
    }

    fn heap_free(slot: Slot) {
        hybrid_allocator::free_slowly(slot);
    }

    fn heap_may_resize() -> bool {
        !heap::debug::is_enabled()
    }

    fn heap_resize(block: &mut LiveBlock, old: Layout, new: Layout) {
        hybrid_allocator::resize(block, old, new);
    }

    fn syscall(frame: &mut SyscallFrame) -> isize {
        syscall::dispatch(frame)
    }

    fn exit_to_user(regs: &mut UserRegs, work: Work) {
        process::exit_to_user(regs, work);
    }

    fn page_fault(fault: &PageFault) -> Result<(), Error> {
        faults::page_fault(fault)
    }

    fn user_exception(exception: &UserException, regs: &mut UserRegs) {
        faults::user_exception(exception, regs);
    }

    fn timer_interrupt() {
        time::clock_event::interrupt();
    }

    fn reschedule_interrupt() {
        scheduler::reschedule_interrupt();
    }

    fn mutex_wait(word: &AtomicU32, expected: u32) {
        scheduler::mutex_wait(word, expected);
    }

    fn mutex_wake(word: &AtomicU32, n: usize) {
        scheduler::mutex_wake(word, n);
    }

    fn panic_begin() {
        drivers::drain_in_panic();
    }

    fn panic_report(out: &mut dyn fmt::Write) {
        klog::report(out);
    }

    fn panic_timeout() -> Option<i32> {
        init::command_line().map(|_| init::panic_seconds())
    }
}

/// Bytes of the stack of the thread that starts process 1.
const INIT_STACK_BYTES: usize = 32 * 1024;

/// Brings the system up to the point where process 1 is ready to run; the caller's thread becomes the idle thread.
pub fn boot(info: BootInfo) {
    let checks_heap = heap::debug::is_asked_for(info.command_line) && heap::debug::enable().is_ok();
    memory::init(); // the buddy allocator takes over all free RAM; from here on there is a heap
    let line = Arc::new(CommandLine::parse(info.command_line));
    klog::init(line.log_level);
    log::info!("{}", uts::banner().trim_end());
    if checks_heap {
        log::info!("heap: red zones, poison and traces are on");
    }
    log::info!("Command line: {}", alloc::string::String::from_utf8_lossy(info.command_line));
    init::remember(info.command_line, line.clone());
    scheduler::init(); // this context becomes the idle thread of the boot CPU
    scheduler::service::start().expect("memory for the service thread"); // runs deferred timers, buries the dead
    syscall::init(); // the table of calls
    if let Some(choice) = &line.strace
        && process::watch::selection::select(choice.as_bytes()).is_err()
    {
        log::warn!("exo.strace={choice}: no such choice");
    }
    process::victims::register(); // who can be ended when memory runs out
    fs::init(); // an empty root
    process::exec::vdso::init(); // what programs read clocks through
    drivers::init(&line.consoles); // serial console, terminals
    scheduler::SCHEDULER.isolate(line.isolated_cpus); // CPUs that only threads use that ask for them
    scheduler::start_secondaries(line.max_cpus.unwrap_or(usize::MAX)); // the other CPUs enter their idle threads
    let (entry_tsc, initramfs) = (info.entry_tsc, info.initramfs);
    if line.trace_events != 0 && scheduler::trace::turn(line.trace_events).is_err() {
        log::warn!("no memory for a trace of {} events", line.trace_events);
    }
    process::start::remember_boot(entry_tsc, line.boot_report);
    let first = move || if line.bench { bench::run() } else { init::start(&line, initramfs) };
    scheduler::SCHEDULER.spawn("init", first, INIT_STACK_BYTES).expect("memory for the first thread");
}
