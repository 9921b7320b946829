//! What the kernel's own strace logs: a choice of programs and of calls, as a text on the command line (`exo.strace=`) or in
//! `/proc/exo/strace`.
//!
//! | text | chooses |
//! | --- | --- |
//! | `NAME` | processes that run a program of that name, and those they make |
//! | `PID` | that process, and those it makes |
//! | `*` | every process |
//! | one of these, then `:CALL,CALL` | of their calls, only these |
//! | nothing | none |

use core::fmt::Write;
use core::sync::atomic::{AtomicBool, Ordering};

use hal::sync::SpinLock;
use linux_abi::errno::Errno;
use linux_abi::nr;

use super::Watchers;
use crate::fs::vfs::text::Text;
use crate::lock_order;
use crate::process::tree;
use crate::scheduler::{Thread, ThreadName};

/// Numbers that can be chosen: all that Linux has are smaller.
const NUMBERS: usize = 512;

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
struct Calls([u64; NUMBERS / 64]);

impl Calls {
    const NONE: Self = Self([0; NUMBERS / 64]);
    const ALL: Self = Self([u64::MAX; NUMBERS / 64]);

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
            let known = nr::ALL.iter().find(|call| call.1 == name);
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
                super::add(thread, Watchers::STRACE);
            } else {
                super::remove(thread, Watchers::STRACE);
            }
        });
    }
    Ok(())
}

/// Whether call `number` is to be logged when a chosen process makes it.
pub fn has_call(number: usize) -> bool {
    SELECTION.lock().is_some_and(|selection| selection.calls.contains(number))
}

/// Looks whether `thread`, which is new or runs another program now, is among the chosen. One that was stays so.
pub fn consider(thread: &Thread) {
    if !IS_ON.load(Ordering::SeqCst) {
        return;
    }
    let selection = *SELECTION.lock();
    if selection.is_some_and(|selection| selection.who.is(thread)) {
        super::add(thread, Watchers::STRACE);
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
        let chosen = nr::ALL.iter().filter(|call| selection.calls.contains(call.0));
        for (index, (_, name)) in chosen.enumerate() {
            write!(text, "{}{name}", if index == 0 { ":" } else { "," })?;
        }
    }
    text.write_str("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

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
