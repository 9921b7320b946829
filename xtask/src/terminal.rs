//! The terminal xtask runs in: its size, and putting it back as it was.

use std::io::IsTerminal;
use std::process::{Command, Stdio};

/// The settings of standard input, put back when this is dropped.
///
/// QEMU restores them itself when it ends by itself, but not when it is killed.
pub(crate) struct Restore {
    settings: Option<String>,
}

impl Restore {
    /// Remembers the settings of standard input, if it is a terminal.
    pub(crate) fn remember() -> Self {
        Self { settings: stty(&["-g"]) }
    }
}

impl Drop for Restore {
    fn drop(&mut self) {
        if let Some(settings) = &self.settings {
            // If this fails the terminal is gone.
            let _ = stty(&[settings]);
        }
    }
}

/// Returns whether a person sits at both ends of this process.
pub(crate) fn is_interactive() -> bool {
    std::io::stdin().is_terminal() && std::io::stdout().is_terminal()
}

/// Returns the terminal's rows and columns.
pub(crate) fn size() -> Option<(u16, u16)> {
    let text = stty(&["size"])?;
    let (rows, columns) = text.split_once(' ')?;
    Some((rows.parse().ok()?, columns.parse().ok()?)).filter(|size| *size != (0, 0))
}

fn stty(args: &[&str]) -> Option<String> {
    if !std::io::stdin().is_terminal() {
        return None;
    }
    let output =
        Command::new("stty").args(args).stdin(Stdio::inherit()).stderr(Stdio::null()).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}
