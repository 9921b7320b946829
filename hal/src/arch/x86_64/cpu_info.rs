//! What this CPU is, for `/proc/cpuinfo`: identity, sizes, and the features by Linux's names.

use alloc::vec::Vec;

use raw_cpuid::CpuId as Cpuid;

use super::registers::cpuid;
use super::time;
use crate::cpu::CpuInfo;

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

fn features() -> Vec<&'static str> {
    let limits = [cpuid(0, 0)[0], cpuid(0x8000_0000, 0)[0]];
    let mut names = Vec::new();
    for (leaf, subleaf, register, bits) in WORDS {
        if leaf > limits[usize::from(leaf & 0x8000_0000 != 0)] {
            continue;
        }
        let word = cpuid(leaf, subleaf)[register];
        let set = bits.iter().enumerate().filter(|(i, name)| word & 1 << i != 0 && !name.is_empty());
        names.extend(set.map(|(_, name)| *name).filter(|name| !HIDDEN.contains(name)));
    }
    names
}

pub(crate) fn info() -> CpuInfo {
    let cpu = Cpuid::new();
    let mut info = CpuInfo { khz: time::tsc_hz() / 1000, cache_line: 64, ..CpuInfo::default() };
    if let Some(vendor) = cpu.get_vendor_info() {
        // Twelve bytes, as many as the string holds.
        let _ = info.vendor.try_push_str(vendor.as_str());
    }
    if let Some(brand) = cpu.get_processor_brand_string() {
        // 48 bytes, as many as the string holds.
        let _ = info.brand.try_push_str(brand.as_str().trim());
    }
    if let Some(basic) = cpu.get_feature_info() {
        info.family = basic.family_id().into();
        info.model = basic.model_id().into();
        info.stepping = basic.stepping_id().into();
        info.cache_line = u32::from(basic.cflush_cache_line_size()) * 8;
    }
    if let Some(sizes) = cpu.get_processor_capacity_feature_info() {
        info.address_bits = (sizes.physical_address_bits(), sizes.linear_address_bits());
    }
    info.cache_kib = cache_kib(&cpu);
    info.features = features();
    info
}

/// Returns the size of the last-level cache in KiB, 0 if the CPU does not tell.
fn cache_kib(cpu: &Cpuid<raw_cpuid::CpuIdReaderNative>) -> u32 {
    let intel = cpu.get_cache_parameters().and_then(|caches| {
        let last = caches.max_by_key(|cache| cache.level())?;
        let bytes =
            last.associativity() * last.physical_line_partitions() * last.coherency_line_size() * last.sets();
        Some((bytes / 1024) as u32)
    });
    intel.filter(|&kib| kib != 0).unwrap_or_else(|| {
        let l3 = cpu.get_l2_l3_cache_and_tlb_info();
        l3.map_or(0, |info| match u32::from(info.l3cache_size()) * 512 {
            0 => info.l2cache_size().into(),
            kib => kib,
        })
    })
}
