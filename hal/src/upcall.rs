//! What this crate asks of the kernel above it, bound at link time.
//!
//! `hal::entry!(Exo)` in the kernel defines one symbol per method of [`Kernel`]; with LTO a call is inlined like any
//! other. Nothing here goes through a pointer. Every method may be called before `boot` returns control to it, except
//! where its documentation says otherwise.

use core::alloc::Layout;
use core::any::TypeId;
use core::fmt;
use core::sync::atomic::AtomicU32;

use crate::addr::FrameNumber;
use crate::boot::BootInfo;
use crate::error::Error;
use crate::frame::Frame;
use crate::heap::{LiveBlock, Slot};
use crate::task::{HasTask, SyscallFrame, UserRegs, Work};

/// The kernel as this crate knows it.
pub trait Kernel {
    /// The scheduler's thread; the only type [`current`](crate::task::current) and
    /// [`switch_to`](crate::task::switch_to) accept.
    type Thread: HasTask;

    /// Starts the kernel on the boot CPU, on a kernel stack, interrupts off.
    fn boot(info: BootInfo) -> !;
    /// Starts another CPU, after [`start_secondaries`](crate::cpu::start_secondaries), interrupts off.
    fn secondary_boot() -> !;

    /// Hands out a block of 2^`order` frames, for page tables and kernel stacks.
    fn alloc_frames(order: u8) -> Option<Frame>;
    /// Takes back a block: its last reference is gone, its state is free again.
    fn free_frames(first: FrameNumber, order: u8);
    /// Hands out heap memory when this CPU has none [at hand](crate::heap::stock): a slot of exactly [`SlotSize::of(layout)`](crate::heap::SlotSize::of).
    fn heap_alloc(layout: Layout) -> Option<Slot>;
    /// Takes back heap memory for which this CPU has no room.
    fn heap_free(slot: Slot);
    /// Tells whether an allocation may grow or shrink without a word within the size that was asked for.
    fn heap_may_resize() -> bool;
    /// Makes a block that serves the layout `old` fit the layout `new`, which takes a block of another size, or leaves it.
    fn heap_resize(block: &mut LiveBlock, old: Layout, new: Layout);

    /// Handles a system call; the result goes to rax. Interrupts on. The hot path.
    fn syscall(frame: &mut SyscallFrame) -> isize;
    /// Handles the work flagged for the current thread before it returns to user mode; interrupts on. Called again
    /// until no work is left. A thread may die in here by switching away for ever.
    fn exit_to_user(regs: &mut UserRegs, work: Work);
    /// Resolves a fault at a user address, from user mode or from a copy in [`user`](crate::user); interrupts on, may
    /// sleep. The access is repeated after `Ok`. After `Err` a copy fails with a fault, user mode gets
    /// [`user_exception`](Self::user_exception).
    fn page_fault(fault: &PageFault) -> Result<(), Error>;
    /// Handles an exception in user mode: raises the signal.
    fn user_exception(exception: &UserException, regs: &mut UserRegs);

    /// The deadline set with [`set_deadline`](crate::time::set_deadline) has passed; interrupt context.
    fn timer_interrupt();
    /// Another CPU called [`send_reschedule`](crate::cpu::send_reschedule) for this one; interrupt context.
    fn reschedule_interrupt();

    /// Sleeps while `*word == expected`, until woken; may return early. Serves [`Mutex`](crate::sync::Mutex).
    fn mutex_wait(word: &AtomicU32, expected: u32);
    /// Wakes up to `n` sleepers of `mutex_wait` on this word.
    fn mutex_wake(word: &AtomicU32, n: usize);

    /// Sends what waits in buffers to the console, before a panic is reported there; must not wait for a lock.
    fn panic_begin();
    /// Writes the last log lines after a panic; must not wait for a lock.
    fn panic_report(out: &mut dyn fmt::Write);
    /// Says what follows a panic (`panic=`): `None` or 0 halts for ever, below 0 reboots at once, above 0 reboots after
    /// that many seconds.
    fn panic_timeout() -> Option<i32>;
}

/// How memory was accessed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// A load.
    Read,
    /// A store, or a load with the intent to store.
    Write,
    /// An instruction fetch.
    Execute,
}

/// A fault at a user address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageFault {
    /// The faulting byte, below [`USER_END`](crate::USER_END).
    pub address: usize,
    /// What was attempted.
    pub access: Access,
    /// The page was mapped, but does not allow the access.
    pub present: bool,
    /// The access came from user mode, not from a copy by the kernel.
    pub from_user: bool,
}

/// An exception in user mode that the kernel has to turn into a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UserException {
    /// The vector: 0 divide error, 3 breakpoint, 6 invalid opcode, 13 general protection, 14 page fault, ...
    pub vector: u8,
    /// The error code, 0 where the vector has none.
    pub error_code: u64,
    /// The faulting address for vector 14, else the instruction's.
    pub address: usize,
}

/// Binds a type that implements [`Kernel`] to this crate. Use once in a program, at module level:
/// `hal::entry!(Exo);`
#[macro_export]
macro_rules! entry {
    ($kernel:ty) => {
        const _: () = {
            use ::core::sync::atomic::AtomicU32;
            use $crate::upcall::Kernel;
            #[unsafe(no_mangle)]
            static __EXO_THREAD_TYPE: ::core::any::TypeId =
                ::core::any::TypeId::of::<<$kernel as Kernel>::Thread>();
            #[unsafe(no_mangle)]
            extern "Rust" fn __exo_release_thread(thread: $crate::task::RawThread) {
                thread.release::<<$kernel as Kernel>::Thread>()
            }
            #[unsafe(no_mangle)]
            extern "Rust" fn __exo_boot(info: $crate::boot::BootInfo) -> ! {
                <$kernel as Kernel>::boot(info)
            }
            #[unsafe(no_mangle)]
            extern "Rust" fn __exo_secondary_boot() -> ! {
                <$kernel as Kernel>::secondary_boot()
            }
            #[unsafe(no_mangle)]
            extern "Rust" fn __exo_alloc_frames(order: u8) -> Option<$crate::frame::Frame> {
                <$kernel as Kernel>::alloc_frames(order)
            }
            #[unsafe(no_mangle)]
            extern "Rust" fn __exo_free_frames(first: $crate::addr::FrameNumber, order: u8) {
                <$kernel as Kernel>::free_frames(first, order)
            }
            #[unsafe(no_mangle)]
            extern "Rust" fn __exo_heap_alloc(layout: ::core::alloc::Layout) -> Option<$crate::heap::Slot> {
                <$kernel as Kernel>::heap_alloc(layout)
            }
            #[unsafe(no_mangle)]
            extern "Rust" fn __exo_heap_free(slot: $crate::heap::Slot) {
                <$kernel as Kernel>::heap_free(slot)
            }
            #[unsafe(no_mangle)]
            extern "Rust" fn __exo_heap_may_resize() -> bool {
                <$kernel as Kernel>::heap_may_resize()
            }
            #[unsafe(no_mangle)]
            extern "Rust" fn __exo_heap_resize(
                block: &mut $crate::heap::LiveBlock,
                old: ::core::alloc::Layout,
                new: ::core::alloc::Layout,
            ) {
                <$kernel as Kernel>::heap_resize(block, old, new)
            }
            #[unsafe(no_mangle)]
            extern "Rust" fn __exo_syscall(frame: &mut $crate::task::SyscallFrame) -> isize {
                <$kernel as Kernel>::syscall(frame)
            }
            #[unsafe(no_mangle)]
            extern "Rust" fn __exo_exit_to_user(regs: &mut $crate::task::UserRegs, work: $crate::task::Work) {
                <$kernel as Kernel>::exit_to_user(regs, work)
            }
            #[unsafe(no_mangle)]
            extern "Rust" fn __exo_page_fault(
                fault: &$crate::upcall::PageFault,
            ) -> Result<(), $crate::error::Error> {
                <$kernel as Kernel>::page_fault(fault)
            }
            #[unsafe(no_mangle)]
            extern "Rust" fn __exo_user_exception(
                exception: &$crate::upcall::UserException,
                regs: &mut $crate::task::UserRegs,
            ) {
                <$kernel as Kernel>::user_exception(exception, regs)
            }
            #[unsafe(no_mangle)]
            extern "Rust" fn __exo_timer_interrupt() {
                <$kernel as Kernel>::timer_interrupt()
            }
            #[unsafe(no_mangle)]
            extern "Rust" fn __exo_reschedule_interrupt() {
                <$kernel as Kernel>::reschedule_interrupt()
            }
            #[unsafe(no_mangle)]
            extern "Rust" fn __exo_mutex_wait(word: &AtomicU32, expected: u32) {
                <$kernel as Kernel>::mutex_wait(word, expected)
            }
            #[unsafe(no_mangle)]
            extern "Rust" fn __exo_mutex_wake(word: &AtomicU32, n: usize) {
                <$kernel as Kernel>::mutex_wake(word, n)
            }
            #[unsafe(no_mangle)]
            extern "Rust" fn __exo_panic_begin() {
                <$kernel as Kernel>::panic_begin()
            }
            #[unsafe(no_mangle)]
            extern "Rust" fn __exo_panic_report(out: &mut dyn ::core::fmt::Write) {
                <$kernel as Kernel>::panic_report(out)
            }
            #[unsafe(no_mangle)]
            extern "Rust" fn __exo_panic_timeout() -> Option<i32> {
                <$kernel as Kernel>::panic_timeout()
            }
        };
    };
}

/// The bound kernel, for the back-ends and the rest of this crate.
#[allow(dead_code, reason = "each back-end uses its own part")]
pub(crate) mod bound {
    use super::*;
    use crate::task::RawThread;

    // SAFETY: `entry!` is the only definition of these symbols; it gives each exactly this type and a safe body.
    unsafe extern "Rust" {
        #[link_name = "__EXO_THREAD_TYPE"]
        pub(crate) safe static THREAD_TYPE: TypeId;
        #[link_name = "__exo_release_thread"]
        pub(crate) safe fn release_thread(thread: RawThread);
        #[link_name = "__exo_boot"]
        pub(crate) safe fn boot(info: BootInfo) -> !;
        #[link_name = "__exo_secondary_boot"]
        pub(crate) safe fn secondary_boot() -> !;
        #[link_name = "__exo_alloc_frames"]
        pub(crate) safe fn alloc_frames(order: u8) -> Option<Frame>;
        #[link_name = "__exo_free_frames"]
        pub(crate) safe fn free_frames(first: FrameNumber, order: u8);
        #[link_name = "__exo_heap_alloc"]
        pub(crate) safe fn heap_alloc(layout: Layout) -> Option<Slot>;
        #[link_name = "__exo_heap_free"]
        pub(crate) safe fn heap_free(slot: Slot);
        #[link_name = "__exo_heap_may_resize"]
        pub(crate) safe fn heap_may_resize() -> bool;
        #[link_name = "__exo_heap_resize"]
        pub(crate) safe fn heap_resize(block: &mut LiveBlock, old: Layout, new: Layout);
        #[link_name = "__exo_syscall"]
        pub(crate) safe fn syscall(frame: &mut SyscallFrame) -> isize;
        #[link_name = "__exo_exit_to_user"]
        pub(crate) safe fn exit_to_user(regs: &mut UserRegs, work: Work);
        #[link_name = "__exo_page_fault"]
        pub(crate) safe fn page_fault(fault: &PageFault) -> Result<(), Error>;
        #[link_name = "__exo_user_exception"]
        pub(crate) safe fn user_exception(exception: &UserException, regs: &mut UserRegs);
        #[link_name = "__exo_timer_interrupt"]
        pub(crate) safe fn timer_interrupt();
        #[link_name = "__exo_reschedule_interrupt"]
        pub(crate) safe fn reschedule_interrupt();
        #[link_name = "__exo_mutex_wait"]
        pub(crate) safe fn mutex_wait(word: &AtomicU32, expected: u32);
        #[link_name = "__exo_mutex_wake"]
        pub(crate) safe fn mutex_wake(word: &AtomicU32, n: usize);
        #[link_name = "__exo_panic_begin"]
        pub(crate) safe fn panic_begin();
        #[link_name = "__exo_panic_report"]
        pub(crate) safe fn panic_report(out: &mut dyn fmt::Write);
        #[link_name = "__exo_panic_timeout"]
        pub(crate) safe fn panic_timeout() -> Option<i32>;
    }
}
