//! `/dev/console`, `/dev/tty` and the serial terminals: which terminal a name stands for.

use alloc::string::String;
use alloc::sync::Arc;

use hal::sync::Once;
use linux_abi::errno::Errno;

use super::Terminal;
use crate::drivers::serial;
use crate::process::tree;
use crate::scheduler;

static CONSOLE: Once<Arc<Terminal>> = Once::new();

/// Finds the serial ports and makes the last `console=` that names one of them `/dev/console`; the first port when none
/// does.
pub fn init(consoles: &[String]) {
    for index in 0..serial::PORT_COUNT {
        serial::probe(index);
    }
    let named = consoles.iter().rev().find_map(|name| serial::terminal(port_of(name)?));
    if let Some(terminal) = named.or_else(|| serial::terminal(0)) {
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

/// The port a word like `ttyS0` or `ttyS0,115200n8` names.
fn port_of(name: &str) -> Option<usize> {
    let device = name.split(',').next()?;
    device.strip_prefix("ttyS")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn console_words_name_ports() {
        assert_eq!(port_of("ttyS0"), Some(0));
        assert_eq!(port_of("ttyS1,115200n8"), Some(1));
        assert_eq!(port_of("tty0"), None);
        assert_eq!(port_of("ttyS"), None);
    }
}
