//! The assembly, and its symbols as Rust sees them.

use core::arch::global_asm;
use core::mem::offset_of;
use core::sync::atomic::{AtomicU64, AtomicUsize};

use super::area::CpuArea;
use super::{boot, kernel_map, tables, vdso};
use crate::task::{USER_CS, USER_SS};

global_asm!(
    include_str!("asm/boot.s"),
    include_str!("asm/user_copy.s"),
    ".macro FUNCTION name\n.globl \\name\n\\name:\n.endm",
    include_str!("asm/memory.s"),
    include_str!("asm/entry.s"),
    include_str!("asm/vdso.s"),
    TO_PHYSICAL = const kernel_map::IMAGE_BASE.wrapping_neg(),
    DIRECT_INDEX = const kernel_map::DIRECT_BASE >> 39 & 511,
    EARLY_STACK = const boot::EARLY_STACK,
    AREA_ENTRY_RSP = const offset_of!(CpuArea, entry_rsp),
    AREA_USER_RSP = const offset_of!(CpuArea, user_rsp),
    AREA_TASK = const offset_of!(CpuArea, task),
    USER_CS = const USER_CS,
    USER_SS = const USER_SS,
    VDSO_CODE_OFFSET = const crate::vdso::CODE_OFFSET,
    VDSO_CPU_SELECTOR = const tables::CPU_NUMBER_SELECTOR,
    VDSO_SEQUENCE = const vdso::SEQUENCE,
    VDSO_IS_COUNTER = const vdso::IS_COUNTER,
    VDSO_BASE_TICKS = const vdso::BASE_TICKS,
    VDSO_BASE_NS = const vdso::BASE_NS,
    VDSO_FACTOR = const vdso::FACTOR,
    VDSO_WALL_OFFSET = const vdso::WALL_OFFSET,
);

/// What a user access in one word answers: the value, and 1 in `fault` if there was none.
#[derive(Clone, Copy)]
#[repr(C)]
pub(super) struct Pair {
    pub(super) value: u64,
    pub(super) fault: u64,
}

/// The smallest copy that `hal_user_copy` does with REP MOVSB; set at start-up.
#[unsafe(no_mangle)]
pub(super) static hal_movsb_min: AtomicU64 = AtomicU64::new(u64::MAX);

// SAFETY: the statics are defined in the assembly above with these types (or are mere labels, of which only the address
// is taken), and each function follows the calling convention with this signature.
unsafe extern "C" {
    pub(super) safe static hal_entry_tsc: u64;
    pub(super) safe static hal_start_info: u64;
    pub(super) safe static hal_early_stack: u8;
    pub(super) safe static hal_trampoline: u8;
    pub(super) safe static hal_trampoline_end: u8;
    pub(super) safe static hal_trampoline_gdt: u8;
    pub(super) safe static hal_trampoline_jump: u8;
    pub(super) safe static hal_trampoline_root: u8;
    pub(super) safe static hal_trampoline_entry: u8;
    pub(super) safe static hal_secondary_stack: AtomicUsize;
    pub(super) safe static hal_secondary_entry: u8;

    pub(super) safe static hal_vdso_start: u8;
    pub(super) safe static hal_vdso_clock_gettime: u8;
    pub(super) safe static hal_vdso_gettimeofday: u8;
    pub(super) safe static hal_vdso_time: u8;
    pub(super) safe static hal_vdso_getcpu: u8;
    pub(super) safe static hal_vdso_end: u8;

    pub(super) safe static hal_syscall_entry: u8;
    pub(super) safe static hal_interrupt_stubs: u8;
    pub(super) safe static hal_task_entry: u8;
    pub(super) fn hal_enter_user(regs: *const crate::task::UserRegs) -> !;
    pub(super) fn hal_switch(save: *mut usize, load: usize, left: *const ()) -> *const ();

    pub(super) fn hal_user_copy(dst: *mut u8, src: *const u8, len: usize) -> usize;
    pub(super) fn hal_user_clear(dst: usize, len: usize) -> usize;
    pub(super) fn hal_user_copy_words(dst: usize, src: *const u8, stride: usize, count: usize) -> usize;
    pub(super) fn hal_user_read_cstr(dst: *mut u8, src: usize, len: usize) -> Pair;
    pub(super) fn hal_user_load_u32(addr: usize) -> Pair;
    pub(super) fn hal_user_store_u32(addr: usize, value: u32) -> Pair;
    pub(super) fn hal_user_compare_exchange_u32(addr: usize, old: u32, new: u32) -> Pair;
    pub(super) fn hal_xrstor(area: *const u8, mask: u64) -> u64;
    pub(super) fn hal_fxrstor(area: *const u8) -> u64;
}

// SAFETY: symbols of image/link.ld; only their addresses are taken.
unsafe extern "C" {
    pub(super) safe static __kernel_start: u8;
    pub(super) safe static __kernel_end: u8;
    pub(super) safe static __text_start: u8;
    pub(super) safe static __text_end: u8;
    pub(super) safe static __rodata_start: u8;
    pub(super) safe static __rodata_end: u8;
    pub(super) safe static __data_start: u8;
    pub(super) safe static __ex_table_start: u8;
    pub(super) safe static __ex_table_end: u8;
    pub(super) safe static __kallsyms_start: u8;
    pub(super) safe static __kallsyms_end: u8;
    pub(super) safe static __percpu_start: u8;
    pub(super) safe static __percpu_end: u8;
}

/// Returns the address of a linker or assembly symbol.
pub(super) fn address(symbol: &'static u8) -> usize {
    (&raw const *symbol).expose_provenance()
}

macro_rules! vectors {
    ($($vector:literal $name:ident),*) => {
        // SAFETY: labels in entry.s; only their addresses are taken.
        unsafe extern "C" {
            $(safe static $name: u8;)*
        }
        /// The entries of the exceptions: vector and address.
        pub(super) fn exception_entries() -> impl Iterator<Item = (usize, usize)> {
            [$(($vector, address(&$name))),*].into_iter()
        }
    };
}

vectors!(
    0 hal_vector_0, 1 hal_vector_1, 2 hal_vector_2, 3 hal_vector_3, 4 hal_vector_4, 5 hal_vector_5, 6 hal_vector_6,
    7 hal_vector_7, 8 hal_vector_8, 9 hal_vector_9, 10 hal_vector_10, 11 hal_vector_11, 12 hal_vector_12,
    13 hal_vector_13, 14 hal_vector_14, 15 hal_vector_15, 16 hal_vector_16, 17 hal_vector_17, 18 hal_vector_18,
    19 hal_vector_19, 20 hal_vector_20, 21 hal_vector_21, 22 hal_vector_22, 23 hal_vector_23, 24 hal_vector_24,
    25 hal_vector_25, 26 hal_vector_26, 27 hal_vector_27, 28 hal_vector_28, 29 hal_vector_29, 30 hal_vector_30,
    31 hal_vector_31
);
