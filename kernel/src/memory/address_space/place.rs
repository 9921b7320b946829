//! Where a new mapping goes.

use hal::USER_END;
use hal::addr::{is_page_aligned, page_floor};
use linux_abi::errno::Errno;
use linux_abi::limits::MMAP_MIN_ADDR;

use super::mm::Mm;

/// Where a mapping goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Anywhere; here, if that is free and not 0.
    Hint(usize),
    /// Here, in place of what is there.
    Fixed(usize),
    /// Here, or nowhere.
    FixedNoReplace(usize),
    /// Anywhere below 2 GiB.
    Low,
}

impl Mm {
    /// Chooses the address of a new mapping (`get_unmapped_area`).
    pub(super) fn place(&mut self, place: Place, len: usize) -> Result<usize, Errno> {
        if len > USER_END {
            return Err(Errno::ENOMEM);
        }
        match place {
            Place::Fixed(start) | Place::FixedNoReplace(start) => {
                if start > USER_END - len {
                    return Err(Errno::ENOMEM);
                }
                if !is_page_aligned(start) {
                    return Err(Errno::EINVAL);
                }
                if matches!(place, Place::FixedNoReplace(_))
                    && self.vmas.overlapping(start..start + len).next().is_some()
                {
                    return Err(Errno::EEXIST);
                }
                Ok(start)
            }
            Place::Low => self.vmas.gap_bottom_up(len, 0x4000_0000..0x8000_0000).ok_or(Errno::ENOMEM),
            Place::Hint(hint) => {
                if page_floor(hint) != 0 {
                    let hint = page_floor(hint).max(MMAP_MIN_ADDR as usize);
                    if hint <= USER_END - len && self.vmas.is_free(hint..hint + len) {
                        return Ok(hint);
                    }
                }
                let lowest = MMAP_MIN_ADDR as usize;
                let top_down = self.vmas.gap_top_down(len, lowest..self.layout.mmap_base);
                let found =
                    top_down.or_else(|| self.vmas.gap_bottom_up(len, page_floor(USER_END / 3)..USER_END));
                found.ok_or(Errno::ENOMEM)
            }
        }
    }
}
