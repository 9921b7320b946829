//! Files of conformance cases and the transcripts of their runs; `tests/README.md` describes both formats.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

/// The time limit of a case that names none, in seconds.
const DEFAULT_LIMIT: u32 = 20;

/// A file of cases, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CaseFile {
    /// The lines before the first case, put in front of each.
    prelude: String,
    /// The cases in their order.
    pub(super) cases: Vec<Case>,
}

/// One case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Case {
    /// Its name, unique in its file.
    pub(super) name: String,
    /// The time after which the guest kills it.
    pub(super) limit: Duration,
    /// The least memory it needs, in MiB.
    pub(super) memory_mib: u32,
    /// Its lines, the `#case` line included.
    text: String,
}

impl CaseFile {
    /// Takes a file apart.
    pub(super) fn parse(text: &str) -> Self {
        let mut file = Self { prelude: String::new(), cases: Vec::new() };
        for line in text.split_inclusive('\n') {
            if let Some(words) = line.strip_prefix("#case ") {
                let mut words = words.split_whitespace();
                let name = words.next().unwrap_or_default().to_owned();
                let number = |prefix| words.clone().find_map(|word| word.strip_prefix(prefix)?.parse().ok());
                let limit = Duration::from_secs(number("timeout=").unwrap_or(DEFAULT_LIMIT).into());
                let memory_mib = number("memory=").unwrap_or(0);
                file.cases.push(Case { name, limit, memory_mib, text: String::new() });
            }
            match file.cases.last_mut() {
                Some(case) => case.text += line,
                None => file.prelude += line,
            }
        }
        file
    }

    /// Returns the text of a file with only the given cases.
    pub(super) fn text_of(&self, cases: &[Case]) -> String {
        let cases: String = cases.iter().map(|case| case.text.as_str()).collect();
        format!("{}{cases}", self.prelude)
    }
}

/// What one case printed, between its first and its last line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Answer {
    /// Output lines with their mark `| `, and the last line with the status, if the case ended.
    pub(super) lines: Vec<String>,
    /// Whether the case ended.
    pub(super) has_ended: bool,
}

/// Takes a transcript in, line by line, and sorts it by cases.
#[derive(Debug, Default)]
pub(super) struct Transcript {
    answers: BTreeMap<String, Answer>,
    order: Vec<String>,
    current: Option<String>,
    partial: Vec<u8>,
    /// Whether the line that ends a run has come.
    is_done: bool,
    /// Lines that are no part of a transcript: messages of the kernel, for people to read.
    noise: Vec<String>,
}

impl Transcript {
    /// Takes a piece of a console.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        for byte in bytes {
            match byte {
                b'\n' => {
                    let line = std::mem::take(&mut self.partial);
                    self.line(String::from_utf8_lossy(&line).into_owned());
                }
                b'\r' => {}
                byte => self.partial.push(*byte),
            }
        }
    }

    /// Reads a whole transcript.
    pub(super) fn parse(text: &str) -> Self {
        let mut transcript = Self::default();
        transcript.push(text.as_bytes());
        transcript.push(b"\n");
        transcript
    }

    fn line(&mut self, line: String) {
        if let Some(name) = line.strip_prefix("=== ") {
            self.order.push(name.to_owned());
            self.answers.insert(name.to_owned(), Answer::default());
            self.current = Some(name.to_owned());
        } else if line.starts_with("| ") || line.starts_with("--- ") {
            let answer = self.current.as_ref().and_then(|name| self.answers.get_mut(name));
            if let Some(answer) = answer {
                if line.starts_with("--- ") {
                    answer.has_ended = true;
                    self.current = None;
                }
                answer.lines.push(line);
            }
        } else if line.starts_with("### ") {
            self.is_done |= line.starts_with("### done ");
        } else if !line.trim().is_empty() {
            self.noise.push(line);
        }
    }

    /// Returns a case's answer, if it was started.
    pub(super) fn answer(&self, name: &str) -> Option<&Answer> {
        self.answers.get(name)
    }

    /// Returns the case that was started and has not ended.
    pub(super) fn current(&self) -> Option<&str> {
        self.current.as_deref()
    }

    /// Returns the lines of the kernel's log in which it tells of a bug of its own.
    pub(super) fn complaints(&self) -> String {
        let lines: Vec<&str> = self.noise.iter().filter_map(|line| line.strip_prefix("!!! ")).collect();
        lines.join("\n")
    }

    /// Returns whether the run has come to its end.
    pub(super) fn is_done(&self) -> bool {
        self.is_done
    }

    /// Returns the last lines that belong to no case, for a message about a machine that came to grief.
    pub(super) fn last_noise(&self, count: usize) -> String {
        let mut lines = self.noise.clone();
        lines.push(String::from_utf8_lossy(&self.partial).into_owned());
        lines.retain(|line| !line.trim().is_empty());
        lines.split_off(lines.len().saturating_sub(count)).join("\n")
    }

    /// Returns the answers to the cases `names`, in that order: this transcript's where it has one, else an older one's.
    pub(super) fn over(mut self, older: &Self, names: impl Iterator<Item = String>) -> Self {
        self.order.clear();
        for name in names {
            if let Some(answer) = older.answers.get(&name).filter(|_| !self.answers.contains_key(&name)) {
                self.answers.insert(name.clone(), answer.clone());
            }
            if self.answers.contains_key(&name) {
                self.order.push(name);
            }
        }
        self
    }

    /// Returns the transcript of one file of cases as it is kept in `tests/expected`.
    pub(super) fn to_expected(&self, family: &str) -> String {
        let mut text = format!("### {family}\n");
        for name in &self.order {
            let lines = self.answers.get(name).map(|answer| answer.lines.join("\n")).unwrap_or_default();
            // Writing to a string does not fail.
            let _ = writeln!(text, "=== {name}\n{lines}");
        }
        let _ = writeln!(text, "### end {family} cases={}", self.order.len());
        text
    }
}

/// Shows how two lists of lines differ: `-` is expected and missing, `+` is there and not expected.
pub(super) fn diff(expected: &[String], found: &[String]) -> String {
    // Longest common subsequence; what cases print is short. The guard keeps a runaway case affordable.
    const LIMIT: usize = 2000;
    let (expected, found) = (head(expected, LIMIT), head(found, LIMIT));
    let mut table = vec![vec![0_u32; found.len() + 1]; expected.len() + 1];
    for (i, left) in expected.iter().enumerate().rev() {
        for (j, right) in found.iter().enumerate().rev() {
            table[i][j] =
                if left == right { table[i + 1][j + 1] + 1 } else { table[i + 1][j].max(table[i][j + 1]) };
        }
    }
    let (mut i, mut j, mut lines) = (0, 0, Vec::new());
    while i < expected.len() || j < found.len() {
        if i < expected.len() && j < found.len() && expected[i] == found[j] {
            lines.push(format!("    {}", expected[i]));
            (i, j) = (i + 1, j + 1);
        } else if j == found.len() || (i < expected.len() && table[i + 1][j] >= table[i][j + 1]) {
            lines.push(format!("  - {}", expected[i]));
            i += 1;
        } else {
            lines.push(format!("  + {}", found[j]));
            j += 1;
        }
    }
    lines.join("\n")
}

fn head(lines: &[String], limit: usize) -> &[String] {
    lines.get(..limit).unwrap_or(lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "f() { :; }\n#case one\necho 1\n#case two timeout=60\necho 2\n";

    #[test]
    fn a_file_is_taken_apart_and_put_together() {
        let file = CaseFile::parse(FILE);
        assert_eq!(file.cases.len(), 2);
        assert_eq!(file.cases[0].limit, Duration::from_secs(20));
        assert_eq!((file.cases[1].name.as_str(), file.cases[1].limit), ("two", Duration::from_secs(60)));
        assert_eq!(file.text_of(&file.cases), FILE);
        assert_eq!(file.text_of(&file.cases[1..]), "f() { :; }\n#case two timeout=60\necho 2\n");
    }

    #[test]
    fn a_transcript_is_sorted_by_cases_and_noise_is_kept_apart() {
        let mut transcript = Transcript::default();
        let text = "SeaBIOS\r\n### f\r\n=== one\r\n| 1\r\n--- one status=0\r\n[ 1.0] oops\r\n=== two\r\n| 2";
        for piece in text.as_bytes().chunks(5) {
            transcript.push(piece);
        }
        assert_eq!(transcript.answer("one").map(|a| a.has_ended), Some(true));
        assert_eq!(transcript.answer("one").map(|a| a.lines.len()), Some(2));
        assert_eq!((transcript.current(), transcript.is_done()), (Some("two"), false));
        assert_eq!(transcript.last_noise(2), "[ 1.0] oops\n| 2");
        transcript.push(b"\n--- two status=3\n### end f cases=2\n### done cases=2\n");
        assert!(transcript.is_done());
        let expected =
            "### f\n=== one\n| 1\n--- one status=0\n=== two\n| 2\n--- two status=3\n### end f cases=2\n";
        assert_eq!(transcript.to_expected("f"), expected);
        assert_eq!(Transcript::parse(expected).to_expected("f"), expected);
    }

    #[test]
    fn new_answers_stand_beside_old_ones_in_the_order_of_the_file() {
        let old = Transcript::parse(
            "=== one\n--- one status=0\n=== gone\n--- gone status=0\n=== two\n--- two status=0",
        );
        let new = Transcript::parse("=== two\n--- two status=1\n=== new\n--- new status=2");
        let names = ["new", "one", "two", "never"].map(str::to_owned);
        let text = "### f\n=== new\n--- new status=2\n=== one\n--- one status=0\n=== two\n--- two status=1\n### end f cases=3\n";
        assert_eq!(new.over(&old, names.into_iter()).to_expected("f"), text);
    }

    #[test]
    fn a_difference_shows_both_sides() {
        let lines = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(diff(&lines("a b c"), &lines("a x c")), "    a\n  - b\n  + x\n    c");
        assert_eq!(diff(&[], &lines("a")), "  + a");
    }
}
