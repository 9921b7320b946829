//! Copies of user memory.

use hal::PAGE_SIZE;
use hal::frame::Frame;
use hal::paging::{PageFlags, PageTable};
use hal::sim;
use hal::user::{Fault, read_cstr};

use crate::test_kernel;

const PAGE: usize = 0x40_0000;

/// Makes a space with one page at [`PAGE`] and nothing behind it.
fn one_page() -> (PageTable, Frame) {
    let mut table = PageTable::new().unwrap();
    let frame = test_kernel::frame(0);
    frame.zero();
    table.map(PAGE, frame.clone(), PageFlags::USER).unwrap();
    sim::set_space(&table.space());
    (table, frame)
}

#[test]
fn a_string_is_read_up_to_its_end_wherever_it_lies() {
    let (_table, frame) = one_page();
    let text = [b'x'; 100];
    for len in 0..text.len() {
        for start in (0..70).chain(PAGE_SIZE - len - 1 - 9..PAGE_SIZE - len) {
            frame.write(start, &text[..len]);
            frame.write(start + len, &[0]);
            let mut buf = [b'?'; 128];
            assert_eq!(read_cstr(PAGE + start, &mut buf), Ok(Some(len)), "{len} bytes at {start}");
            assert_eq!(buf[..len], text[..len]);
        }
    }
}

#[test]
fn a_string_without_an_end_is_too_long_or_a_fault() {
    let (_table, frame) = one_page();
    frame.write(0, &[0xff; PAGE_SIZE]);
    let mut buf = [0; 50];
    assert_eq!(read_cstr(PAGE, &mut buf), Ok(None));
    assert_eq!(read_cstr(PAGE + PAGE_SIZE - 50, &mut buf), Ok(None));
    assert_eq!(read_cstr(PAGE + PAGE_SIZE - 49, &mut buf), Err(Fault { copied: 49 }));
    assert_eq!(read_cstr(usize::MAX - 3, &mut buf), Err(Fault { copied: 0 }));
}
