//! Runs the benchmark program on a kernel in the emulator and reads its lines.
//!
//! A row that brings the machine down, hangs it or prints garbage has failed; a new machine goes on behind it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::mpsc::RecvTimeoutError;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use super::program;
use super::record::{Figures, Outcome, Row, Run};
use crate::cpio::Tree;
use crate::filter::{Filter, Marks};
use crate::qemu::{Accel, Console, Kind, Machine};
use crate::scratch::Scratch;
use crate::session::{self, Running, read_pieces};
use crate::{cmd, paths, qemu};

/// Options of a machine that counts: one instruction, one tick; no copies by byte, which the emulator counts one by
/// one; the same random numbers and the same date on every run.
pub(crate) const COUNTING: [&str; 8] = [
    "-icount",
    "shift=0,sleep=off",
    "-cpu",
    "max,-erms,-fsrm",
    "-rtc",
    "base=2026-01-01,clock=vm",
    "-seed",
    "1",
];

/// How long a machine may print nothing.
const PATIENCE: Duration = Duration::from_secs(180);
/// How many machines may die before the rest is given up.
const MAX_DEATHS: usize = 12;
/// How far the counter may be from one per instruction.
const TOLERANCE: f64 = 0.001;

/// What is counted, and on how many processors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// Instructions, on one.
    Instructions,
    /// Nanoseconds, on two.
    Wall,
}

/// A kernel to measure.
#[derive(Clone, Debug)]
pub(super) struct Kernel {
    /// What progress lines call it; also the name of its logs.
    pub(super) name: &'static str,
    /// Its image.
    pub(super) image: PathBuf,
    /// Words for its command line.
    pub(super) append: &'static str,
    /// What compiled it, if this command did.
    pub(super) compiler: String,
}

/// What a guest is told to measure.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    /// What is counted.
    pub(super) mode: Mode,
    /// Whether shorter.
    pub(super) is_quick: bool,
    /// Patterns of the rows' names; none for all rows.
    pub(super) only: Vec<String>,
    /// The names of the rows that this chooses.
    pub(super) rows: Vec<String>,
}

/// One line of the program.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Line {
    Measured {
        row: String,
        copying: bool,
        #[serde(flatten)]
        figures: Figures,
    },
    Unsupported {
        row: String,
        copying: bool,
        unsupported: String,
    },
    Failed {
        row: String,
        copying: bool,
        failed: String,
    },
    Calibration {
        calibration: f64,
    },
    Begin {
        begin: String,
    },
    End {
        end: usize,
    },
}

/// Measures all rows of a plan on a kernel.
///
/// # Errors
/// If no machine can be started, or its counter does not count instructions.
pub(super) fn measure(kernel: &Kernel, tree: &Tree, plan: &Plan) -> Result<Run> {
    let name = kernel.image.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let (command_line, compiler) = (kernel.append.to_owned(), kernel.compiler.clone());
    let mut run = Run { kernel: name, command_line, compiler, emulator: qemu::version()?, rows: Vec::new() };
    let mut deaths = 0;
    while run.rows.len() < plan.rows.len() {
        let after = run.rows.last().map(|row| row.name.clone());
        let log = paths::target().join("bench/logs").join(format!("{}-{deaths}.log", kernel.name));
        let session = boot(kernel, tree, plan, after.as_deref(), &log)?;
        let count = session.rows.len();
        run.rows.extend(session.rows);
        if session.is_complete {
            break;
        }
        deaths += 1;
        if session.begun.is_none() && count == 0 && run.rows.is_empty() {
            bail!("{}: the program measured nothing; see {}", kernel.name, log.display());
        }
        if let Some(row) = session.begun {
            let reason = format!("the machine {}; see {}", session.end, log.display());
            cmd::progress(format!("{}: {row}: {reason}", kernel.name));
            run.rows.push(Row { name: row, copying: false, outcome: Outcome::Failed(reason) });
        }
        if deaths == MAX_DEATHS {
            let left: Vec<String> = plan.rows[run.rows.len().min(plan.rows.len())..].to_vec();
            let reason = "not run: too many machines died before".to_owned();
            let failed = |name| Row { name, copying: false, outcome: Outcome::Failed(reason.clone()) };
            run.rows.extend(left.into_iter().map(failed));
        }
    }
    Ok(run)
}

/// What one machine said.
#[derive(Debug, Default)]
struct Session {
    rows: Vec<Row>,
    /// The row that was begun and is not among the rows.
    begun: Option<String>,
    is_complete: bool,
    calibration: Option<f64>,
    /// How the machine ended.
    end: &'static str,
}

impl Session {
    /// Takes a line. What is no line of the program (a kernel's message, a row's own output) is passed over.
    fn take(&mut self, line: &str) {
        let Ok(line) = serde_json::from_str(line.trim()) else { return };
        match line {
            Line::Measured { row, copying, figures } => self.push(row, copying, Outcome::Measured(figures)),
            Line::Unsupported { row, copying, unsupported } => {
                self.push(row, copying, Outcome::Unsupported(unsupported));
            }
            Line::Failed { row, copying, failed } => self.push(row, copying, Outcome::Failed(failed)),
            Line::Calibration { calibration } => self.calibration = Some(calibration),
            Line::Begin { begin } => {
                self.give_up();
                self.begun = Some(begin);
            }
            Line::End { end } => {
                self.give_up();
                self.is_complete = end == self.rows.len();
            }
        }
    }

    fn push(&mut self, name: String, copying: bool, outcome: Outcome) {
        self.begun = None;
        self.rows.push(Row { name, copying, outcome });
    }

    /// Ends a row that said nothing that can be read.
    fn give_up(&mut self) {
        if let Some(row) = self.begun.take() {
            self.push(row, false, Outcome::Failed("printed nothing that can be read".to_owned()));
        }
    }
}

/// Runs one machine to its end.
fn boot(kernel: &Kernel, tree: &Tree, plan: &Plan, after: Option<&str>, log: &Path) -> Result<Session> {
    let marks = Marks::unique();
    let mut tree = tree.clone();
    let command = program::guest_command(&words(plan, after));
    let runner = session::add_runner(&mut tree, &command, Vec::new(), &marks, false)?;
    let initrd = Scratch::new("bench.cpio", &tree.to_bytes()?)?;
    let (cpus, extra): (u32, &[&str]) = match plan.mode {
        Mode::Instructions => (1, &COUNTING),
        Mode::Wall => (2, &["-cpu", "max,-erms,-fsrm"]),
    };
    let machine = Machine {
        kernel: kernel.image.clone(),
        initrd: Some(initrd.path().to_path_buf()),
        append: format!("console=ttyS0 panic=-1 quiet loglevel=1 {runner} {}", kernel.append),
        cpus,
        memory: "1G".to_owned(),
        accel: Accel::Tcg,
        kind: Kind::Q35,
        gdb: false,
        extra: extra.iter().map(|word| (*word).to_owned()).collect(),
    };
    let session = listen(kernel, &machine, marks, log)?;
    if let (Mode::Instructions, Some(calibration)) = (plan.mode, session.calibration)
        && (calibration - 1.0).abs() > TOLERANCE
    {
        bail!("{}: the counter advances by {calibration} for each instruction of a known loop", kernel.name);
    }
    Ok(session)
}

/// Returns the program's arguments.
fn words(plan: &Plan, after: Option<&str>) -> Vec<String> {
    let mut words = Vec::new();
    words.extend(plan.is_quick.then(|| "--quick".to_owned()));
    words.extend((plan.mode == Mode::Wall).then(|| "--wall".to_owned()));
    for pattern in &plan.only {
        words.extend(["--only".to_owned(), pattern.clone()]);
    }
    if let Some(after) = after {
        words.extend(["--after".to_owned(), after.to_owned()]);
    }
    words
}

/// Reads a machine's console to its end and keeps it as a log.
fn listen(kernel: &Kernel, machine: &Machine, marks: Marks, log: &Path) -> Result<Session> {
    let mut command = machine.command(Console::Plain)?;
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
    let mut child = Running(child.with_context(|| format!("cannot start {}", cmd::show(&command)))?);
    let pieces = read_pieces(child.0.stdout.take().context("no pipe")?);
    let mut filter = Filter::new(marks);
    let mut session = Session { end: "died", ..Session::default() };
    let (mut console, mut line) = (Vec::new(), Vec::new());
    let mut told = 0;
    loop {
        match pieces.recv_timeout(PATIENCE) {
            Ok(piece) => {
                console.extend_from_slice(&piece);
                for byte in filter.push(&piece) {
                    if byte == b'\n' {
                        session.take(&String::from_utf8_lossy(&line));
                        line.clear();
                    } else {
                        line.push(byte);
                    }
                }
            }
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {
                session.end = "hung";
                break;
            }
        }
        if session.rows.len() >= told + 20 {
            told = session.rows.len();
            cmd::progress(format!("{}: {told} rows measured", kernel.name));
        }
    }
    child.end()?;
    if let Some(dir) = log.parent() {
        fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
    }
    fs::write(log, &console).with_context(|| format!("cannot write {}", log.display()))?;
    Ok(session)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_become_rows_and_silence_fails_a_row() {
        let mut session = Session::default();
        for line in [
            "{\"calibration\":1.0000}",
            "{\"begin\":\"a/b\"}",
            "kernel: a message",
            "{\"row\":\"a/b\",\"copying\":true,\"unit\":\"instructions\",\"median\":1.50,\"minimum\":1.50,\
             \"spread\":0.0000,\"drift\":0.0000,\"batches\":1,\"operations\":7}\r",
            "{\"begin\":\"a/c\"}",
            "{\"row\":\"a/c\",\"copying\":false,\"unsupported\":\"x: ENOSYS\"}",
            "{\"begin\":\"a/d\"}",
            "{\"row\":\"a/d\",\"copying\"",
            "{\"begin\":\"a/e\"}",
        ] {
            session.take(line);
        }
        assert_eq!(session.calibration, Some(1.0));
        assert_eq!(session.rows.len(), 3);
        assert!(session.rows[0].copying);
        assert!(matches!(&session.rows[0].outcome, Outcome::Measured(figures) if figures.median == 1.5));
        assert_eq!(session.rows[1].outcome, Outcome::Unsupported("x: ENOSYS".to_owned()));
        assert!(matches!(&session.rows[2].outcome, Outcome::Failed(_)));
        assert_eq!(session.begun.as_deref(), Some("a/e"));
        assert!(!session.is_complete);
        session.take("{\"end\":4}");
        assert!(session.is_complete && session.rows.len() == 4);
    }
}
