//! What the shoot-down needs of page tables.

#[path = "../../hal/src/paging/cpu_mask.rs"]
mod cpu_mask;

pub(crate) use cpu_mask::CpuMask;

pub(crate) fn leave_unused(_: crate::addr::PhysAddr) {}

pub(crate) fn obey(_: crate::cpu::CpuId, _: address_tags::Request) -> address_tags::Forget {
    unreachable!("the pages are the kernel's");
}
