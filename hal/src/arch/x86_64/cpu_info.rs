//! What this CPU is, for `/proc/cpuinfo`: identity, sizes, features.

use raw_cpuid::CpuId as Cpuid;

use super::registers::cpuid;
use super::time;
use crate::cpu::CpuInfo;

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
    linux_abi::cpu_features::for_each(cpuid, |name| info.features.push(name));
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
