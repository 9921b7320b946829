//! Names of functions, from the table that the build puts into the image (format: `xtask/src/symbols.rs`).

use super::asm::{self, address};
use super::start_info::u32_at;

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
pub(super) fn lookup(addr: usize) -> Option<(&'static str, usize)> {
    let table = between(&asm::__kallsyms_start, &asm::__kallsyms_end);
    let offset = u32::try_from(addr.checked_sub(address(&asm::__text_start))?).ok()?;
    let count = u32_at(table, 0)? as usize;
    let entry = |i: usize| Some((u32_at(table, 8 + 8 * i)?, u32_at(table, 12 + 8 * i)? as usize));
    let (mut low, mut high) = (0, count.checked_sub(1)?);
    if offset >= entry(high)?.0 || offset < entry(0)?.0 {
        return None;
    }
    // The entry at `low` begins at or before the address, the one at `high` behind it.
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if entry(middle)?.0 <= offset {
            low = middle;
        } else {
            high = middle;
        }
    }
    let (start, name) = entry(low)?;
    let names = table.get(8 + 8 * count..)?.get(name..)?;
    let len = names.iter().position(|&byte| byte == 0)?;
    Some((core::str::from_utf8(&names[..len]).ok()?, (offset - start) as usize))
}
