//! The calls of `hal` for unit tests, as long as the kernel as a whole cannot be linked: memory works, threads do not.

use core::alloc::Layout;
use core::fmt;
use core::sync::atomic::AtomicU32;

use hal::Error;
use hal::addr::FrameNumber;
use hal::boot::BootInfo;
use hal::frame::Frame;
use hal::heap::Slot;
use hal::task::{HasTask, SyscallFrame, Task, UserRegs, Work};
use hal::upcall::{Kernel, PageFault, UserException};

use crate::memory::heap::hybrid_allocator;
use crate::memory::physical::buddy_allocator;

struct UnitTest;

hal::entry!(UnitTest);

struct NoThread(Task);

impl HasTask for NoThread {
    fn task(&self) -> &Task {
        &self.0
    }
}

impl Kernel for UnitTest {
    type Thread = NoThread;

    fn boot(_: BootInfo) -> ! {
        panic!("a unit test does not boot")
    }

    fn secondary_boot() -> ! {
        panic!("a unit test does not boot")
    }

    fn alloc_frames(order: u8) -> Option<Frame> {
        buddy_allocator::alloc_block(order)
    }

    fn free_frames(first: FrameNumber, order: u8) {
        buddy_allocator::free_block(first, order);
    }

    fn heap_alloc(layout: Layout) -> Option<Slot> {
        hybrid_allocator::alloc(layout)
    }

    fn heap_free(slot: Slot) {
        hybrid_allocator::free(slot);
    }

    fn syscall(_: &mut SyscallFrame) -> isize {
        panic!("a unit test makes no system calls")
    }

    fn exit_to_user(_: &mut UserRegs, _: Work) {}

    fn page_fault(_: &PageFault) -> Result<(), Error> {
        Err(Error::Fault)
    }

    fn user_exception(_: &UserException, _: &mut UserRegs) {}

    fn timer_interrupt() {}

    fn reschedule_interrupt() {}

    fn mutex_wait(_: &AtomicU32, _: u32) {
        core::hint::spin_loop();
    }

    fn mutex_wake(_: &AtomicU32, _: usize) {}

    fn panic_report(_: &mut dyn fmt::Write) {}

    fn panic_timeout() -> Option<i32> {
        None
    }
}
