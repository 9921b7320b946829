//! Names of functions, from the table that the build puts into the image (`xtask/src/symbols.rs`).

use super::asm::{self, address};

/// Returns the bytes between two symbols of the linker.
fn between(start: &'static u8, end: &'static u8) -> &'static [u8] {
    let first = core::ptr::with_exposed_provenance(address(start));
    // SAFETY: the linker script places constants between the two.
    unsafe { core::slice::from_raw_parts(first, address(end) - address(start)) }
}

/// Tells whether an address lies in the kernel's code.
pub(super) fn is_code(addr: usize) -> bool {
    (address(&asm::__text_start)..address(&asm::__text_end)).contains(&addr)
}

/// Returns the function that contains an address, and the offset in it.
pub(super) fn lookup(addr: usize) -> Option<(&'static str, u32)> {
    let offset = u32::try_from(addr.checked_sub(address(&asm::__text_start))?).ok()?;
    symbol_table::lookup(between(&asm::__kallsyms_start, &asm::__kallsyms_end), offset)
}
