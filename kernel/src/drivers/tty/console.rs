//! `/dev/console`, `/dev/tty` and the serial terminals: which terminal a name stands for.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use hal::sync::Once;
use linux_abi::errno::Errno;
use linux_abi::termios::{CBAUD, CS7, CS8, CSIZE, PARENB, PARODD, Termios, code_of};

use super::Terminal;
use crate::drivers::serial;
use crate::klog;
use crate::process::tree;
use crate::scheduler;

static CONSOLE: Once<Arc<Terminal>> = Once::new();

/// Finds the serial ports. Those that a `console=` names show the kernel's log, and the last of them is
/// `/dev/console`; the first port when none is named.
pub fn init(consoles: &[String]) {
    let named: Vec<(usize, Termios)> = consoles.iter().filter_map(|word| parse(word)).collect();
    for index in 0..serial::PORT_COUNT {
        let termios = named.iter().rev().find(|named| named.0 == index).map(|named| named.1);
        serial::probe(index, &termios.unwrap_or(serial::INITIAL_TERMIOS));
    }
    let mut last = None;
    for &(index, _) in &named {
        if let Some(terminal) = serial::terminal(index) {
            serial::show_log(index);
            last = Some(terminal);
        }
    }
    if last.is_none() {
        serial::show_log(0);
        last = serial::terminal(0);
    }
    if let Some(terminal) = last {
        klog::set_console(serial::write_log);
        // Set once, at boot.
        let _ = CONSOLE.set(terminal);
    } else {
        log::warn!("no console: no serial port answers");
    }
}

/// The terminal behind `/dev/console`.
pub fn console() -> Option<Arc<Terminal>> {
    CONSOLE.get().cloned()
}

/// The caller's controlling terminal, for `/dev/tty`.
///
/// # Errors
/// `ENXIO`: it has none.
pub fn controlling_session() -> Result<i32, Errno> {
    let current = scheduler::current();
    let session = current.user.as_ref().map(|user| user.process.session_id()).ok_or(Errno::ENXIO)?;
    tree::terminal_of_session(session).map(|_| session).ok_or(Errno::ENXIO)
}

/// The port that a word like `ttyS0` or `ttyS0,115200n8` names, and the settings it asks for: speed, parity (`n`, `o`
/// or `e`), bits.
fn parse(word: &str) -> Option<(usize, Termios)> {
    let (device, options) = word.split_once(',').unwrap_or((word, ""));
    let index = device.strip_prefix("ttyS")?.parse().ok()?;
    let mut termios = serial::INITIAL_TERMIOS;
    let end = options.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(options.len());
    let (speed, format) = options.split_at(end);
    if let Some(code) = speed.parse().ok().and_then(code_of) {
        termios.c_cflag = termios.c_cflag & !CBAUD | code;
    }
    for letter in format.chars() {
        let (mask, flags) = match letter {
            'n' => (PARENB | PARODD, 0),
            'e' => (PARENB | PARODD, PARENB),
            'o' => (PARENB | PARODD, PARENB | PARODD),
            '7' => (CSIZE, CS7),
            '8' => (CSIZE, CS8),
            _ => break,
        };
        termios.c_cflag = termios.c_cflag & !mask | flags;
    }
    Some((index, termios))
}

#[cfg(test)]
mod tests {
    use super::*;
    use linux_abi::termios::{B9600, B115200};

    #[test]
    fn console_words_name_ports_and_settings() {
        let parsed =
            |word| parse(word).map(|(index, termios)| (index, termios.c_cflag & (CBAUD | CSIZE | PARENB)));
        assert_eq!(parsed("ttyS0"), Some((0, B9600 | CS8)));
        assert_eq!(parsed("ttyS1,115200n8"), Some((1, B115200 | CS8)));
        assert_eq!(parsed("ttyS1,115200e7"), Some((1, B115200 | CS7 | PARENB)));
        assert_eq!(parsed("ttyS0,nonsense"), Some((0, B9600 | CS8)));
        assert_eq!(parsed("ttyS0,99"), Some((0, B9600 | CS8)));
        assert_eq!(parsed("tty0"), None);
        assert_eq!(parsed("ttyS"), None);
    }
}
