//! Starting the other CPUs.
//!
//! One at a time: the boot CPU copies the first instructions to a page below 1 MiB, leaves a stack in
//! `hal_secondary_stack`, and sends INIT and STARTUP. The other takes the stack by exchange (hazard 15), finds its area,
//! sets itself up, and reports.

use core::fmt::Write;
use core::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

use super::area::{self, CpuArea};
use super::asm::{self, address};
use super::boot::{BOOT_STACK, EXCEPTION_STACK};
use super::stack::Stack;
use super::tables::IST_STACKS;
use super::{apic, cpu, kernel_map, memory, paging, setup, time};
use crate::addr::FrameNumber;
use crate::console::EarlyConsole;
use crate::cpu::CpuId;
use crate::error::Error;
use crate::upcall::bound;

/// Number of the frame of the first instructions, 0 if there was none.
static TRAMPOLINE: AtomicU32 = AtomicU32::new(0);
/// Physical address of the page tables that it starts with, 0 if there are none. 32 bits, as the CPU loads it before it
/// is in long mode.
static TRAMPOLINE_ROOT: AtomicU32 = AtomicU32::new(0);
/// The CPU that is being started, and the ends of its stacks for exceptions.
static STARTING: AtomicUsize = AtomicUsize::new(0);
static EXCEPTION_STACKS: [AtomicUsize; IST_STACKS] = [const { AtomicUsize::new(0) }; IST_STACKS];

/// Nanoseconds between INIT and STARTUP, until STARTUP is repeated, and until a CPU is given up: as long as Linux waits,
/// since on a busy host a virtual CPU may not run for a while.
const INIT_NS: u64 = 10_000;
const REPEAT_NS: u64 = 1_000_000;
const GIVE_UP_NS: u64 = 10_000_000_000;
/// Nanoseconds until a CPU that has taken its stack and does not report is given up.
const LOST_NS: u64 = 2 * GIVE_UP_NS;

/// Names the frame for the first instructions; below 1 MiB.
pub(super) fn set_trampoline(frame: FrameNumber) {
    TRAMPOLINE.store(frame.get(), Ordering::Relaxed);
}

/// Makes the page tables for the first instructions, from memory below 4 GiB.
pub(super) fn make_trampoline_root(new_table: kernel_map::NewTable) -> Option<()> {
    let frame = FrameNumber::new(TRAMPOLINE.load(Ordering::Relaxed));
    let root = kernel_map::trampoline_root(frame, new_table)?;
    TRAMPOLINE_ROOT.store(u32::try_from(root).ok()?, Ordering::Relaxed);
    Some(())
}

/// Starts the others, so that no more than `limit` run; returns how many do in the end, which is what `count` says from
/// then on.
pub(crate) fn start_secondaries(limit: usize) -> usize {
    let wanted = cpu::count().min(limit);
    if wanted <= 1 {
        cpu::set_count(1);
        return 1;
    }
    let mut running = 1;
    match prepare() {
        Ok(page) => {
            // CPUs are numbered in the order in which they come, so that those that do not leave no gap.
            for next in 1..wanted {
                let apic_id = area::of(CpuId::new(next)).apic_id.load(Ordering::Relaxed);
                area::of(CpuId::new(running)).apic_id.store(apic_id, Ordering::Relaxed);
                match start(CpuId::new(running), apic_id, page) {
                    Ok(()) => running += 1,
                    Err(error) => {
                        let _ = writeln!(
                            EarlyConsole,
                            "smp: the CPU with APIC number {apic_id} does not start: {error}"
                        );
                        // It may still come, and has the next one's number and stacks.
                        if error == Error::InUse {
                            break;
                        }
                    }
                }
            }
        }
        Err(error) => {
            let _ = writeln!(EarlyConsole, "smp: cannot start other CPUs: {error}");
        }
    }
    cpu::set_count(running);
    running
}

/// Puts the first instructions in place; returns the page's number.
fn prepare() -> Result<u8, Error> {
    let frame = FrameNumber::new(TRAMPOLINE.load(Ordering::Relaxed));
    let page = u8::try_from(frame.get()).ok().filter(|&page| page != 0).ok_or(Error::Unsupported)?;
    let root = TRAMPOLINE_ROOT.load(Ordering::Relaxed);
    if root == 0 {
        return Err(Error::Unsupported);
    }
    let base = memory::phys_ptr(frame.phys());
    let start = address(&asm::hal_trampoline);
    let len = address(&asm::hal_trampoline_end) - start;
    let code = core::ptr::with_exposed_provenance::<u8>(start);
    // SAFETY: the frame was taken for this, and the code is shorter than a page.
    unsafe { memory::copy(base, code, len) };
    let phys = frame.phys().get() as u32;
    let place = |symbol: &'static u8| base.wrapping_add(address(symbol) - start);
    for (pointer, offset) in [(&asm::hal_trampoline_gdt, 2), (&asm::hal_trampoline_jump, 0)] {
        let word = place(pointer).wrapping_add(offset).cast::<u32>();
        // SAFETY: a word of the copy: an offset in the page, which becomes an address.
        let relative = unsafe { word.read_unaligned() };
        // SAFETY: as above.
        unsafe { word.write_unaligned(relative + phys) };
    }
    // SAFETY: a word of the copy.
    unsafe { place(&asm::hal_trampoline_root).cast::<u64>().write_unaligned(root.into()) };
    let entry = address(&asm::hal_secondary_entry) as u64;
    // SAFETY: a word of the copy.
    unsafe { place(&asm::hal_trampoline_entry).cast::<u64>().write_unaligned(entry) };
    Ok(page)
}

fn start(id: CpuId, apic_id: u32, page: u8) -> Result<(), Error> {
    let area = area::of(id);
    let end = |bytes| Stack::new(bytes).map(Stack::into_end);
    for slot in &EXCEPTION_STACKS {
        slot.store(end(EXCEPTION_STACK)?, Ordering::Relaxed);
    }
    let top = end(BOOT_STACK)?;
    area.boot_stack_top.store(top, Ordering::Relaxed);
    STARTING.store(id.index(), Ordering::Relaxed);
    // Release: what the CPU needs is there when it finds the stack.
    asm::hal_secondary_stack.store(super::task::first_rsp(top), Ordering::Release);

    apic::send(apic_id, apic::Message::Init);
    time::busy_wait_ns(INIT_NS);
    apic::send(apic_id, apic::Message::Startup(page));
    let begin = time::now_ns();
    let mut has_repeated = false;
    while !area.is_running() {
        let waited = time::now_ns() - begin;
        if waited > REPEAT_NS && !has_repeated {
            apic::send(apic_id, apic::Message::Startup(page));
            has_repeated = true;
        }
        if waited > GIVE_UP_NS && asm::hal_secondary_stack.swap(0, Ordering::Relaxed) != 0 {
            return Err(Error::Unsupported);
        }
        if waited > LOST_NS && area.decide(area::GIVEN_UP) {
            return Err(Error::InUse);
        }
        cpu::relax();
    }
    Ok(())
}

/// The first Rust function of another CPU, on its own stack.
#[unsafe(no_mangle)]
extern "C" fn hal_secondary_start() -> ! {
    paging::load_kernel_root();
    let area: &'static CpuArea = area::of(CpuId::new(STARTING.load(Ordering::Relaxed)));
    area.install();
    setup::cpu(area, [0, 1, 2, 3].map(|i: usize| EXCEPTION_STACKS[i].load(Ordering::Relaxed)));
    super::task::use_boot_stack(area.boot_stack_top.load(Ordering::Relaxed));
    apic::init_cpu();
    if !area.decide(area::RUNNING) {
        cpu::halt();
    }
    bound::secondary_boot()
}
