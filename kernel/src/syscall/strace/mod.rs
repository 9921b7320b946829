//! The kernel's own strace: the calls of chosen programs, with their arguments, in the kernel's log.
//!
//! What is chosen is a text, on the command line (`exo.strace=`) or in `/proc/exo/strace`:
//!
//! | text | chooses |
//! | --- | --- |
//! | `NAME` | processes that run a program of that name, and those they make |
//! | `PID` | that process, and those it makes |
//! | `*` | every process |
//! | one of these, then `:CALL,CALL` | of their calls, only these |
//! | nothing | none |
//!
//! A line is written when a call is over; one that never ends is not seen. Strings are shown up to 32 bytes, and what
//! cannot be read from the program's memory as the address that was given.

mod arguments;
mod names;
mod signatures;

use core::fmt::Write;
use core::sync::atomic::{AtomicBool, Ordering};

use hal::sync::SpinLock;
use hal::task::UserRegs;
use linux_abi::errno::Errno;

use super::{Context, TABLE_SLOTS, syscall_numbers};
use crate::fs::vfs::text::Text;
use crate::process::tree;
use crate::process::watch::{self, Watchers};
use crate::scheduler::{Thread, ThreadName};
use crate::{klog, lock_order};
use arguments::Arguments;

/// The level of the lines in the log: informational.
const LEVEL: u8 = 6;

/// Whose calls.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Who {
    Everyone,
    Process(i32),
    Program(ThreadName),
}

impl Who {
    fn is(self, thread: &Thread) -> bool {
        match self {
            Who::Everyone => true,
            Who::Process(pid) => thread.user.as_ref().is_some_and(|user| user.process.pid == pid),
            Who::Program(name) => thread.name() == name,
        }
    }
}

/// A set of system calls.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Calls([u64; TABLE_SLOTS / 64]);

impl Calls {
    const NONE: Self = Self([0; TABLE_SLOTS / 64]);
    const ALL: Self = Self([u64::MAX; TABLE_SLOTS / 64]);

    fn add(&mut self, number: usize) {
        self.0[number / 64] |= 1 << (number % 64);
    }

    fn contains(&self, number: usize) -> bool {
        self.0.get(number / 64).is_none_or(|word| word & 1 << (number % 64) != 0)
    }
}

/// What is chosen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Selection {
    who: Who,
    calls: Calls,
}

impl Selection {
    /// Reads a text; `None` chooses nothing.
    ///
    /// # Errors
    /// `EINVAL`: a call that Linux does not have, or none after the colon.
    fn parse(text: &[u8]) -> Result<Option<Self>, Errno> {
        let text = core::str::from_utf8(text.trim_ascii()).map_err(|_| Errno::EINVAL)?;
        let (who, list) = text.split_once(':').map_or((text, None), |(who, list)| (who, Some(list)));
        let mut calls = if list.is_some() { Calls::NONE } else { Calls::ALL };
        for name in list.into_iter().flat_map(|list| list.split(',')) {
            let known = syscall_numbers::ALL.iter().find(|call| call.1 == name);
            calls.add(known.ok_or(Errno::EINVAL)?.0);
        }
        let who = match who {
            "" if list.is_none() => return Ok(None),
            "" => return Err(Errno::EINVAL),
            "*" => Who::Everyone,
            _ => match who.parse() {
                Ok(pid) => Who::Process(pid),
                Err(_) => Who::Program(ThreadName::new(who.as_bytes())),
            },
        };
        Ok(Some(Self { who, calls }))
    }
}

static SELECTION: SpinLock<Option<Selection>> = SpinLock::new(lock_order::STRACE, None);

/// Whether there is a selection: looked at without the lock where programs and threads start.
static IS_ON: AtomicBool = AtomicBool::new(false);

/// Chooses whose calls are logged from now on, instead of those chosen before.
///
/// # Errors
/// `EINVAL`: no such choice.
pub fn select(text: &[u8]) -> Result<(), Errno> {
    let selection = Selection::parse(text)?;
    *SELECTION.lock() = selection;
    IS_ON.store(selection.is_some(), Ordering::SeqCst);
    for process in tree::processes() {
        process.for_each_thread(|thread| {
            if selection.is_some_and(|selection| selection.who.is(thread)) {
                watch::add(thread, Watchers::STRACE);
            } else {
                watch::remove(thread, Watchers::STRACE);
            }
        });
    }
    Ok(())
}

/// Looks whether `thread`, which is new or runs another program now, is among the chosen. One that was stays so.
pub fn consider(thread: &Thread) {
    if !IS_ON.load(Ordering::SeqCst) {
        return;
    }
    let selection = *SELECTION.lock();
    if selection.is_some_and(|selection| selection.who.is(thread)) {
        watch::add(thread, Watchers::STRACE);
    }
}

/// Writes what is chosen, as [`select`] takes it.
pub fn show(text: &mut Text) -> core::fmt::Result {
    let Some(selection) = *SELECTION.lock() else {
        return Ok(());
    };
    match selection.who {
        Who::Everyone => text.push(b"*"),
        Who::Process(pid) => write!(text, "{pid}")?,
        Who::Program(name) => text.push(name.as_bytes()),
    }
    if selection.calls != Calls::ALL {
        let chosen = syscall_numbers::ALL.iter().filter(|call| selection.calls.contains(call.0));
        for (index, (_, name)) in chosen.enumerate() {
            write!(text, "{}{name}", if index == 0 { ":" } else { "," })?;
        }
    }
    text.write_str("\n")
}

/// A call that is being made: its line so far.
pub(super) struct Line {
    text: Text,
    arguments: Arguments,
}

/// Begins the line of the call in `regs`, before it is made; `None` if it is not among the chosen.
pub(super) fn begin(cx: &Context, regs: &UserRegs) -> Option<Line> {
    let number = regs.orig_rax as u32 as usize;
    if !(*SELECTION.lock())?.calls.contains(number) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use linux_abi::nr;

    fn parse(text: &str) -> Result<Option<Selection>, Errno> {
        Selection::parse(text.as_bytes())
    }

    #[test]
    fn texts_choose_programs_processes_and_calls() {
        assert_eq!(parse(" \n"), Ok(None));
        let all = parse("*\n").unwrap().unwrap();
        assert!(all.who == Who::Everyone && all.calls.contains(nr::READ) && all.calls.contains(9999));
        assert_eq!(parse("17").unwrap().unwrap().who, Who::Process(17));
        let some = parse("ls:openat,close").unwrap().unwrap();
        assert_eq!(some.who, Who::Program(ThreadName::new(b"ls")));
        assert!(some.calls.contains(nr::OPENAT) && some.calls.contains(nr::CLOSE));
        assert!(!some.calls.contains(nr::READ));
    }

    #[test]
    fn nonsense_is_refused() {
        for text in ["ls:", ":read", "ls:reed", "*:read,,close", "\u{fffd}:x"] {
            assert_eq!(parse(text), Err(Errno::EINVAL), "{text}");
        }
        assert_eq!(Selection::parse(b"\xff"), Err(Errno::EINVAL));
    }
}
