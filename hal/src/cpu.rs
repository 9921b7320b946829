//! Processors: who am I, how many, wake one, wait, stop.

use alloc::vec::Vec;
use core::fmt;

use crate::arch;

/// Largest number of CPUs.
pub const MAX_CPUS: usize = 64;

/// The number of a CPU, from 0 (the boot CPU) to [`count`] - 1.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct CpuId(u32);

impl CpuId {
    /// The CPU that booted.
    pub const BOOT: CpuId = CpuId(0);

    /// Makes a number; whether such a CPU exists shows at use.
    #[inline]
    pub const fn new(index: usize) -> Self {
        Self(index as u32)
    }

    /// Returns the number as an index.
    #[inline]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

impl fmt::Debug for CpuId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cpu {}", self.0)
    }
}

/// What a CPU is, for `/proc/cpuinfo`.
#[derive(Clone, Debug, Default)]
pub struct CpuInfo {
    /// "GenuineIntel".
    pub vendor: arrayvec::ArrayString<12>,
    /// The brand string.
    pub brand: arrayvec::ArrayString<48>,
    /// Family, extended part added.
    pub family: u32,
    /// Model, extended part added.
    pub model: u32,
    /// Stepping.
    pub stepping: u32,
    /// Frequency of the time stamp counter in kHz.
    pub khz: u64,
    /// Size of the last-level cache in KiB, 0 if unknown.
    pub cache_kib: u32,
    /// Bytes of a cache line.
    pub cache_line: u32,
    /// Bits of a physical and of a virtual address.
    pub address_bits: (u8, u8),
    /// The features by their Linux names, in Linux's order.
    pub features: Vec<&'static str>,
}

/// Returns the CPU that runs this; stable as long as the thread does not block.
#[inline(always)]
pub fn id() -> CpuId {
    arch::cpu::id()
}

/// Returns the number of CPUs that this kernel uses, running or not yet started.
#[inline]
pub fn count() -> usize {
    arch::cpu::count()
}

/// Iterates over all CPUs.
pub fn all() -> impl DoubleEndedIterator<Item = CpuId> + ExactSizeIterator {
    (0..count()).map(CpuId::new)
}

/// Returns what this CPU is.
pub fn info() -> CpuInfo {
    arch::cpu::info()
}

/// Returns what programs may know of the CPU's features at their start, `AT_HWCAP` and `AT_HWCAP2`: CPUID leaf 1, EDX; and
/// bit 1 if they may read and write the FS and GS bases themselves.
pub fn user_features() -> (u64, u64) {
    arch::cpu::user_features()
}

/// Starts other CPUs, so that `limit` run if there are as many; each enters
/// [`Kernel::secondary_boot`](crate::Kernel::secondary_boot). Returns how many CPUs run in the end. To be called once, by the
/// boot CPU.
pub fn start_secondaries(limit: usize) -> usize {
    arch::cpu::start_secondaries(limit)
}

/// Interrupts a CPU with [`Kernel::reschedule_interrupt`](crate::Kernel::reschedule_interrupt), and ends its
/// [`wait_for_interrupt`].
pub fn send_reschedule(cpu: CpuId) {
    assert!(cpu.index() < count(), "no such CPU");
    arch::cpu::send_reschedule(cpu);
}

/// Turns interrupts on and waits for one, without a gap between the two; returns with interrupts on. The idle loop
/// checks with interrupts off that there is nothing to do, then calls this.
pub fn wait_for_interrupt() {
    arch::cpu::wait_for_interrupt();
}

/// Tells the CPU that this is a spin loop.
#[inline(always)]
pub fn relax() {
    arch::cpu::relax();
}

/// Returns the best seed the machine has: hardware random numbers, mixed with the time.
pub fn random_seed() -> [u8; 32] {
    arch::cpu::random_seed()
}

/// Switches the machine off; halts if it cannot.
pub fn power_off() -> ! {
    arch::cpu::power_off()
}

/// Resets the machine.
pub fn reboot() -> ! {
    arch::cpu::reboot()
}

/// Stops this CPU for ever.
pub fn halt() -> ! {
    arch::cpu::halt()
}
