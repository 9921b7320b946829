//! The lines of the kernel's own strace: a call with its arguments and its answer, in the kernel's log. Whose calls it logs,
//! and which, says [`selection`].
//!
//! A line is written when a call is over; one that never ends is not seen. Strings are shown up to 32 bytes, and what
//! cannot be read from the program's memory as the address that was given.

mod arguments;
mod names;
mod signatures;

use core::fmt::Write;

use hal::task::UserRegs;

use super::{Context, syscall_numbers};
use crate::fs::vfs::text::Text;
use crate::klog;
use crate::process::watch::selection;
use arguments::Arguments;

/// The level of the lines in the log: informational.
const LEVEL: u8 = 6;

/// A call that is being made: its line so far.
pub(super) struct Line {
    text: Text,
    arguments: Arguments,
}

/// Begins the line of the call in `regs`, before it is made; `None` if it is not among the chosen.
pub(super) fn begin(cx: &Context, regs: &UserRegs) -> Option<Line> {
    let number = regs.orig_rax as u32 as usize;
    if !selection::has_call(number) {
        return None;
    }
    let mut text = Text::new();
    // A line that memory does not suffice for is cut.
    let _ = write!(text, "strace: [{} ", cx.thread().tid());
    text.push(cx.thread().name().as_bytes());
    let _ = match syscall_numbers::name(number) {
        Some(name) => write!(text, "] {name}("),
        None => write!(text, "] syscall_{number}("),
    };
    let frame = regs.syscall_frame();
    let mut arguments = Arguments::new(&frame);
    arguments.write_before(&mut text);
    Some(Line { text, arguments })
}

impl Line {
    /// Ends the line with what the call has answered, and logs it.
    pub(super) fn end(mut self, result: isize) {
        self.arguments.write_after(result, &mut self.text);
        klog::write(LEVEL, self.text.as_bytes());
    }
}
