//! From the first Rust function to the kernel's `boot`, and memory on the way there.
//!
//! Early memory is taken from the firmware's map, lowest address first, and never given back. The frame allocator gets
//! what is left.

use core::cell::UnsafeCell;
use core::ops::Range;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use arrayvec::ArrayVec;
use firmware::PhysMemory;
use firmware::acpi::Acpi;
use firmware::memory_map::MemoryMap;
use firmware::start_info::{self, KIND_RAM, MAX_COMMAND_LINE, StartInfo};

use super::area::CpuArea;
use super::asm::{self, address};
use super::kernel_map::{self, DIRECT_BASE};
use super::stack::Stack;
use super::{
    apic, console, cpu, features, fpu, io_apic, memory, paging, power, rtc, setup, smp, tables, time,
};
use crate::addr::{FrameNumber, PAGE_SHIFT, PAGE_SIZE, PhysAddr};
use crate::boot::static_slice;
use crate::boot::{BootInfo, BootModule};
use crate::cpu::MAX_CPUS;
use crate::frame::{self, FrameTable};
use crate::sync::{LockRank, SpinLockIrq};
use crate::upcall::bound;

/// Bytes of the stack on which the boot CPU starts.
pub(super) const EARLY_STACK: usize = 32 << 10;
/// Bytes of each CPU's first kernel stack, and of its stacks for exceptions.
pub(super) const BOOT_STACK: usize = if cfg!(debug_assertions) { 56 << 10 } else { 24 << 10 };
pub(super) const EXCEPTION_STACK: usize = if cfg!(debug_assertions) { 16 << 10 } else { 8 << 10 };
/// What the early page tables reach.
const EARLY_REACH: u64 = 1 << 32;
/// Memory below this is taken last: some of it has a past.
const LOW_MEMORY: u64 = 1 << 20;

const RANK: LockRank = LockRank::new(u16::MAX - 3, "hal early memory");

/// Memory that nobody uses yet.
static FREE: SpinLockIrq<MemoryMap> = SpinLockIrq::new(RANK, MemoryMap::new());
static FRAME_COUNT: AtomicUsize = AtomicUsize::new(0);
/// The first boot module: start and length.
static MODULE: [AtomicU64; 2] = [AtomicU64::new(0), AtomicU64::new(0)];

struct CommandLine(UnsafeCell<ArrayVec<u8, MAX_COMMAND_LINE>>);

// SAFETY: written once, in `start`, before anybody reads it.
unsafe impl Sync for CommandLine {}

static COMMAND_LINE: CommandLine = CommandLine(UnsafeCell::new(ArrayVec::new_const()));

/// Returns the kernel command line.
pub(super) fn command_line() -> &'static [u8] {
    // SAFETY: written once, before the first reader.
    unsafe { &*COMMAND_LINE.0.get() }
}

/// Physical memory through the early page tables.
struct EarlyReach;

impl PhysMemory for EarlyReach {
    fn bytes(&self, addr: u64, len: usize) -> Option<&[u8]> {
        let end = addr.checked_add(len as u64)?;
        if addr == 0 || end > EARLY_REACH {
            return None;
        }
        let start = core::ptr::with_exposed_provenance(DIRECT_BASE + addr as usize);
        // SAFETY: the early tables map all of it. Whatever the bytes are (a device's, in the worst case), nothing writes
        // there while the boot CPU looks at them.
        Some(unsafe { core::slice::from_raw_parts(start, len) })
    }
}

/// Says what is wrong and stops: there is nobody to return to.
fn refuse(message: &str) -> ! {
    for part in ["\r\nExo-OS cannot start: ", message, "\r\n"] {
        console::write(part.as_bytes());
    }
    cpu::halt()
}

/// Returns RAM, and the part of it that is free: without what the boot loader and the image use.
fn read_memory(info: &StartInfo) -> (MemoryMap, MemoryMap) {
    let mut ram = MemoryMap::new();
    for (range, kind) in info.memory() {
        if kind == KIND_RAM {
            ram.add(range);
        }
    }
    for (range, kind) in info.memory() {
        if kind != KIND_RAM {
            ram.remove(range);
        }
    }
    let all = ram.clone();
    if let Some(limit) = start_info::parameter(info.command_line, b"mem").and_then(start_info::parse_size) {
        ram.limit(limit);
    }
    let mut free = ram.clone();
    for module in &info.modules {
        if all.contains(module) {
            ram.add(module.start & !(PAGE_SIZE as u64 - 1)..module.end.next_multiple_of(PAGE_SIZE as u64));
        }
        free.remove(module.clone());
    }
    let image = kernel_map::image();
    ram.add(image.clone());
    free.remove(image);
    // Frame 0 holds the BIOS's data, and its number means "none".
    free.remove(0..PAGE_SIZE as u64);
    (ram, free)
}

/// The first Rust function, on the early stack and page tables.
#[unsafe(no_mangle)]
extern "C" fn hal_start() -> ! {
    console::init();
    let info = match StartInfo::parse(&EarlyReach, asm::hal_start_info) {
        Ok(info) => info,
        Err(message) => refuse(message),
    };
    let line = info.command_line.iter().copied().collect();
    // SAFETY: nobody reads it yet.
    unsafe { *COMMAND_LINE.0.get() = line };
    let (ram, mut free) = read_memory(&info);
    if let Some(module) = info.modules.first()
        && ram.contains(module)
    {
        MODULE[0].store(module.start, Ordering::Relaxed);
        MODULE[1].store(module.end - module.start, Ordering::Relaxed);
    }
    let acpi = Acpi::parse(&EarlyReach, info.rsdp);
    time::start_measuring(acpi.pm_timer);
    if let Err(message) = start(&ram, free_low(&mut free), &acpi) {
        refuse(message);
    }
    *FREE.lock() = free;
    second_half(&acpi)
}

/// Takes the frame of the other CPUs' first instructions out of low memory, which is used for nothing else early.
fn free_low(free: &mut MemoryMap) -> &mut MemoryMap {
    if let Some(page) = free.allocate(PAGE_SIZE as u64, 0x1000, 0x9_f000) {
        smp::set_trampoline(FrameNumber::new((page >> PAGE_SHIFT) as u32));
    }
    free
}

/// Takes zeroed frames that the early tables reach.
fn take(free: &mut MemoryMap, len: usize) -> Option<u64> {
    let start = free.allocate(len as u64, LOW_MEMORY, EARLY_REACH)?;
    // SAFETY: RAM that was free and is ours now, mapped by the early tables and by the final ones.
    unsafe { memory::zero(memory::phys_ptr(PhysAddr::new(start)), len.next_multiple_of(PAGE_SIZE)) };
    Some(start)
}

/// Takes a zeroed frame for a page table, after [`hal_start`].
pub(super) fn early_table() -> Option<u64> {
    take(&mut FREE.lock(), PAGE_SIZE)
}

/// Areas, final page tables, stacks: up to where the kernel proper could run.
fn start(ram: &MemoryMap, free: &mut MemoryMap, acpi: &Acpi) -> Result<(), &'static str> {
    const MEMORY: &str = "there is too little memory";
    setup::enable_no_execute()?;
    make_areas(free, acpi).ok_or(MEMORY)?;
    setup::choose_copies();
    // SAFETY: the early tables allow all, and this is the only CPU.
    unsafe { setup::patch_code() };
    // SAFETY: called once, before `tables::load`.
    unsafe { tables::init_idt() };
    let largest = if features::get().gigabyte_pages { 2 } else { 1 };
    let mut frame = || take(free, PAGE_SIZE);
    // SAFETY: called once; `ram` is RAM as far as the firmware can be believed.
    unsafe { kernel_map::build(ram, largest, &mut frame) }.map_err(|_| MEMORY)?;
    if cpu::count() > 1 {
        smp::make_trampoline_root(&mut frame).ok_or(MEMORY)?;
    }
    FRAME_COUNT.store((ram.end() >> PAGE_SHIFT) as usize, Ordering::Relaxed);
    fpu::init();
    paging::load_kernel_root();
    let ist = make_stacks(free).ok_or(MEMORY)?;
    setup::cpu(super::area::this(), ist);
    Ok(())
}

/// Makes the area of every CPU, with its copy of the per-CPU data.
fn make_areas(free: &mut MemoryMap, acpi: &Acpi) -> Option<()> {
    let limit = start_info::parameter(command_line(), b"maxcpus").and_then(start_info::parse_size);
    let limit = limit.unwrap_or(MAX_CPUS as u64).clamp(1, MAX_CPUS as u64) as usize;
    let boot_apic = apic::initial_id();
    let others = acpi.cpus.iter().copied().filter(|&id| id != boot_apic).take(limit - 1);
    let ids: ArrayVec<u32, MAX_CPUS> = core::iter::once(boot_apic).chain(others).take(MAX_CPUS).collect();

    let template = address(&asm::__percpu_start);
    let len = address(&asm::__percpu_end) - template;
    let own = size_of::<CpuArea>();
    let stride = (own + len).next_multiple_of(PAGE_SIZE);
    let all = take(free, stride * ids.len())?;
    for (id, apic_id) in ids.iter().enumerate() {
        let place = memory::phys_ptr(PhysAddr::new(all + (id * stride) as u64));
        let data = place.wrapping_add(own);
        let src = core::ptr::with_exposed_provenance::<u8>(template);
        // SAFETY: the template and its copy, both of `len` bytes; the size of an area is a multiple of its alignment.
        unsafe { memory::copy(data, src, len) };
        let offset = data.expose_provenance().wrapping_sub(template);
        // SAFETY: zeroed memory of our own, page-aligned.
        let area = unsafe { CpuArea::create(place.cast(), id, offset) };
        area.apic_id.store(*apic_id, Ordering::Relaxed);
        if id == 0 {
            area.presence.store(super::area::RUNNING, Ordering::Relaxed);
            area.install();
        }
    }
    cpu::set_count(ids.len());
    Some(())
}

/// Makes the boot CPU's stacks from early memory: the first one and those for exceptions.
fn make_stacks(free: &mut MemoryMap) -> Option<[usize; tables::IST_STACKS]> {
    let free = core::cell::RefCell::new(free);
    let mut table = || take(*free.borrow_mut(), PAGE_SIZE);
    let mut page = || take(*free.borrow_mut(), PAGE_SIZE);
    let mut stack = |bytes| Stack::early(bytes, &mut table, &mut page).ok().map(Stack::into_end);
    super::area::this().boot_stack_top.store(stack(BOOT_STACK)?, Ordering::Relaxed);
    let mut ist = [0; tables::IST_STACKS];
    for end in &mut ist {
        *end = stack(EXCEPTION_STACK)?;
    }
    Some(ist)
}

/// Goes on with final tables, all early memory in one place, and GS in use.
fn second_half(acpi: &Acpi) -> ! {
    power::init(acpi);
    apic::init(acpi);
    time::start_measuring_timer();
    io_apic::init(acpi);
    time::init(acpi);
    rtc::init(acpi);
    super::task::leave_early_stack(super::area::this().boot_stack_top.load(Ordering::Relaxed), on_boot_stack)
}

/// The end, on a proper kernel stack.
extern "C" fn on_boot_stack() -> ! {
    // The early tables and stack are of no use any more.
    let early = address(&asm::hal_early_stack) - 7 * PAGE_SIZE..address(&asm::hal_early_stack) + EARLY_STACK;
    let phys = |addr: usize| (addr - kernel_map::IMAGE_BASE) as u64;
    FREE.lock().add(phys(early.start)..phys(early.end));

    let frames = frame_count();
    let parts = (static_slice(frames), static_slice(FrameTable::taken_len(frames)));
    let (Some(states), Some(taken)) = parts else { refuse("there is too little memory for its own table") };
    // SAFETY: called once, before the kernel runs.
    unsafe { memory::set_frame_table(FrameTable::new(states, taken)) };
    frame::reserve_all_but(memory_regions());

    let [start, len] = [&MODULE[0], &MODULE[1]].map(|word| word.load(Ordering::Relaxed));
    // SAFETY: the module lies in RAM, which the direct map has, and was removed from what is free: its frames are
    // reserved. It is used here alone.
    let initramfs = (len != 0).then(|| unsafe { BootModule::new(PhysAddr::new(start), len as usize) });
    bound::boot(BootInfo {
        command_line: command_line(),
        initramfs,
        entry_tsc: asm::hal_entry_tsc,
        cpu_count: cpu::count(),
        protocol: "pvh",
    })
}

pub(crate) fn memory_regions() -> impl Iterator<Item = Range<FrameNumber>> {
    let free = FREE.lock().clone();
    let number = |addr: u64| FrameNumber::new((addr >> PAGE_SHIFT) as u32);
    (0..).map_while(move |i| free.iter().nth(i)).map(move |range| number(range.start)..number(range.end))
}

pub(crate) fn frame_count() -> usize {
    FRAME_COUNT.load(Ordering::Relaxed)
}

/// Takes zeroed memory for ever. Refuses once the frame allocator has claimed some of it.
pub(crate) fn static_bytes(len: usize) -> Option<NonNull<u8>> {
    let mut free = FREE.lock();
    let start = free.allocate(len as u64, LOW_MEMORY, u64::MAX)?;
    let first = (start >> PAGE_SHIFT) as usize;
    if !memory::frame_table().reserve_new(first..first + len.div_ceil(PAGE_SIZE)) {
        return None;
    }
    let start = memory::phys_ptr(PhysAddr::new(start));
    // SAFETY: RAM that was free and is ours now, in the direct map.
    unsafe { memory::zero(start, len.next_multiple_of(PAGE_SIZE)) };
    NonNull::new(start)
}
