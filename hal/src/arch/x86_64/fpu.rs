//! The floating-point state of user programs: x87, SSE, AVX. The kernel itself uses none of it.
//!
//! Each task has an area at the top of its kernel stack, in the standard XSAVE format. A state is in the area, in the
//! registers, or in both (hazard 8):
//!
//! 1. The registers of a CPU hold the state of `fpu_owner`, or of nobody.
//! 2. A task's state is in the registers of CPU *c* if it owns them and `FpuState::cpu` is *c*; while it runs in user
//!    mode that is so. When it is switched away from, its area holds the same.
//! 3. Otherwise the area holds it if `is_saved`, else it is the initial state.
//!
//! A task that has been to user mode and is switched to finds its state in the registers: where other tasks had them, it
//! is loaded with the switch. That costs what a flag for the way to user mode, and that way, would cost by themselves.
//!
//! Source: Intel SDM volume 1, chapter 13; Linux's `arch/x86/include/uapi/asm/sigcontext.h` for the signal frame.

use core::arch::asm;
use core::cell::Cell;
use core::mem::MaybeUninit;
use core::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering};

use x86_64::registers::xcontrol::XCr0;
use zerocopy::IntoBytes;

use super::registers::cpuid;
use super::task::Context;
use super::{area, asm, features, memory};
use crate::error::Error;
use crate::user::{self, Fault};

const X87: u64 = 1;
const SSE: u64 = 2;
const AVX: u64 = 4;
const AVX512: u64 = 0xe0;
/// The legacy part, which FXSAVE writes.
const LEGACY: usize = 512;
const HEADER: usize = 64;
/// Largest area: all of the above.
const MAX_SIZE: usize = 2688;
/// Offset of the words that the signal frame keeps in the legacy part for software.
const SOFTWARE: usize = 464;
const MAGIC1: u32 = 0x4650_5853;
const MAGIC2: u32 = 0x4650_5845;
const MXCSR: usize = 24;
const MXCSR_MASK: usize = 28;
const INITIAL_MXCSR: u32 = 0x1f80;
const INITIAL_FCW: u16 = 0x37f;

const FXSAVE: u8 = 0;
const XSAVE: u8 = 1;
const XSAVEOPT: u8 = 2;

static MODE: AtomicU8 = AtomicU8::new(FXSAVE);
/// State components in use.
static MASK: AtomicU64 = AtomicU64::new(X87 | SSE);
/// Bytes of an area.
static SIZE: AtomicUsize = AtomicUsize::new(LEGACY);
/// MXCSR bits that exist.
static MXCSR_BITS: AtomicU32 = AtomicU32::new(0xffbf);

#[repr(C, align(64))]
struct Area([u8; MAX_SIZE]);

/// The state after exec.
static INITIAL: Area = {
    let mut area = Area([0; MAX_SIZE]);
    let fcw = INITIAL_FCW.to_le_bytes();
    (area.0[0], area.0[1]) = (fcw[0], fcw[1]);
    let mxcsr = INITIAL_MXCSR.to_le_bytes();
    (area.0[MXCSR], area.0[MXCSR + 1]) = (mxcsr[0], mxcsr[1]);
    area
};

/// What the kernel keeps of a task's state beside the area.
#[derive(Debug)]
pub(super) struct FpuState {
    /// The CPU whose registers last held the state.
    cpu: Cell<u32>,
    is_saved: Cell<bool>,
}

const NO_CPU: u32 = u32::MAX;
/// The value of `FpuState::cpu` while the area is being written: there is no state, and none is loaded or stored.
const IN_TRANSFER: u32 = u32::MAX - 1;

impl FpuState {
    pub(super) const fn new() -> Self {
        Self { cpu: Cell::new(NO_CPU), is_saved: Cell::new(false) }
    }
}

/// Decides what to save; the boot CPU, once.
pub(super) fn init() {
    let features = features::get();
    if features.xsave {
        let [low, _, _, high] = cpuid(13, 0);
        let supported = u64::from(high) << 32 | u64::from(low);
        let mut mask = supported & (X87 | SSE | AVX | AVX512);
        if mask & AVX512 != AVX512 || mask & AVX == 0 {
            mask &= !AVX512;
        }
        MASK.store(mask | X87 | SSE, Ordering::Relaxed);
        MODE.store(if features.xsaveopt { XSAVEOPT } else { XSAVE }, Ordering::Relaxed);
        // Each component says where it ends; the size that CPUID gives is for what is on already.
        let end = |component: u32| {
            let [size, offset, ..] = cpuid(13, component);
            (size + offset) as usize
        };
        let size = (2..8).filter(|i| mask & 1 << i != 0).map(end).fold(LEGACY + HEADER, usize::max);
        assert!(size <= MAX_SIZE, "the floating-point state is larger than defined");
        SIZE.store(size, Ordering::Relaxed);
    }
}

/// Turns the components on, on this CPU.
pub(super) fn init_cpu() {
    if features::get().xsave {
        // SAFETY: CR4.OSXSAVE is on, and the CPU has these components; they come in valid combinations.
        unsafe { XCr0::write_raw(MASK.load(Ordering::Relaxed)) };
    }
    load_initial();
    let mut probe = MaybeUninit::<Area>::zeroed();
    // SAFETY: FXSAVE writes 512 bytes of the 2688, aligned.
    unsafe { asm!("fxsave64 [{}]", in(reg) probe.as_mut_ptr(), options(nostack, preserves_flags)) };
    // SAFETY: zeroed, and partly overwritten.
    let probe = unsafe { probe.assume_init() };
    let bits =
        u32::from_le_bytes([MXCSR_MASK, MXCSR_MASK + 1, MXCSR_MASK + 2, MXCSR_MASK + 3].map(|i| probe.0[i]));
    if bits != 0 {
        MXCSR_BITS.store(bits, Ordering::Relaxed);
    }
}

/// Returns the bytes that a task's area takes from its stack.
pub(super) fn reserved() -> usize {
    SIZE.load(Ordering::Relaxed).next_multiple_of(64)
}

fn mask() -> u64 {
    MASK.load(Ordering::Relaxed)
}

/// Returns where the header of XSAVE lies in an area: behind the legacy part.
fn header_of(area: *mut u8) -> *mut [u64; HEADER / 8] {
    area.wrapping_add(LEGACY).cast()
}

/// Prepares the area of a new task: whatever XSAVE does not write.
///
/// # Safety
/// `area` has [`reserved`] bytes of the caller's own, aligned to 64.
pub(super) unsafe fn prepare(area: *mut u8) {
    if MODE.load(Ordering::Relaxed) != FXSAVE {
        // SAFETY: the caller's duty; the header lies behind the legacy part.
        unsafe { header_of(area).write([0; HEADER / 8]) };
    }
    // SAFETY: the caller's duty.
    unsafe { write_software_words(area) };
}

/// Writes the words for software, which a program finds in a signal frame.
///
/// # Safety
/// As for [`prepare`].
unsafe fn write_software_words(area: *mut u8) {
    let mut software = [0u32; (LEGACY - SOFTWARE) / 4];
    if MODE.load(Ordering::Relaxed) != FXSAVE {
        software[..5].copy_from_slice(&[
            MAGIC1,
            frame_size() as u32,
            mask() as u32,
            (mask() >> 32) as u32,
            SIZE.load(Ordering::Relaxed) as u32,
        ]);
    }
    let place = area.wrapping_add(SOFTWARE).cast::<[u32; (LEGACY - SOFTWARE) / 4]>();
    // SAFETY: the caller's duty; aligned to 4. The CPU neither reads nor writes these bytes.
    unsafe { place.write(software) };
}

/// Stores the registers. `whole`: also the components that have not been changed.
///
/// # Safety
/// `area` is a prepared area, exclusive to this CPU.
unsafe fn store(area: *mut u8, whole: bool) {
    let (low, high) = (mask() as u32, (mask() >> 32) as u32);
    match MODE.load(Ordering::Relaxed) {
        XSAVEOPT if !whole => {
            // SAFETY: the caller's duty; the CPU has the instruction.
            unsafe {
                asm!("xsaveopt64 [{}]", in(reg) area, in("eax") low, in("edx") high, options(nostack, preserves_flags))
            }
        }
        FXSAVE => {
            // SAFETY: the caller's duty.
            unsafe { asm!("fxsave64 [{}]", in(reg) area, options(nostack, preserves_flags)) }
        }
        _ => {
            // SAFETY: the caller's duty; the CPU has the instruction.
            unsafe {
                asm!("xsave64 [{}]", in(reg) area, in("eax") low, in("edx") high, options(nostack, preserves_flags))
            }
        }
    }
}

/// Loads the registers; false if the CPU refuses the state.
///
/// # Safety
/// `area` is an area with a state.
unsafe fn load(area: *const u8) -> bool {
    if MODE.load(Ordering::Relaxed) == FXSAVE {
        // SAFETY: the caller's duty; a fault is caught (hazard 9).
        return unsafe { asm::hal_fxrstor(area) } == 0;
    }
    // SAFETY: as above.
    unsafe { asm::hal_xrstor(area, mask()) == 0 }
}

fn load_initial() {
    // SAFETY: a valid state.
    let is_valid = unsafe { load(INITIAL.0.as_ptr()) };
    assert!(is_valid, "the CPU refuses the initial floating-point state");
}

fn is_owner(context: &Context) -> bool {
    core::ptr::eq(area::this().fpu_owner.load(Ordering::Relaxed), context)
}

/// Saves what is in the registers before another task gets the CPU. Interrupts off.
#[inline]
pub(super) fn switch_out(context: &Context) {
    if is_owner(context) {
        // SAFETY: the task's own area; this CPU runs the task.
        unsafe { store(context.fpu_area(), false) };
        context.fpu.is_saved.set(true);
    }
}

/// Tells whether a task that gets the CPU finds its state in the registers. Interrupts off.
#[inline]
pub(super) fn is_loaded(context: &Context) -> bool {
    is_owner(context) && context.fpu.cpu.get() == area::id() as u32
}

/// Loads the state of the task that this CPU runs, or is about to run. Interrupts off.
#[inline]
pub(super) fn load_current(context: &Context) {
    if !is_loaded(context) && context.fpu.cpu.get() != IN_TRANSFER {
        // SAFETY: `is_saved` says that there is a state.
        let is_valid = context.fpu.is_saved.get() && unsafe { load(context.fpu_area()) };
        if !is_valid {
            load_initial();
        }
        area::this().fpu_owner.store((&raw const *context).cast_mut(), Ordering::Relaxed);
        context.fpu.cpu.set(area::id() as u32);
    }
}

/// Takes the current task's state out of the registers, without saving it. Interrupts off.
fn disown(context: &Context) {
    context.fpu.cpu.set(NO_CPU);
    if is_owner(context) {
        area::this().fpu_owner.store(core::ptr::null_mut(), Ordering::Relaxed);
    }
}

/// Gives the current task the initial state. The caller loads it. Interrupts off.
pub(super) fn reset(context: &Context) {
    disown(context);
    context.fpu.is_saved.set(false);
}

/// Copies the current task's state to a task that no CPU runs. Interrupts off.
pub(super) fn copy(to: &Context, current: &Context) {
    to.fpu.cpu.set(NO_CPU);
    if is_loaded(current) {
        // SAFETY: the caller has acquired the other task; its area is prepared.
        unsafe { store(to.fpu_area(), true) };
        to.fpu.is_saved.set(true);
    } else if current.fpu.is_saved.get() {
        // SAFETY: two areas of the same size; both tasks are the caller's.
        unsafe { memory::copy(to.fpu_area(), current.fpu_area(), SIZE.load(Ordering::Relaxed)) };
        to.fpu.is_saved.set(true);
    } else {
        to.fpu.is_saved.set(false);
    }
}

/// Returns the size of the state in a signal frame, with the second magic word.
pub(super) fn frame_size() -> usize {
    if MODE.load(Ordering::Relaxed) == FXSAVE { LEGACY } else { SIZE.load(Ordering::Relaxed) + 4 }
}

/// Stores the current task's state in user memory.
pub(super) fn save_to_user(context: &Context, addr: usize) -> Result<(), Fault> {
    crate::irq::disabled(|| {
        // A program reads the frame as it is, so that every component has to be there.
        load_current(context);
        // SAFETY: the current task's own area.
        unsafe { store(context.fpu_area(), true) };
        context.fpu.is_saved.set(true);
    });
    let size = SIZE.load(Ordering::Relaxed);
    // SAFETY: the current task's own area, all of it written by `prepare` and `store`; switching away in the middle of
    // the copy stores the same once more, through no reference.
    let bytes = unsafe { core::slice::from_raw_parts(context.fpu_area(), size) };
    user::copy_out(addr, bytes)?;
    if MODE.load(Ordering::Relaxed) != FXSAVE {
        let end = addr.checked_add(size).ok_or(Fault { copied: size })?;
        user::copy_out(end, &MAGIC2.to_le_bytes())?;
    }
    Ok(())
}

/// Takes the current task's state from user memory. The caller loads it.
///
/// # Errors
/// `Fault`; `OutOfRange` if the state is invalid. The task has the initial state then.
pub(super) fn restore_from_user(context: &Context, addr: usize) -> Result<(), Error> {
    let size = SIZE.load(Ordering::Relaxed);
    // From here to the end nobody takes what is in the area for a state.
    crate::irq::disabled(|| {
        reset(context);
        context.fpu.cpu.set(IN_TRANSFER);
    });
    let area = context.fpu_area();
    // SAFETY: the current task's own area of `size` bytes, initialised by `prepare` and by what was stored or copied
    // there; no CPU stores in it as long as no registers hold the state, which `IN_TRANSFER` keeps so.
    let bytes = unsafe { core::slice::from_raw_parts_mut(area, size) };
    let outcome = copy_state(bytes, addr);
    // SAFETY: the current task's own area; a program may have changed the words.
    unsafe { write_software_words(area) };
    context.fpu.cpu.set(NO_CPU);
    outcome?;
    context.fpu.is_saved.set(true);
    Ok(())
}

/// Copies a state from user memory to an area, and checks it.
fn copy_state(area: &mut [u8], addr: usize) -> Result<(), Error> {
    let size = area.len();
    if MODE.load(Ordering::Relaxed) == FXSAVE {
        user::copy_in(area, addr)?;
        return validate(area, &[0; HEADER / 8]);
    }
    // The whole at once; a frame of the legacy part only may end at an unmapped page.
    let copied = user::copy_in(area, addr).map_or_else(|fault| fault.copied, |()| size);
    if copied < LEGACY {
        return Err(Error::Fault);
    }
    let word = |at: usize| read_u32(area, SOFTWARE + at);
    let names_rest = word(0) == MAGIC1 && word(16) as usize == size && word(4) as usize == frame_size();
    let mut magic2 = [0; 4];
    if names_rest {
        user::copy_in(&mut magic2, addr.checked_add(size).ok_or(Error::Fault)?)?;
    }
    let mut header = [X87 | SSE, 0, 0, 0, 0, 0, 0, 0];
    if u32::from_le_bytes(magic2) == MAGIC2 {
        if copied < size {
            return Err(Error::Fault);
        }
        for (word, bytes) in header.iter_mut().zip(area[LEGACY..].as_chunks::<8>().0) {
            *word = u64::from_le_bytes(*bytes);
        }
    } else {
        // Only the legacy part: the other components become initial.
        area[LEGACY..LEGACY + HEADER].copy_from_slice(header.as_bytes());
    }
    validate(area, &header)
}

fn read_u32(bytes: &[u8], at: usize) -> u32 {
    bytes[at..].first_chunk().map_or(0, |word| u32::from_le_bytes(*word))
}

/// Refuses what XRSTOR would fault on: reserved bits of MXCSR and of the header, components that are off (hazard 9).
fn validate(legacy: &[u8], header: &[u64; HEADER / 8]) -> Result<(), Error> {
    let [components, reserved @ ..] = header;
    let reserved = reserved.iter().fold(components & !mask(), |all, word| all | word);
    if read_u32(legacy, MXCSR) & !MXCSR_BITS.load(Ordering::Relaxed) != 0 || reserved != 0 {
        return Err(Error::OutOfRange);
    }
    Ok(())
}
