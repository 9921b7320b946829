//! The back-ends: the PC (`x86_64`) and the simulated machine (`host`), chosen by target.
//!
//! The rest of the crate knows a back-end as `arch` with the modules and items below, in both of the same signature.
//! "Duty" is what the caller guarantees; everything else the back-end checks or copes with.
//!
//! ```text
//! boot
//!   fn memory_regions() -> impl Iterator<Item = Range<FrameNumber>>
//!                                         RAM not in use, ascending, disjoint; excludes frame 0
//!   fn static_bytes(len: usize) -> Option<NonNull<u8>>     zeroed, page-aligned, for ever; early only
//!   fn frame_count() -> usize             highest RAM frame + 1
//!   At start-up the back-end allocates the frame table (two boot::static_slice) and calls
//!   frame::reserve_all_but(memory_regions()), then upcall::bound::boot(BootInfo).
//! memory
//!   type MachineTag: Copy                 () in spirit; fn machine_tag(), fn assert_current(tag): no-ops on the PC
//!   fn phys_ptr(PhysAddr) -> *mut u8      in the direct map; valid for RAM
//!   fn frame_of_ptr(*mut u8) -> FrameNumber               inverse, for direct-map pointers to RAM
//!   fn assert_ram(*const u8)              no-op on the PC; elsewhere a wild pointer is caught here
//!   fn may_claim() -> bool                true on the PC (inline); tests limit claims
//!   fn frame_table() -> &'static FrameTable
//!   unsafe fn copy(dst: *mut u8, src: *const u8, len)     any overlap, tolerates concurrent access (rep movs in asm)
//!   unsafe fn zero(dst: *mut u8, len)                     same
//! user        Duty of all: addr..addr+len within 0..USER_END, kernel pointers valid. They resolve faults through
//!             upcall::bound::page_fault (interrupts on) and give up when it fails.
//!   unsafe fn read(dst: *mut u8, src: usize, len) -> usize        bytes copied, len if all
//!   unsafe fn write(dst: usize, src: *const u8, len) -> usize
//!   unsafe fn clear(dst: usize, len) -> usize
//!   unsafe fn load_u32(addr) -> Option<u32>; store_u32(addr, v) -> Option<()>;
//!   unsafe fn compare_exchange_u32(addr, old, new) -> Option<u32>      the old value
//! paging
//!   fn kernel_root_entry(index: usize) -> u64             index 256..512: the shared kernel half
//!   unsafe fn load_root(PhysAddr)         CR3; duty: a root with the kernel half, alive until the next load
//!   fn load_kernel_root()                 CR3; a root without a user half
//!   fn invalidate_page(page: usize); fn invalidate_all()  on this CPU
//!   fn shootdown(CpuMask, pages: &[usize])                on others, until done; no pages = all. Interrupts may be on or
//!                                         off; while waiting serve the other CPUs' requests (two may wait for each other)
//!   fn ask_to_leave(CpuMask, root: PhysAddr)              the same way: each calls paging::leave_unused(root)
//! task
//!   struct Context                        stack and saved registers of a task; interior mutability, owned via Task::on_cpu
//!     fn new(stack_bytes) -> Result<Context, Error>       first switch to it calls task::start(left), interrupts off
//!     fn adopt() -> Context; fn is_adopted(&self) -> bool of the code that runs on this CPU since boot
//!     fn fs_base(&self, is_current: bool) -> usize; set_fs_base(&self, usize, is_current); gs_base; set_gs_base
//!     fn copy_fpu_from(&self, current: &Context); fn reset_fpu(&self)   [of the current task]
//!     fn save_fpu_to_user(&self, usize) -> Result<(), Fault>; restore_fpu_from_user(&self, usize) -> Result<(), Error>
//!   fn fpu_frame_size() -> usize
//!   unsafe fn switch(prev: &Context, next: &Context, left: *const Task) -> *const Task
//!                                         saves, loads; returns (in the context switched back to) the `left` given by
//!                                         the switch that came here. Switches FPU and segment bases too. Interrupts off
//!   fn current_thread() -> *const (); fn current_task() -> *const Task; null before the first set_current on the CPU
//!   unsafe fn set_current(*const (), *const Task)         also the stack that entries from user mode use
//!   fn enter_user(&UserRegs) -> !         sanitised registers; resets the stack; does pending work first
//!   Entries from user mode: SYSCALL -> bound::syscall(&mut SyscallFrame), result to rax; then, as for every return to user
//!   mode, while Task.work (u32 at offset 0) != 0 with interrupts off: complete the frame, turn interrupts on,
//!   bound::exit_to_user(&mut UserRegs, work). Afterwards UserRegs::sanitise.
//! irq
//!   fn enabled() -> bool; fn disable() -> bool (was enabled); fn restore(bool); fn in_interrupt() -> bool
//!   fn interrupted_user() -> bool         of the interrupt being served
//!   fn unmask(Irq) -> Result<(), Error>   route to a vector whose handler calls irq::dispatch(irq)
//! cpu
//!   fn id() -> CpuId; fn count() -> usize; fn info() -> CpuInfo; fn user_features() -> (u64, u64); fn start_secondaries(limit: usize) -> usize
//!   fn send_reschedule(CpuId); fn wait_for_interrupt(); fn relax()
//!   fn relax_irq_off()                    in a spin loop with interrupts off: serves shoot-down requests
//!   fn random_seed() -> [u8; 32]; fn power_off() -> !; fn reboot() -> !; fn halt() -> !
//!   fn stock() -> &'static Stock          the running code's; an empty one in handlers that interrupt anywhere
//!   fn stock_of(CpuId) -> &'static Stock
//!   fn local_offset() -> usize; fn local_offset_of(CpuId) -> usize     PC only: a CPU's copy of section .percpu minus
//!                                         the section; the template itself is never used, not even by the boot CPU
//! time
//!   fn now_ns() -> u64; fn tsc() -> u64; fn tsc_hz() -> u64; fn set_deadline(Option<u64>); fn busy_wait_ns(u64)
//!   fn wall_clock_offset_ns() -> u64
//! vdso
//!   fn code() -> &'static [u8]; fn functions() -> impl Iterator<Item = Function>
//!   fn publish_clock(&Frame) -> Result<(), Error>; fn set_wall_clock_offset_ns(u64)
//! io          unsafe fn read_u8(port: u16) -> u8; write_u8(port, v); _u16; _u32     duty: harmless to memory
//! console     fn write(&[u8])             polled
//! backtrace   fn write(&mut dyn fmt::Write) -> fmt::Result
//! ```

#[cfg(target_os = "none")]
mod x86_64;
#[cfg(target_os = "none")]
pub(crate) use x86_64::*;

#[cfg(not(target_os = "none"))]
pub(crate) mod host;
#[cfg(not(target_os = "none"))]
pub(crate) use host::*;
