//! Tests of the place for one `Arc`.

use std::sync::Arc;

use hal::sync::ArcSlot;

#[test]
fn the_slot_owns_one_count_and_gives_it_back() {
    let value = Arc::new(7);
    let slot = ArcSlot::new();
    assert!(slot.put(value.clone()).is_none());
    assert_eq!(Arc::strong_count(&value), 2);
    let old = slot.put(Arc::new(8)).unwrap();
    assert_eq!(*old, 7);
    drop(old);
    assert_eq!(Arc::strong_count(&value), 1);
    assert_eq!(*slot.take().unwrap(), 8);
    assert!(slot.take().is_none());
}

#[test]
fn dropping_the_slot_drops_its_content() {
    let value = Arc::new(1);
    let slot = ArcSlot::new();
    slot.put(value.clone());
    drop(slot);
    assert_eq!(Arc::strong_count(&value), 1);
}
