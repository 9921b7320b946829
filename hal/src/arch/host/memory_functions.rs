//! Tests of the PC's memcpy, memset and memcmp (`asm/memory.s`), which the host runs under names of their own.

use core::arch::global_asm;
use core::cmp::Ordering;
use std::vec::Vec;

global_asm!(
    ".macro FUNCTION name\n.globl hal_test_\\name\nhal_test_\\name:\n.endm",
    include_str!("../x86_64/asm/memory.s"),
);

/// Copies of more bytes are done another way on CPUs that say so; the word is the PC's.
#[unsafe(no_mangle)]
static hal_movsb_min: u64 = 1 << 10;

// SAFETY: the assembly above, by the calling convention of C.
unsafe extern "C" {
    fn hal_test_memcpy(dst: *mut u8, src: *const u8, len: usize) -> *mut u8;
    fn hal_test_memset(dst: *mut u8, byte: i32, len: usize) -> *mut u8;
    fn hal_test_memcmp(a: *const u8, b: *const u8, len: usize) -> i32;
}

/// Lengths around every boundary, and a long one.
fn lengths() -> impl Iterator<Item = usize> {
    (0..=130).chain([1023, 1024, 1025, 4099])
}

fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i * 7 + i / 251) as u8).collect()
}

#[test]
fn memcpy_copies_exactly_its_range() {
    for len in lengths() {
        let src = pattern(len);
        let mut dst = std::vec![0xee; len + 32];
        let at = dst[16..].as_mut_ptr();
        // SAFETY: both ranges are `len` bytes long and apart.
        let returned = unsafe { hal_test_memcpy(at, src.as_ptr(), len) };
        assert_eq!(returned, at);
        assert_eq!(dst[16..16 + len], src);
        assert!(dst[..16].iter().chain(&dst[16 + len..]).all(|&byte| byte == 0xee), "length {len}");
    }
}

#[test]
fn memset_fills_exactly_its_range() {
    for len in lengths() {
        let mut dst = std::vec![0xee; len + 32];
        let at = dst[16..].as_mut_ptr();
        // SAFETY: the range is `len` bytes long. Only the low byte of the value counts.
        let returned = unsafe { hal_test_memset(at, 0x1a5, len) };
        assert_eq!(returned, at);
        assert!(dst[16..16 + len].iter().all(|&byte| byte == 0xa5), "length {len}");
        assert!(dst[..16].iter().chain(&dst[16 + len..]).all(|&byte| byte == 0xee), "length {len}");
    }
}

#[test]
fn memcmp_orders_by_the_first_difference() {
    for len in lengths() {
        let a = pattern(len);
        // SAFETY: both ranges are `len` bytes long; so below.
        assert_eq!(unsafe { hal_test_memcmp(a.as_ptr(), a.clone().as_ptr(), len) }, 0);
        for at in (0..len).filter(|at| len < 200 || at % 97 == 0) {
            let mut b = a.clone();
            b[at] ^= 0x80;
            // What comes behind the difference does not count.
            let fill = if a[at] < b[at] { 0 } else { 0xff };
            b[at + 1..].fill(fill);
            // SAFETY: as above.
            let sign = unsafe { hal_test_memcmp(a.as_ptr(), b.as_ptr(), len) }.cmp(&0);
            assert_eq!(sign, a.cmp(&b), "length {len}, difference at {at}");
            assert_ne!(sign, Ordering::Equal);
        }
    }
}
