//! What this CPU can do, asked once.

use super::registers::cpuid;
use crate::sync::Once;

/// Who runs below the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Below {
    /// Nobody.
    Nothing,
    /// QEMU's translator: every instruction of a string move costs.
    Emulator,
    /// A hypervisor.
    Hypervisor,
}

/// Features that the kernel uses.
#[derive(Clone, Debug)]
pub(super) struct Features {
    pub(super) below: Below,
    /// CPUID leaf 1, EDX, which programs are told.
    pub(super) basic_d: u32,
    pub(super) smep: bool,
    pub(super) smap: bool,
    pub(super) umip: bool,
    pub(super) fsgsbase: bool,
    pub(super) xsave: bool,
    pub(super) xsaveopt: bool,
    pub(super) pcid: bool,
    pub(super) x2apic: bool,
    pub(super) tsc_deadline: bool,
    pub(super) invariant_tsc: bool,
    pub(super) no_execute: bool,
    pub(super) gigabyte_pages: bool,
    pub(super) fast_rep_movsb: bool,
    pub(super) fast_short_rep_movsb: bool,
    pub(super) rdrand: bool,
    pub(super) rdseed: bool,
}

static FEATURES: Once<Features> = Once::new();

/// Returns the boot CPU's features; the others are taken to be the same.
pub(super) fn get() -> &'static Features {
    FEATURES.get_or_init(detect)
}

fn detect() -> Features {
    let max = cpuid(0, 0)[0];
    let max_extended = cpuid(0x8000_0000, 0)[0];
    let leaf = |number: u32, subleaf: u32| {
        let limit = if number & 0x8000_0000 == 0 { max } else { max_extended };
        if number <= limit { cpuid(number, subleaf) } else { [0; 4] }
    };
    let bit = |word: u32, number: u32| word & 1 << number != 0;
    let [_, _, basic_c, basic_d] = leaf(1, 0);
    let [_, extended_b, extended_c, extended_d] = leaf(7, 0);
    let [_, _, _, amd_d] = leaf(0x8000_0001, 0);
    let [_, _, _, power_d] = leaf(0x8000_0007, 0);
    let [xsave_a, ..] = leaf(13, 1);
    let xsave = bit(basic_c, 26);
    Features {
        below: below(bit(basic_c, 31)),
        basic_d,
        smep: bit(extended_b, 7),
        smap: bit(extended_b, 20),
        umip: bit(extended_c, 2),
        fsgsbase: bit(extended_b, 0),
        xsave,
        xsaveopt: xsave && bit(xsave_a, 0),
        pcid: bit(basic_c, 17),
        x2apic: bit(basic_c, 21),
        tsc_deadline: bit(basic_c, 24),
        invariant_tsc: bit(power_d, 8),
        no_execute: bit(amd_d, 20),
        gigabyte_pages: bit(amd_d, 26),
        fast_rep_movsb: bit(extended_b, 9),
        fast_short_rep_movsb: bit(extended_d, 4),
        rdrand: bit(basic_c, 30),
        rdseed: bit(extended_b, 18),
    }
}

fn below(is_virtual: bool) -> Below {
    if !is_virtual {
        return Below::Nothing;
    }
    let [_, b, c, d] = cpuid(0x4000_0000, 0);
    let is_emulator = [b, c, d].map(u32::to_le_bytes).as_flattened() == b"TCGTCGTCGTCG";
    if is_emulator { Below::Emulator } else { Below::Hypervisor }
}
