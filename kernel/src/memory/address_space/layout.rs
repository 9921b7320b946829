//! Where things lie in an address space, and by how much that varies at random.
//!
//! The figures are Linux's for x86-64: 28 random bits for mappings and position-independent programs, 22 for the stack.

use core::ops::Range;

use hal::{PAGE_SIZE, USER_END, addr::page_floor};
use linux_abi::limits::STACK_LIMIT;

use super::vma::STACK_GUARD_GAP;

const MMAP_RANDOM_PAGES: u64 = 1 << 28;
const STACK_RANDOM_PAGES: u64 = 1 << 22;
/// Room above the stack, in bytes, for what else a program finds at its start.
const ROOM_ABOVE_STACK: usize = 2 << 20;
/// What the stack may be shifted by at most, in bytes.
const STACK_RANDOM_MAX: usize = STACK_RANDOM_PAGES as usize * PAGE_SIZE;

/// What lies between the end of the user half and the mappings when nothing is random, in bytes.
const FIXED_GAP: usize = 128 << 20;

/// Places of an address space.
#[derive(Clone, Debug, Default)]
pub(super) struct Layout {
    /// Mappings are placed below.
    pub(super) mmap_base: usize,
    /// Where position-independent programs are loaded.
    pub(super) pie_base: usize,
    /// End of the stack.
    pub(super) stack_top: usize,
    /// Where, in bytes above the stack, things are put.
    pub(super) above_stack: usize,
    pub(super) start_brk: usize,
    pub(super) brk: usize,
    /// An address in the main stack.
    pub(super) start_stack: usize,
    pub(super) code: Range<usize>,
    pub(super) data: Range<usize>,
    /// Nothing is random.
    pub(super) is_fixed: bool,
}

impl Layout {
    /// Makes the layout in which nothing is random; mappings are placed where Linux begins with them.
    pub(super) fn fixed() -> Self {
        Self { mmap_base: USER_END - FIXED_GAP, is_fixed: true, ..Self::new([0; 32]) }
    }

    /// Makes a layout from random bytes; all zeroes give the highest addresses.
    pub(super) fn new(random: [u8; 32]) -> Self {
        let number = |i: usize, bound: u64| {
            let mut bytes = [0; 8];
            bytes.copy_from_slice(&random[i * 8..i * 8 + 8]);
            (u64::from_ne_bytes(bytes) % bound) as usize * PAGE_SIZE
        };
        let gap = STACK_LIMIT as usize + STACK_RANDOM_MAX + STACK_GUARD_GAP + ROOM_ABOVE_STACK;
        Self {
            mmap_base: USER_END - gap - number(0, MMAP_RANDOM_PAGES),
            pie_base: page_floor(USER_END / 3 * 2) + number(1, MMAP_RANDOM_PAGES),
            stack_top: USER_END - ROOM_ABOVE_STACK - number(2, STACK_RANDOM_PAGES),
            above_stack: number(3, (ROOM_ABOVE_STACK / PAGE_SIZE) as u64),
            ..Self::default()
        }
    }
}
