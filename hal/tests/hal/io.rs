//! Tests of claimed ports.

use hal::Error;
use hal::io::Ports;

#[test]
fn a_range_is_claimed_once_until_it_is_given_back() {
    let ports = Ports::claim(0x3f8, 8).unwrap();
    assert_eq!(Ports::claim(0x3ff, 1).unwrap_err(), Error::InUse);
    assert_eq!(Ports::claim(0x3f0, 9).unwrap_err(), Error::InUse);
    let next = Ports::claim(0x400, 4).unwrap();
    drop(ports);
    let _again = Ports::claim(0x3f8, 8).unwrap();
    drop(next);
}

#[test]
fn ports_of_the_machine_are_refused() {
    for (base, len) in
        [(0x20, 2), (0x40, 4), (0x61, 1), (0x70, 2), (0x68, 16), (0xa1, 1), (0xcf8, 4), (0xd, 0xff00)]
    {
        assert_eq!(Ports::claim(base, len).unwrap_err(), Error::Unsupported, "{base:#x}");
    }
    assert_eq!(Ports::claim(0x3f8, 0).unwrap_err(), Error::OutOfRange);
    assert_eq!(Ports::claim(0xffff, 2).unwrap_err(), Error::OutOfRange);
}
