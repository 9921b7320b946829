//! Features of x86 processors by the names that `/proc/cpuinfo` gives them.

/// A register of a CPUID leaf: leaf, subleaf, register (0 eax, 1 ebx, 2 ecx, 3 edx), and the names of bits 0 to 31;
/// empty where there is none, or where Linux prints none.
type Word = (u32, u32, usize, [&'static str; 32]);

/// In the order in which Linux prints them (`X86_FEATURE_*` words 0, 1, 4, 6, and what the kernel uses of 9 to 18).
const WORDS: [Word; 8] = [
    (
        1,
        0,
        3,
        [
            "fpu", "vme", "de", "pse", "tsc", "msr", "pae", "mce", "cx8", "apic", "", "sep", "mtrr", "pge",
            "mca", "cmov", "pat", "pse36", "pn", "clflush", "", "dts", "acpi", "mmx", "fxsr", "sse", "sse2",
            "ss", "ht", "tm", "ia64", "pbe",
        ],
    ),
    (
        0x8000_0001,
        0,
        3,
        [
            "", "", "", "", "", "", "", "", "", "", "", "syscall", "", "", "", "", "", "", "", "mp", "nx",
            "", "mmxext", "", "", "fxsr_opt", "pdpe1gb", "rdtscp", "", "lm", "3dnowext", "3dnow",
        ],
    ),
    (
        1,
        0,
        2,
        [
            "pni",
            "pclmulqdq",
            "dtes64",
            "monitor",
            "ds_cpl",
            "vmx",
            "smx",
            "est",
            "tm2",
            "ssse3",
            "cid",
            "sdbg",
            "fma",
            "cx16",
            "xtpr",
            "pdcm",
            "",
            "pcid",
            "dca",
            "sse4_1",
            "sse4_2",
            "x2apic",
            "movbe",
            "popcnt",
            "tsc_deadline_timer",
            "aes",
            "xsave",
            "",
            "avx",
            "f16c",
            "rdrand",
            "hypervisor",
        ],
    ),
    (
        0x8000_0001,
        0,
        2,
        [
            "lahf_lm",
            "cmp_legacy",
            "svm",
            "extapic",
            "cr8_legacy",
            "abm",
            "sse4a",
            "misalignsse",
            "3dnowprefetch",
            "osvw",
            "ibs",
            "xop",
            "skinit",
            "wdt",
            "",
            "lwp",
            "fma4",
            "tce",
            "",
            "nodeid_msr",
            "",
            "tbm",
            "topoext",
            "perfctr_core",
            "perfctr_nb",
            "",
            "bpext",
            "ptsc",
            "perfctr_llc",
            "mwaitx",
            "",
            "",
        ],
    ),
    (
        7,
        0,
        1,
        [
            "fsgsbase",
            "tsc_adjust",
            "sgx",
            "bmi1",
            "hle",
            "avx2",
            "",
            "smep",
            "bmi2",
            "erms",
            "invpcid",
            "rtm",
            "cqm",
            "",
            "mpx",
            "rdt_a",
            "avx512f",
            "avx512dq",
            "rdseed",
            "adx",
            "smap",
            "avx512ifma",
            "",
            "clflushopt",
            "clwb",
            "intel_pt",
            "avx512pf",
            "avx512er",
            "avx512cd",
            "sha_ni",
            "avx512bw",
            "avx512vl",
        ],
    ),
    (
        13,
        1,
        0,
        [
            "xsaveopt", "xsavec", "xgetbv1", "xsaves", "", "", "", "", "", "", "", "", "", "", "", "", "",
            "", "", "", "", "", "", "", "", "", "", "", "", "", "", "",
        ],
    ),
    (
        7,
        0,
        2,
        [
            "",
            "avx512vbmi",
            "umip",
            "pku",
            "ospke",
            "waitpkg",
            "avx512_vbmi2",
            "",
            "gfni",
            "vaes",
            "vpclmulqdq",
            "avx512_vnni",
            "avx512_bitalg",
            "tme",
            "avx512_vpopcntdq",
            "",
            "la57",
            "",
            "",
            "",
            "",
            "",
            "rdpid",
            "",
            "",
            "cldemote",
            "",
            "movdiri",
            "movdir64b",
            "enqcmd",
            "",
            "",
        ],
    ),
    (
        7,
        0,
        3,
        [
            "",
            "",
            "avx512_4vnniw",
            "avx512_4fmaps",
            "fsrm",
            "",
            "",
            "",
            "avx512_vp2intersect",
            "",
            "md_clear",
            "",
            "",
            "",
            "serialize",
            "",
            "tsxldtrk",
            "",
            "pconfig",
            "arch_lbr",
            "ibt",
            "",
            "amx_bf16",
            "avx512_fp16",
            "amx_tile",
            "amx_int8",
            "",
            "",
            "flush_l1d",
            "arch_capabilities",
            "",
            "",
        ],
    ),
];

/// Features whose state is not saved: a program must not see them.
const HIDDEN: [&str; 6] = ["pku", "ospke", "mpx", "amx_bf16", "amx_tile", "amx_int8"];

/// Calls `each` with the name of every feature that the processor has and programs may see, in the order in which Linux
/// prints them. `cpuid(leaf, subleaf)` answers with eax, ebx, ecx, edx.
pub fn for_each(cpuid: impl Fn(u32, u32) -> [u32; 4], mut each: impl FnMut(&'static str)) {
    let limits = [cpuid(0, 0)[0], cpuid(0x8000_0000, 0)[0]];
    for (leaf, subleaf, register, bits) in WORDS {
        if leaf > limits[usize::from(leaf & 0x8000_0000 != 0)] {
            continue;
        }
        let word = cpuid(leaf, subleaf)[register];
        let set = bits.iter().enumerate().filter(|(i, name)| word & 1 << i != 0 && !name.is_empty());
        set.map(|(_, name)| *name).filter(|name| !HIDDEN.contains(name)).for_each(&mut each);
    }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::*;

    fn names(leaves: &[(u32, [u32; 4])]) -> Vec<&'static str> {
        let cpuid = |leaf, _| leaves.iter().find(|known| known.0 == leaf).map_or([0; 4], |known| known.1);
        let mut names = Vec::new();
        for_each(cpuid, |name| names.push(name));
        names
    }

    #[test]
    fn names_come_in_the_order_of_linux_and_hidden_ones_not_at_all() {
        let processor = [
            (0, [7, 0, 0, 0]),
            (1, [0, 0, 1 | 1 << 31, 1 | 1 << 25]),
            (7, [0, 1 << 7 | 1 << 14, 1 << 3, 0]),
            (0x8000_0000, [0x8000_0001, 0, 0, 0]),
            (0x8000_0001, [0, 0, 0, 1 << 29]),
        ];
        assert_eq!(names(&processor), ["fpu", "sse", "lm", "pni", "hypervisor", "smep"]);
    }

    #[test]
    fn leaves_that_the_processor_lacks_are_not_asked() {
        assert_eq!(names(&[(0, [0; 4]), (1, [u32::MAX; 4]), (7, [u32::MAX; 4])]), Vec::<&str>::new());
    }
}
