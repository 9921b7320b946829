//! The kernel log: a ring of lines that the console, `/dev/kmsg`, syslog(2) and the panic report read.
//!
//! Speaks the `log` facade's levels outside and Linux's (0 emergency to 7 debug) inside. Lines go to the console when
//! their level is below the console level (`quiet` sets 4, `loglevel=` any).

use alloc::vec::Vec;
use core::fmt::{self, Write};
use core::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use arrayvec::ArrayVec;
use hal::sync::{Once, SpinLockIrq};
use linux_abi::errno::Errno;

use crate::lock_order;
use crate::scheduler::wait::WaitQueue;

/// Bytes the ring holds.
pub const CAPACITY: usize = 64 * 1024;
/// Longest line; what exceeds it is cut.
const LINE_MAX: usize = 512;
/// Level of messages written to `/dev/kmsg` without one.
pub const DEFAULT_LEVEL: u8 = 4;

/// A line of the log as `/dev/kmsg` shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Position of the line since boot.
    pub sequence: u64,
    /// 0 emergency to 7 debug.
    pub level: u8,
    /// Nanoseconds since boot.
    pub time_ns: u64,
    /// The text without a newline.
    pub text: Vec<u8>,
}

/// Header of a record in the ring: level, time, length.
const HEADER_LEN: usize = 1 + 8 + 2;

struct Ring {
    bytes: [u8; CAPACITY],
    /// Offsets count up for ever; modulo `CAPACITY` they index `bytes`.
    start: u64,
    end: u64,
    first_sequence: u64,
    next_sequence: u64,
    clear_sequence: u64,
    unread_sequence: u64,
}

static RING: SpinLockIrq<Ring> = SpinLockIrq::new(lock_order::KERNEL_LOG, Ring::new());
static CONSOLE_LEVEL: AtomicU8 = AtomicU8::new(7);
static CONSOLE_ENABLED: AtomicBool = AtomicBool::new(true);
/// What shows a piece of text on the console, all in one piece. Until a driver has set it, the early console does.
static CONSOLE: Once<fn(&[u8])> = Once::new();
static NEWS: WaitQueue = WaitQueue::new();

impl Ring {
    const fn new() -> Self {
        Self {
            bytes: [0; CAPACITY],
            start: 0,
            end: 0,
            first_sequence: 0,
            next_sequence: 0,
            clear_sequence: 0,
            unread_sequence: 0,
        }
    }

    fn byte(&self, offset: u64) -> u8 {
        self.bytes[(offset % CAPACITY as u64) as usize]
    }

    fn append(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.bytes[(self.end % CAPACITY as u64) as usize] = byte;
            self.end += 1;
        }
    }

    fn push(&mut self, level: u8, time_ns: u64, text: &[u8]) {
        let text = &text[..text.len().min(LINE_MAX)];
        let needed = (HEADER_LEN + text.len()) as u64;
        while self.end - self.start + needed > CAPACITY as u64 {
            self.start += self.record_len(self.start);
            self.first_sequence += 1;
        }
        self.append(&[level]);
        self.append(&time_ns.to_le_bytes());
        self.append(&(text.len() as u16).to_le_bytes());
        self.append(text);
        self.next_sequence += 1;
    }

    fn record_len(&self, offset: u64) -> u64 {
        let len = u16::from_le_bytes([self.byte(offset + 9), self.byte(offset + 10)]);
        HEADER_LEN as u64 + u64::from(len)
    }

    fn record(&self, sequence: u64, offset: u64) -> Record {
        let len = self.record_len(offset) - HEADER_LEN as u64;
        let time = core::array::from_fn(|index| self.byte(offset + 1 + index as u64));
        let text = (0..len).map(|index| self.byte(offset + HEADER_LEN as u64 + index)).collect();
        Record { sequence, level: self.byte(offset), time_ns: u64::from_le_bytes(time), text }
    }

    /// The first record with at least this sequence number.
    fn find(&self, sequence: u64) -> Option<Record> {
        let mut offset = self.start;
        let mut current = self.first_sequence;
        while offset < self.end {
            if current >= sequence {
                return Some(self.record(current, offset));
            }
            offset += self.record_len(offset);
            current += 1;
        }
        None
    }
}

/// A line being put together without the heap.
struct Line<const N: usize>(ArrayVec<u8, N>);

impl<const N: usize> Write for Line<N> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for &byte in text.as_bytes() {
            if self.0.try_push(byte).is_err() {
                break;
            }
        }
        Ok(())
    }
}

struct Logger;

impl log::Log for Logger {
    fn enabled(&self, _metadata: &log::Metadata) -> bool {
        true
    }

    fn log(&self, record: &log::Record) {
        let level = match record.level() {
            log::Level::Error => 3,
            log::Level::Warn => 4,
            log::Level::Info => 6,
            log::Level::Debug | log::Level::Trace => 7,
        };
        let mut line = Line::<LINE_MAX>(ArrayVec::new());
        // `Line` never fails.
        let _ = line.write_fmt(*record.args());
        write(level, &line.0);
    }

    fn flush(&self) {}
}

/// Starts logging. `console_level`: lines of this level and above stay off the console.
pub fn init(console_level: u8) {
    set_console_level(console_level);
    // A second call (tests boot more than once in a process) keeps the first logger, which is the same one.
    let _ = log::set_logger(&Logger);
    log::set_max_level(log::LevelFilter::Debug);
}

/// Adds a line, which may hold newlines, at a level from 0 to 7.
pub fn write(level: u8, text: &[u8]) {
    let time_ns = hal::time::now_ns();
    for line in text.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
        RING.lock().push(level, time_ns, line);
        if CONSOLE_ENABLED.load(Ordering::Relaxed) && level < CONSOLE_LEVEL.load(Ordering::Relaxed) {
            show(time_ns, line);
        }
    }
    NEWS.wake_all();
}

/// Shows a line on the console: with one call, so that what other CPUs print does not get into it.
fn show(time_ns: u64, text: &[u8]) {
    // A stamp of up to 32 bytes, and the end of the line.
    let mut line = Line::<{ LINE_MAX + 34 }>(ArrayVec::new());
    let (seconds, micros) = (time_ns / 1_000_000_000, time_ns / 1_000 % 1_000_000);
    let _ = write!(line, "[{seconds:5}.{micros:06}] ");
    let text = &text[..text.len().min(LINE_MAX)];
    // It has room for both.
    let _ = line.0.try_extend_from_slice(text);
    let _ = line.0.try_extend_from_slice(b"\r\n");
    CONSOLE.get().copied().unwrap_or(hal::console::write_early)(&line.0);
}

/// Makes `write` show lines on the console from now on; it is called with any locks of smaller rank than
/// [`lock_order::SERIAL`] held, and in interrupts. Called once, at boot.
pub fn set_console(write: fn(&[u8])) {
    // A second boot in one process (tests) keeps the first, which is the same.
    let _ = CONSOLE.set(write);
}

/// The first record with at least this sequence number.
pub fn find(sequence: u64) -> Option<Record> {
    RING.lock().find(sequence)
}

/// Sequence numbers of the oldest record and of the next one to come.
pub fn bounds() -> (u64, u64) {
    let ring = RING.lock();
    (ring.first_sequence, ring.next_sequence)
}

/// The queue woken when a line is added.
pub fn news() -> &'static WaitQueue {
    &NEWS
}

/// The last lines since the log was cleared, at most `len` bytes, as `dmesg` prints them.
///
/// # Errors
/// `ENOMEM`.
pub fn tail(len: usize) -> Result<Vec<u8>, Errno> {
    let start = RING.lock().clear_sequence;
    let records = || {
        let after = |record: &Record| find(record.sequence + 1);
        core::iter::successors(find(start), after)
    };
    let mut excess = records().map(|record| to_text(&record).len()).sum::<usize>().saturating_sub(len);
    let mut text = Vec::new();
    for record in records() {
        let line = to_text(&record);
        if excess > 0 {
            excess = excess.saturating_sub(line.len());
        } else if text.len() + line.len() <= len {
            text.try_reserve(line.len()).map_err(|_| Errno::ENOMEM)?;
            text.extend_from_slice(&line);
        }
    }
    Ok(text)
}

/// Takes unread lines, at most `len` bytes, waiting for one if there is none.
///
/// # Errors
/// `EINVAL`: `len` does not hold the next line. `EINTR`: a signal came first. `ENOMEM`.
pub fn read_unread(len: usize) -> Result<Vec<u8>, Errno> {
    let record = NEWS.wait_interruptible(|| {
        let ring = RING.lock();
        ring.find(ring.unread_sequence)
    })?;
    let mut text = to_text(&record);
    if text.len() > len {
        return Err(Errno::EINVAL);
    }
    let mut sequence = record.sequence + 1;
    while let Some(record) = find(sequence) {
        let line = to_text(&record);
        if text.len() + line.len() > len {
            break;
        }
        text.try_reserve(line.len()).map_err(|_| Errno::ENOMEM)?;
        text.extend_from_slice(&line);
        sequence = record.sequence + 1;
    }
    RING.lock().unread_sequence = sequence;
    Ok(text)
}

/// Bytes that [`read_unread`] could deliver now.
pub fn unread_len() -> usize {
    let mut sequence = RING.lock().unread_sequence;
    let mut total = 0;
    while let Some(record) = find(sequence) {
        total += to_text(&record).len();
        sequence = record.sequence + 1;
    }
    total
}

/// Sequence number of the first line after the last [`clear`].
pub fn cleared_at() -> u64 {
    RING.lock().clear_sequence
}

/// Makes [`tail`] start here.
pub fn clear() {
    let mut ring = RING.lock();
    ring.clear_sequence = ring.next_sequence;
}

/// Lines of this level and above stay off the console.
pub fn set_console_level(level: u8) {
    CONSOLE_LEVEL.store(level, Ordering::Relaxed);
}

/// The console level in force.
pub fn console_level() -> u8 {
    CONSOLE_LEVEL.load(Ordering::Relaxed)
}

/// Whether lines go to the console at all.
pub fn set_console_enabled(enabled: bool) {
    CONSOLE_ENABLED.store(enabled, Ordering::Relaxed);
}

/// Prints the last lines, for a panic; gives up rather than wait for a lock.
pub fn report(out: &mut dyn Write) {
    const LINES: u64 = 20;
    let Some(ring) = RING.try_lock() else { return };
    let mut sequence = ring.next_sequence.saturating_sub(LINES);
    let mut offset = ring.start;
    let mut current = ring.first_sequence;
    while offset < ring.end {
        if current >= sequence {
            sequence = current;
            let len = ring.record_len(offset) - HEADER_LEN as u64;
            for index in 0..len {
                let _ = out.write_char(char::from(ring.byte(offset + HEADER_LEN as u64 + index)));
            }
            let _ = out.write_char('\n');
        }
        offset += ring.record_len(offset);
        current += 1;
    }
}

fn to_text(record: &Record) -> Vec<u8> {
    let (seconds, micros) = (record.time_ns / 1_000_000_000, record.time_ns / 1_000 % 1_000_000);
    let mut text = alloc::format!("<{}>[{seconds:5}.{micros:06}] ", record.level).into_bytes();
    text.extend_from_slice(&record.text);
    text.push(b'\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ring() -> alloc::boxed::Box<Ring> {
        alloc::boxed::Box::new(Ring::new())
    }

    #[test]
    fn old_lines_make_room_for_new_ones() {
        let mut ring = ring();
        for index in 0..5_000u32 {
            ring.push(6, u64::from(index), alloc::format!("line {index} of a long story").as_bytes());
        }
        assert!(ring.first_sequence > 0);
        assert_eq!(ring.next_sequence, 5_000);
        let last = ring.find(4_999).unwrap();
        assert_eq!(last.text, b"line 4999 of a long story");
        assert_eq!(last.time_ns, 4_999);
        assert_eq!(ring.find(0).unwrap().sequence, ring.first_sequence);
        assert!(ring.find(5_000).is_none());
    }

    #[test]
    fn a_line_too_long_is_cut() {
        let mut ring = ring();
        ring.push(3, 0, &[b'x'; 4_000]);
        assert_eq!(ring.find(0).unwrap().text.len(), LINE_MAX);
    }
}
