//! Interrupts of devices, and this CPU's interrupt flag.

use core::sync::atomic::{AtomicPtr, AtomicU64, Ordering};

use crate::arch;
use crate::error::Error;

/// Largest number of interrupt lines.
pub const MAX_LINES: usize = 256;

/// An interrupt line: a global system interrupt of ACPI.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Irq(u32);

impl Irq {
    /// The first serial port's legacy line.
    pub const SERIAL: Irq = Irq::legacy(4);
    /// The keyboard's legacy line.
    pub const KEYBOARD: Irq = Irq::legacy(1);

    /// Names a legacy ISA line, 0 to 15; the back-end knows where it is wired.
    pub const fn legacy(line: u8) -> Self {
        assert!(line < 16);
        Self(line as u32)
    }

    /// Names a global system interrupt; `None` beyond [`MAX_LINES`].
    pub const fn global(gsi: u32) -> Option<Self> {
        if (gsi as usize) < MAX_LINES { Some(Self(gsi)) } else { None }
    }

    /// Returns the number.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

crate::machine_static! {
    /// The handler of each line, a `fn()` or null.
    static HANDLERS: [AtomicPtr<()>; MAX_LINES] = [const { AtomicPtr::new(core::ptr::null_mut()) }; MAX_LINES];
}

crate::per_cpu! {
    /// How often each line interrupted a CPU.
    static COUNTS: [AtomicU64; MAX_LINES] = [const { AtomicU64::new(0) }; MAX_LINES];
}

/// Returns how often a line has interrupted each CPU.
pub fn counts(irq: Irq) -> impl Iterator<Item = u64> {
    COUNTS.iter().map(move |counts| counts[irq.index()].load(Ordering::Relaxed))
}

/// Tells whether a line has a handler.
pub fn is_handled(irq: Irq) -> bool {
    !HANDLERS[irq.index()].load(Ordering::Relaxed).is_null()
}

/// Installs the handler of a line and unmasks it. The handler runs in interrupt context: it must not block, nor take any
/// lock but a `SpinLockIrq`, nor allocate.
///
/// # Errors
/// - `InUse`: the line has a handler.
/// - `Unsupported`: no interrupt controller has the line.
pub fn register(irq: Irq, handler: fn()) -> Result<(), Error> {
    let slot = &HANDLERS[irq.index()];
    // Release pairs with the acquire in `dispatch`.
    slot.compare_exchange(core::ptr::null_mut(), handler as *mut (), Ordering::Release, Ordering::Relaxed)
        .map_err(|_| Error::InUse)?;
    arch::irq::unmask(irq).inspect_err(|_| slot.store(core::ptr::null_mut(), Ordering::Relaxed))
}

/// Calls the handler of a line; for the back-ends, in interrupt context.
pub(crate) fn dispatch(irq: Irq) {
    COUNTS.get()[irq.index()].fetch_add(1, Ordering::Relaxed);
    let handler = HANDLERS[irq.index()].load(Ordering::Acquire);
    if !handler.is_null() {
        // SAFETY: only `register` stores here, and only values of this type.
        let handler = unsafe { core::mem::transmute::<*mut (), fn()>(handler) };
        handler();
    }
}

/// Runs `f` with interrupts off on this CPU.
#[inline]
pub fn disabled<R>(f: impl FnOnce() -> R) -> R {
    struct Restore(bool);
    impl Drop for Restore {
        #[inline]
        fn drop(&mut self) {
            arch::irq::restore(self.0);
        }
    }
    let _restore = Restore(arch::irq::disable());
    f()
}

/// Turns interrupts on: the end of a boot function, which starts with interrupts off.
pub fn enable() {
    arch::irq::restore(true);
}

/// Tells whether interrupts are on.
pub fn are_enabled() -> bool {
    arch::irq::enabled()
}

/// Tells whether this runs in an interrupt handler.
pub fn in_interrupt() -> bool {
    arch::irq::in_interrupt()
}

/// Tells whether the interrupt being served came while the CPU was in user mode. For interrupt handlers.
pub fn interrupted_user() -> bool {
    arch::irq::interrupted_user()
}
