//! Takes a program's output and exit status out of a console on which a kernel prints as well.
//!
//! The guest's runner script prints a mark before it starts the program, and one with the exit status when the
//! program has ended. Both hold a number that is new on every run, so no program prints them by accident. What
//! is between them is the program's, byte for byte.

/// The marks of one run.
#[derive(Clone, Debug)]
pub(crate) struct Marks {
    begin: String,
    end: String,
}

impl Marks {
    /// Makes the marks of a run from a number that is different on every run.
    fn new(nonce: u64) -> Self {
        Self { begin: format!("<exo-begin {nonce:016x}>"), end: format!("<exo-end {nonce:016x} ") }
    }

    /// Makes marks that no other run has.
    pub(crate) fn unique() -> Self {
        use std::hash::{BuildHasher, RandomState};
        Self::new(RandomState::new().hash_one(std::process::id()))
    }

    /// Returns the mark before the program's output.
    pub(crate) fn begin(&self) -> &str {
        &self.begin
    }

    /// Returns the mark after it; the decimal exit status and `>` follow.
    pub(crate) fn end(&self) -> &str {
        &self.end
    }
}

/// Splits a console's bytes as they come.
#[derive(Debug)]
pub(crate) struct Filter {
    marks: Marks,
    /// Bytes that are not decided yet: the start of a mark, or everything before the first mark.
    held: Vec<u8>,
    state: State,
    /// What came before the program's output, and after it.
    noise: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Before,
    Inside,
    After(u8),
}

impl Filter {
    /// Starts to filter a run's console.
    pub(crate) fn new(marks: Marks) -> Self {
        Self { marks, held: Vec::new(), state: State::Before, noise: Vec::new() }
    }

    /// Takes what came from the console and returns what of it is the program's output.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Vec<u8> {
        self.held.extend_from_slice(bytes);
        let mut output = Vec::new();
        loop {
            match self.state {
                State::Before => {
                    let (before, found) = split(&mut self.held, self.marks.begin.as_bytes());
                    self.noise.extend(before);
                    if !found {
                        return output;
                    }
                    self.state = State::Inside;
                }
                State::Inside => {
                    let (inside, found) = split(&mut self.held, self.marks.end.as_bytes());
                    output.extend(inside);
                    if !found {
                        return output;
                    }
                    let Some(close) = self.held.iter().position(|byte| *byte == b'>') else {
                        // The status is still on its way: put the mark back and wait.
                        self.held.splice(0..0, self.marks.end.bytes());
                        return output;
                    };
                    let status: Vec<u8> = self.held.drain(..=close).take(close).collect();
                    let status = std::str::from_utf8(&status).ok().and_then(|text| text.parse().ok());
                    self.state = State::After(status.unwrap_or(u8::MAX));
                }
                State::After(_) => {
                    self.noise.append(&mut self.held);
                    return output;
                }
            }
        }
    }

    /// Returns what is still held back when the console has ended, as output of the program.
    pub(crate) fn finish(&mut self) -> Vec<u8> {
        let rest = std::mem::take(&mut self.held);
        if self.state == State::Inside { rest } else { Vec::new() }
    }

    /// Returns whether the program was started.
    pub(crate) fn has_begun(&self) -> bool {
        self.state != State::Before
    }

    /// Returns the program's exit status, once it has ended.
    pub(crate) fn status(&self) -> Option<u8> {
        match self.state {
            State::After(status) => Some(status),
            State::Before | State::Inside => None,
        }
    }

    /// Returns what was not the program's: the messages of the kernel and the firmware.
    pub(crate) fn noise(&self) -> &[u8] {
        &self.noise
    }
}

/// Removes everything up to and with `mark` from `held` and returns what was before the mark. Without a mark
/// it removes what cannot be a part of one.
fn split(held: &mut Vec<u8>, mark: &[u8]) -> (Vec<u8>, bool) {
    if let Some(at) = held.windows(mark.len()).position(|window| window == mark) {
        let before = held.drain(..at + mark.len()).take(at).collect();
        return (before, true);
    }
    let longest = mark.len().saturating_sub(1).min(held.len());
    let kept = (0..=longest).rev().find(|&n| mark.starts_with(&held[held.len() - n..])).unwrap_or(0);
    (held.drain(..held.len() - kept).collect(), false)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter_in_pieces(console: &str, size: usize) -> (String, Filter) {
        let mut filter = Filter::new(Marks::new(7));
        let mut output = Vec::new();
        for piece in console.as_bytes().chunks(size) {
            output.extend(filter.push(piece));
        }
        output.extend(filter.finish());
        (String::from_utf8(output).expect("UTF-8"), filter)
    }

    #[test]
    fn output_and_status_are_found_in_pieces_of_every_size() {
        let marks = Marks::new(7);
        let console = format!("booting\n{}a<exo-end b\n{}42>halted", marks.begin(), marks.end());
        for size in 1..console.len() {
            let (output, filter) = filter_in_pieces(&console, size);
            assert_eq!(output, "a<exo-end b\n");
            assert_eq!(filter.status(), Some(42));
            assert_eq!(filter.noise(), b"booting\nhalted");
        }
    }

    #[test]
    fn a_machine_that_dies_has_no_status_but_its_output() {
        let marks = Marks::new(7);
        let (output, filter) = filter_in_pieces(&format!("{}half <exo", marks.begin()), 3);
        assert_eq!((output.as_str(), filter.status(), filter.has_begun()), ("half <exo", None, true));
        let (output, filter) = filter_in_pieces("panic", 2);
        assert_eq!((output.as_str(), filter.has_begun()), ("", false));
        assert_eq!(filter.noise(), b"panic");
    }

    #[test]
    fn output_comes_as_soon_as_it_cannot_be_a_mark() {
        let marks = Marks::new(7);
        let mut filter = Filter::new(marks.clone());
        filter.push(marks.begin().as_bytes());
        assert_eq!(filter.push(b"prompt$ <"), b"prompt$ ");
        assert_eq!(filter.push(b"x"), b"<x");
    }
}
