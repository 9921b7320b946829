//! Tests of addresses and frame numbers.

use hal::addr::*;

#[test]
fn page_rounding_reports_the_wrap() {
    assert_eq!(page_floor(0x1fff), 0x1000);
    assert_eq!(page_ceil(0x1001), Some(0x2000));
    assert_eq!(page_ceil(0x1000), Some(0x1000));
    assert_eq!(page_ceil(usize::MAX), None);
}

#[test]
fn blocks_cover_a_range_exactly_and_are_aligned() {
    for (start, end) in [(0, 0), (1, 2), (3, 17), (1, 9000), (5, 5), (4096, 12288)] {
        let mut at = start;
        for (first, order) in FrameNumber::blocks(FrameNumber::new(start)..FrameNumber::new(end)) {
            assert_eq!(first.get(), at);
            assert!(first.is_aligned_to(order) && order <= MAX_ORDER);
            at += 1 << order;
        }
        assert_eq!(at, end);
    }
}

#[test]
fn physical_addresses_stop_at_52_bits() {
    assert_eq!(PhysAddr::new(0xf_ffff_ffff_ffff).checked_add(1), None);
    assert_eq!(PhysAddr::new(0x1234).frame(), Some(FrameNumber::new(1)));
    assert_eq!(PhysAddr::new(1 << 51).frame(), None);
}
