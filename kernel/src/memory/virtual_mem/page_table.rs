//! Page tables. A wrong entry breaks memory safety, so they are `hal`'s.

pub use hal::paging::{PageFlags, PageTable, flush_tlb, flush_tlb_all, map_page, translate, unmap_page};
