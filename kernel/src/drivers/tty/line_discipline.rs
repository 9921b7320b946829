//! The N_TTY line discipline (termios(3)): from typed bytes to lines, echo and signals; from written bytes to what
//! the device is sent.
//!
//! Pure: it owns the settings and the input queue, and answers with what is to be echoed, which signal a key raised,
//! and which bytes a reader gets. [`super::terminal`] acts on the answers.
//!
//! # Invariants
//! 1. In canonical mode what is ready in `input` is lines, each with its end.
//! 2. `column` is the cursor's column if the device shows what it was sent, modulo nothing wider than a line.

use alloc::vec::Vec;

use linux_abi::errno::Errno;
use linux_abi::signal::Signal;
use linux_abi::termios::*;

use super::input_queue::{InputQueue, MARK};
use super::output::Output;

/// What one received byte brings about, besides echo.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Effects {
    /// A signal for the foreground process group.
    pub signal: Option<Signal>,
    /// Readers may find something.
    pub readable: bool,
    /// Output was stopped (`Some(true)`) or started again by a flow-control key.
    pub flow: Option<bool>,
    /// Input has been dropped, and output that has not been sent is to be.
    pub flushes: bool,
}

/// Settings, input queue and cursor of one terminal.
pub struct LineDiscipline {
    termios: Termios2,
    input: InputQueue,
    takes_next_literally: bool,
    column: usize,
    /// Column before what has been echoed and not been sent yet.
    sent_column: usize,
    /// Column at which the line being edited began, for erasing tabs.
    edit_column: usize,
}

impl LineDiscipline {
    /// A discipline with these settings.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub fn new(termios: &Termios) -> Result<Self, Errno> {
        Ok(Self {
            termios: Termios2::from_termios(*termios),
            input: InputQueue::new()?,
            takes_next_literally: false,
            column: 0,
            sent_column: 0,
            edit_column: 0,
        })
    }

    /// The settings in force.
    pub fn termios(&self) -> &Termios2 {
        &self.termios
    }

    /// Replaces the settings. Leaving canonical mode makes the unfinished line readable; entering it makes what is
    /// there one line.
    pub fn set_termios(&mut self, new: Termios2) {
        let was_canonical = self.is_canonical();
        self.termios = new;
        if was_canonical != self.is_canonical() {
            self.input.forget_lines(self.is_canonical());
        }
        self.takes_next_literally = false;
    }

    /// Whether input is gathered into lines.
    pub fn is_canonical(&self) -> bool {
        self.local(ICANON)
    }

    /// Bytes a read could return now (`FIONREAD`).
    pub fn readable_len(&self) -> usize {
        if self.is_canonical() { self.input.visible_len() } else { self.input.ready_len() }
    }

    /// Whether a read has something to return: a line (an end-of-file mark is an empty one), or at least `min` bytes.
    pub fn has_input(&self, min: usize) -> bool {
        let min = if self.is_canonical() { 1 } else { min.max(1) };
        self.input.ready_len() >= min
    }

    /// Moves up to `limit` bytes to `out`, which has room for them: in canonical mode not beyond the end of a line. None
    /// means end of file when [`Self::has_input`] was true.
    pub fn read(&mut self, limit: usize, out: &mut Vec<u8>) {
        if self.is_canonical() { self.input.take_of_line(limit, out) } else { self.input.take(limit, out) }
    }

    /// Room for received bytes; a pseudo-terminal's master waits for it.
    pub fn room(&self) -> usize {
        self.input.room()
    }

    /// Drops everything typed and not read.
    pub fn flush_input(&mut self) {
        self.input.clear();
        self.takes_next_literally = false;
    }

    /// Handles a received byte; what is to be echoed is appended to `echo`, ready for the device.
    pub(super) fn receive(&mut self, byte: u8, echo: &mut Output) -> Effects {
        if echo.is_empty() {
            self.sent_column = self.column;
        }
        let mut byte = byte;
        if self.input_flag(ISTRIP) {
            byte &= 0x7f;
        }
        if self.input_flag(IUCLC) && self.local(IEXTEN) {
            byte = byte.to_ascii_lowercase();
        }
        if core::mem::take(&mut self.takes_next_literally) {
            return self.insert(byte, echo);
        }
        if self.input_flag(IXON) {
            if self.is_key(byte, VSTART) {
                return Effects { flow: Some(false), ..Effects::default() };
            }
            if self.is_key(byte, VSTOP) {
                return Effects { flow: Some(true), ..Effects::default() };
            }
        }
        if self.local(ISIG)
            && let Some(signal) = self.signal_of(byte)
        {
            return self.receive_signal(byte, signal, echo);
        }
        let mut effects = Effects::default();
        if self.input_flag(IXON) && self.input_flag(IXANY) {
            effects.flow = Some(false);
        }
        match byte {
            b'\r' if self.input_flag(IGNCR) => return effects,
            b'\r' if self.input_flag(ICRNL) => byte = b'\n',
            b'\n' if self.input_flag(INLCR) => byte = b'\r',
            _ => {}
        }
        let more =
            if self.is_canonical() { self.receive_canonical(byte, echo) } else { self.insert(byte, echo) };
        Effects { flow: effects.flow, ..more }
    }

    /// Translates bytes a program writes (`OPOST` and its kin), as many as become no more than `room`, and keeps track
    /// of the column. Answers how many it took.
    pub(super) fn output(&mut self, bytes: &[u8], room: usize, out: &mut Output) -> usize {
        /// What the longest translation takes: a tab as blanks.
        const LONGEST: usize = 8;

        let room = room.min(out.room());
        if !self.output_flag(OPOST) {
            let count = bytes.len().min(room);
            out.extend(&bytes[..count]);
            return count;
        }
        let kept_free = out.room() - room;
        for (count, &byte) in bytes.iter().enumerate() {
            if out.room() < kept_free + LONGEST {
                return count;
            }
            self.output_byte(byte, out);
        }
        bytes.len()
    }

    fn output_byte(&mut self, byte: u8, out: &mut Output) {
        match byte {
            b'\n' => {
                if self.output_flag(ONLCR) {
                    out.push(b'\r');
                    self.column = 0;
                } else if self.output_flag(ONLRET) {
                    self.column = 0;
                }
                out.push(b'\n');
            }
            b'\r' => {
                if self.output_flag(ONOCR) && self.column == 0 {
                    return;
                }
                if self.output_flag(OCRNL) {
                    out.push(b'\n');
                    if self.output_flag(ONLRET) {
                        self.column = 0;
                    }
                } else {
                    out.push(b'\r');
                    self.column = 0;
                }
            }
            b'\t' => {
                let spaces = 8 - self.column % 8;
                self.column += spaces;
                if self.termios.c_oflag & TABDLY == XTABS {
                    out.extend(&[b' '; 8][..spaces]);
                } else {
                    out.push(b'\t');
                }
            }
            0x08 => {
                self.column = self.column.saturating_sub(1);
                out.push(byte);
            }
            _ => {
                let byte = if self.output_flag(OLCUC) { byte.to_ascii_uppercase() } else { byte };
                if !byte.is_ascii_control() && !self.is_continuation(byte) {
                    self.column += 1;
                }
                out.push(byte);
            }
        }
    }

    fn receive_signal(&mut self, byte: u8, signal: Signal, echo: &mut Output) -> Effects {
        let flushes = !self.local(NOFLSH);
        if flushes {
            self.flush_input();
            // What this call has echoed before has not been sent either.
            echo.clear();
            self.column = self.sent_column;
        }
        if self.local(ECHO) {
            self.echo(byte, echo);
        }
        Effects {
            signal: Some(signal),
            readable: false,
            flow: self.input_flag(IXON).then_some(false),
            flushes,
        }
    }

    fn receive_canonical(&mut self, byte: u8, echo: &mut Output) -> Effects {
        if self.is_key(byte, VERASE) {
            self.erase_character(byte, echo);
        } else if self.is_key(byte, VKILL) {
            self.kill_line(byte, echo);
        } else if self.local(IEXTEN) && self.is_key(byte, VWERASE) {
            self.erase_word(byte, echo);
        } else if self.local(IEXTEN) && self.is_key(byte, VLNEXT) {
            self.takes_next_literally = true;
            if self.local(ECHO) && self.local(ECHOCTL) {
                echo.extend(b"^\x08");
            }
        } else if self.local(IEXTEN) && self.local(ECHO) && self.is_key(byte, VREPRINT) {
            self.echo(byte, echo);
            self.output_byte(b'\n', echo);
            self.edit_column = self.column;
            for index in 0..self.input.editing_len() {
                self.echo(self.input.editing(index), echo);
            }
        } else if byte == b'\n' {
            if self.local(ECHO) || self.local(ECHONL) {
                self.output_byte(b'\n', echo);
            }
            return self.finish_line(Some(byte));
        } else if self.is_key(byte, VEOF) {
            return self.finish_line(None);
        } else if self.is_key(byte, VEOL) || self.local(IEXTEN) && self.is_key(byte, VEOL2) {
            if self.local(ECHO) {
                self.echo(byte, echo);
            }
            return self.finish_line(Some(byte));
        } else {
            return self.insert(byte, echo);
        }
        Effects::default()
    }

    /// Adds a byte to the input as it is.
    fn insert(&mut self, byte: u8, echo: &mut Output) -> Effects {
        if self.room() == 0 {
            if self.input_flag(IMAXBEL) {
                echo.push(0x07);
            }
            return Effects::default();
        }
        if self.local(ECHO) {
            if self.input.editing_len() == 0 {
                self.edit_column = self.column;
            }
            self.echo(byte, echo);
        }
        self.input.push(byte);
        if self.is_canonical() {
            return Effects::default();
        }
        self.input.make_ready(false);
        Effects { readable: true, ..Effects::default() }
    }

    fn finish_line(&mut self, terminator: Option<u8>) -> Effects {
        self.input.push(terminator.unwrap_or(MARK));
        self.input.make_ready(true);
        Effects { readable: true, ..Effects::default() }
    }

    fn erase_character(&mut self, key: u8, echo: &mut Output) {
        let Some(start) = self.last_character() else { return };
        let first = self.input.editing(start);
        self.input.truncate_editing(start);
        if !self.local(ECHO) {
            return;
        }
        if self.local(ECHOE) { self.rub_out(first, echo) } else { self.echo(key, echo) }
    }

    fn erase_word(&mut self, key: u8, echo: &mut Output) {
        let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80;
        let mut seen_word = false;
        while let Some(start) = self.last_character() {
            if is_word(self.input.editing(start)) {
                seen_word = true;
            } else if seen_word {
                break;
            }
            self.erase_character(key, echo);
        }
    }

    fn kill_line(&mut self, key: u8, echo: &mut Output) {
        if !self.local(ECHO) {
            self.input.truncate_editing(0);
            return;
        }
        if self.local(ECHOK) && self.local(ECHOKE) && self.local(ECHOE) {
            while self.input.editing_len() != 0 {
                self.erase_character(key, echo);
            }
            return;
        }
        self.input.truncate_editing(0);
        self.echo(key, echo);
        if self.local(ECHOK) {
            self.output_byte(b'\n', echo);
        }
    }

    /// Where the last character of the line being edited begins.
    fn last_character(&self) -> Option<usize> {
        let mut start = self.input.editing_len().checked_sub(1)?;
        if self.input_flag(IUTF8) {
            while start > 0 && self.input.editing(start) & 0xc0 == 0x80 {
                start -= 1;
            }
        }
        Some(start)
    }

    /// Takes a character off the screen, by its first byte.
    fn rub_out(&mut self, first: u8, echo: &mut Output) {
        let width = match first {
            b'\t' => {
                let target = self.width_of_editing();
                self.column.saturating_sub(self.edit_column + target)
            }
            byte if byte.is_ascii_control() && self.local(ECHOCTL) => 2,
            byte if byte.is_ascii_control() => 0,
            _ => 1,
        };
        let is_tab = first == b'\t';
        for _ in 0..width {
            echo.extend(if is_tab { b"\x08" } else { b"\x08 \x08" });
        }
        self.column = self.column.saturating_sub(width);
    }

    /// Columns the line being edited takes, from its start column on.
    fn width_of_editing(&self) -> usize {
        let mut column = self.edit_column;
        for byte in (0..self.input.editing_len()).map(|index| self.input.editing(index)) {
            column += match byte {
                b'\t' => 8 - column % 8,
                byte if byte.is_ascii_control() && self.local(ECHOCTL) => 2,
                byte if byte.is_ascii_control() => 0,
                byte if self.is_continuation(byte) => 0,
                _ => 1,
            };
        }
        column - self.edit_column
    }

    /// Echoes a byte: control characters as `^X` if the settings say so.
    fn echo(&mut self, byte: u8, echo: &mut Output) {
        if self.local(ECHOCTL) && byte.is_ascii_control() && byte != b'\t' && byte != b'\n' {
            echo.extend(&[b'^', byte ^ 0x40]);
            self.column += 2;
        } else {
            self.output_byte_if_processed(byte, echo);
        }
    }

    fn output_byte_if_processed(&mut self, byte: u8, out: &mut Output) {
        if self.output_flag(OPOST) { self.output_byte(byte, out) } else { out.push(byte) }
    }

    fn is_continuation(&self, byte: u8) -> bool {
        self.input_flag(IUTF8) && byte & 0xc0 == 0x80
    }

    fn signal_of(&self, byte: u8) -> Option<Signal> {
        let keys = [(VINTR, Signal::SIGINT), (VQUIT, Signal::SIGQUIT), (VSUSP, Signal::SIGTSTP)];
        keys.into_iter().find(|&(key, _)| self.is_key(byte, key)).map(|(_, signal)| signal)
    }

    /// Whether `byte` is the key in slot `index`; 0 in a slot disables it.
    fn is_key(&self, byte: u8, index: usize) -> bool {
        let key = self.termios.c_cc[index];
        key != 0 && key == byte
    }

    fn input_flag(&self, flag: u32) -> bool {
        self.termios.c_iflag & flag != 0
    }

    fn output_flag(&self, flag: u32) -> bool {
        self.termios.c_oflag & flag != 0
    }

    fn local(&self, flag: u32) -> bool {
        self.termios.c_lflag & flag != 0
    }
}

#[cfg(test)]
#[path = "line_discipline_tests.rs"]
mod tests;
