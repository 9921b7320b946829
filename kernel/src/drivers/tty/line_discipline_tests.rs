//! Tests of the line discipline: keys in, lines, echo and signals out.

use super::*;
use crate::drivers::tty::input_queue::CAPACITY;

fn fresh() -> LineDiscipline {
    LineDiscipline::new(&Termios::INITIAL).unwrap()
}

fn read(discipline: &mut LineDiscipline, limit: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(limit);
    discipline.read(limit, &mut bytes);
    bytes
}

struct Typed {
    discipline: LineDiscipline,
    echo: Vec<u8>,
    signals: Vec<Signal>,
}

fn typed(keys: &[u8]) -> Typed {
    typed_with(fresh(), keys)
}

fn typed_with(mut discipline: LineDiscipline, keys: &[u8]) -> Typed {
    let (mut echo, mut signals) = (Output::echo(), Vec::new());
    for &key in keys {
        signals.extend(discipline.receive(key, &mut echo).signal);
    }
    Typed { discipline, echo: echo.bytes().to_vec(), signals }
}

#[test]
fn a_line_is_readable_when_it_ends_and_reads_stop_at_its_end() {
    let mut typed = typed(b"one\rtwo\rthr");
    assert_eq!(typed.echo, b"one\r\ntwo\r\nthr");
    assert_eq!(typed.discipline.readable_len(), 8);
    assert_eq!(read(&mut typed.discipline, 100), b"one\n");
    assert_eq!(read(&mut typed.discipline, 2), b"tw");
    assert_eq!(read(&mut typed.discipline, 100), b"o\n");
    assert!(!typed.discipline.has_input(1));
}

#[test]
fn end_of_file_ends_a_line_without_a_byte() {
    let mut typed = typed(b"ab\x04\x04");
    assert_eq!(typed.echo, b"ab");
    assert_eq!(read(&mut typed.discipline, 10), b"ab");
    assert!(typed.discipline.has_input(1));
    assert_eq!(read(&mut typed.discipline, 10), b"");
    assert!(!typed.discipline.has_input(1));
}

#[test]
fn erasing_rubs_out_what_was_echoed() {
    let mut typed = typed(b"ab\x7fc\x01\x7f\n");
    assert_eq!(typed.echo, b"ab\x08 \x08c^A\x08 \x08\x08 \x08\r\n");
    assert_eq!(read(&mut typed.discipline, 10), b"ac\n");
}

#[test]
fn erasing_a_tab_goes_back_to_where_it_began() {
    let mut typed = typed(b"a\t\x7fb\n");
    assert_eq!(typed.echo, b"a\t\x08\x08\x08\x08\x08\x08\x08b\r\n");
    assert_eq!(read(&mut typed.discipline, 10), b"ab\n");
}

#[test]
fn words_and_lines_can_be_erased() {
    let mut typed = typed(b"one two  \x17X\n");
    assert_eq!(read(&mut typed.discipline, 20), b"one X\n");
    let mut typed = typed_with(fresh(), b"gone\x15new\n");
    assert_eq!(read(&mut typed.discipline, 20), b"new\n");
}

#[test]
fn signal_keys_raise_signals_and_drop_input() {
    let mut typed = typed(b"abc\x03x\n\x1a\x1c");
    assert_eq!(typed.signals, [Signal::SIGINT, Signal::SIGTSTP, Signal::SIGQUIT]);
    // The echo that had not been sent went with the input.
    assert_eq!(typed.echo, b"^\\");
    let mut keeping = *typed.discipline.termios();
    keeping.c_lflag |= NOFLSH;
    typed.discipline.set_termios(keeping);
    let mut typed = typed_with(typed.discipline, b"abc\x03\n");
    assert_eq!(typed.echo, b"abc^C\r\n");
    assert_eq!(read(&mut typed.discipline, 10), b"abc\n");
    assert_eq!(read(&mut typed.discipline, 10), b"");
}

#[test]
fn the_next_key_can_be_taken_literally() {
    let mut typed = typed(b"\x16\x03\n");
    assert!(typed.signals.is_empty());
    assert_eq!(read(&mut typed.discipline, 10), b"\x03\n");
}

#[test]
fn raw_mode_passes_everything_on_at_once() {
    let mut discipline = fresh();
    let mut raw = *discipline.termios();
    raw.c_iflag = 0;
    raw.c_oflag = 0;
    raw.c_lflag = 0;
    discipline.set_termios(raw);
    let mut typed = typed_with(discipline, b"a\x03\r\x04");
    assert!(typed.signals.is_empty());
    assert_eq!(typed.echo, b"");
    assert!(typed.discipline.has_input(4));
    assert!(!typed.discipline.has_input(5));
    assert_eq!(read(&mut typed.discipline, 10), b"a\x03\r\x04");
}

#[test]
fn changing_modes_keeps_what_was_typed() {
    let mut typed = typed(b"half");
    let mut raw = *typed.discipline.termios();
    raw.c_lflag &= !ICANON;
    typed.discipline.set_termios(raw);
    assert_eq!(read(&mut typed.discipline, 2), b"ha");
    raw.c_lflag |= ICANON;
    typed.discipline.set_termios(raw);
    assert_eq!(read(&mut typed.discipline, 10), b"lf");
}

#[test]
fn output_is_translated() {
    let mut discipline = fresh();
    let mut out = Output::with_room(100).unwrap();
    assert_eq!(discipline.output(b"a\tb\n", 100, &mut out), 4);
    assert_eq!(out.bytes(), b"a\tb\r\n");
    let mut expanding = *discipline.termios();
    expanding.c_oflag |= XTABS;
    discipline.set_termios(expanding);
    out.clear();
    assert_eq!(discipline.output(b"a\tb\n", 100, &mut out), 4);
    assert_eq!(out.bytes(), b"a       b\r\n");
}

#[test]
fn output_takes_no_more_than_there_is_room_for() {
    let mut discipline = fresh();
    let mut out = Output::with_room(100).unwrap();
    let (mut taken, mut rounds) = (0, 0);
    while taken < 100 {
        out.clear();
        taken += discipline.output(&[b'\n'; 100][taken..], 20, &mut out);
        assert!(!out.is_empty() && out.bytes().len() <= 20);
        rounds += 1;
    }
    assert!(rounds >= 10);
    assert_eq!(discipline.output(b"x", 7, &mut Output::echo()), 0);
    let mut raw = *discipline.termios();
    raw.c_oflag = 0;
    discipline.set_termios(raw);
    out.clear();
    assert_eq!(discipline.output(b"a\nb", 2, &mut out), 2);
    assert_eq!(out.bytes(), b"a\n");
}

#[test]
fn flow_control_keys_are_not_input() {
    let mut discipline = fresh();
    let mut echo = Output::echo();
    assert_eq!(discipline.receive(0x13, &mut echo).flow, Some(true));
    assert_eq!(discipline.receive(0x11, &mut echo).flow, Some(false));
    assert!(echo.is_empty());
}

#[test]
fn a_full_queue_takes_no_more_but_still_ends_lines() {
    let mut typed = typed(&[b'x'; CAPACITY + 100]);
    assert_eq!(typed.discipline.room(), 0);
    let mut echo = Output::echo();
    assert!(typed.discipline.receive(b'\n', &mut echo).readable);
    assert_eq!(read(&mut typed.discipline, 2 * CAPACITY).len(), CAPACITY);
}

#[test]
fn ends_of_the_file_take_room_and_stop_when_it_is_used_up() {
    let mut typed = typed(&[0x04; CAPACITY + 100]);
    assert_eq!((typed.discipline.room(), typed.discipline.readable_len()), (0, 0));
    for _ in 0..CAPACITY {
        assert!(typed.discipline.has_input(1));
        assert_eq!(read(&mut typed.discipline, 10), b"");
    }
    assert!(!typed.discipline.has_input(1));
    // A read that ends at an end of the file takes that along.
    let mut typed = typed_with(typed.discipline, b"ab\x04cd\n");
    assert_eq!(read(&mut typed.discipline, 2), b"ab");
    assert_eq!(read(&mut typed.discipline, 2), b"cd");
    assert_eq!(read(&mut typed.discipline, 2), b"\n");
}

#[test]
fn a_whole_utf8_character_is_erased() {
    let mut discipline = fresh();
    let mut termios = *discipline.termios();
    termios.c_iflag |= IUTF8;
    discipline.set_termios(termios);
    let mut typed = typed_with(discipline, "aé\x7f\n".as_bytes());
    assert_eq!(read(&mut typed.discipline, 10), b"a\n");
}
