//! A set of CPUs in one word.

use crate::cpu::CpuId;

/// A set of CPUs.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct CpuMask(pub(crate) u64);

const _: () = assert!(crate::cpu::MAX_CPUS <= 64);

#[allow(dead_code, reason = "each back-end uses its own part")]
impl CpuMask {
    pub(crate) fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(crate) fn contains(self, cpu: CpuId) -> bool {
        self.0 & (1 << cpu.index()) != 0
    }

    pub(crate) fn iter(self) -> impl Iterator<Item = CpuId> {
        (0..64).filter(move |i| self.0 & (1 << i) != 0).map(CpuId::new)
    }
}
