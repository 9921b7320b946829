//! `cargo xtask test`: everything that can fail, with one line of totals at the end.
//!
//! Five parts: the tests that run on this host; boots of the image on several machines; dialogues with the
//! interactive shell; the conformance cases, whose answers must be those of Linux; the stress. A part that cannot be run is a failure or is named as left
//! out; it never counts as passed.

mod boots;
mod cases;
mod dialogue;
mod host;
mod programs;
mod stress;
mod transcript;

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::qemu::Accel;
use crate::toolchain::Choice;
use crate::{build, cmd, linux};

/// What the user asked of `test`.
#[derive(clap::Args, Clone, Default)]
pub(crate) struct Args {
    /// Leave out what takes long: other machines than q35, and the cases on several processors or in little memory.
    #[arg(long)]
    pub(crate) quick: bool,
    /// Run the machine tests and cases on this kernel; `linux` is Debian's. Shows whether a test is right.
    #[arg(long, value_name = "PATH|linux")]
    pub(crate) kernel: Option<PathBuf>,
    /// Take Linux's answers to the cases anew and write them to `tests/expected`.
    #[arg(long)]
    pub(crate) record: bool,
    /// Only run Debian's programs that press on the scheduler (rt-tests, stress-ng, sysbench, perf bench): minutes.
    #[arg(long, conflicts_with_all = ["record", "quick"])]
    pub(crate) programs: bool,
    /// Leave out the tests that run on this host.
    #[arg(long)]
    pub(crate) no_host: bool,
    /// Run only the models of the lock-free parts, and in more orders of steps than otherwise.
    #[arg(long)]
    pub(crate) loom: bool,
    /// Run only the stress, for so long: churn in full memory, then every frame must be accounted for.
    #[arg(long, value_name = "MINUTES")]
    pub(crate) stress: Option<u64>,
    /// What the stress does depends on this number.
    #[arg(long, default_value_t = stress::SEED, requires = "stress")]
    pub(crate) seed: u64,
    /// How to execute the guest's instructions.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) accel: Accel,
    /// Which compiler to use.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) toolchain: Choice,
    /// Only tests whose name contains this.
    pub(crate) filter: Option<String>,
}

/// Preemptions in an order of steps that loom tries: a few seconds in all; and with `--loom`, minutes.
const PREEMPTIONS: usize = 2;
const MORE_PREEMPTIONS: usize = 3;

/// How many tests passed and failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    /// Tests that did what they should.
    pub(crate) passed: u64,
    /// Tests that did not, or did not run to their end.
    pub(crate) failed: u64,
}

impl Totals {
    /// Counts a test and prints what came of it.
    pub(crate) fn count(&mut self, name: &str, outcome: Result<()>) {
        match outcome {
            Ok(()) => {
                self.passed += 1;
                println!("passed {name}");
            }
            Err(error) => {
                self.failed += 1;
                println!("FAILED {name}: {error:#}");
            }
        }
    }
}

impl std::ops::AddAssign for Totals {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
    }
}

/// Where the machine tests run.
struct Setup {
    kernel: PathBuf,
    accel: Accel,
    quick: bool,
    filter: Option<String>,
}

impl Setup {
    fn wants(&self, name: &str) -> bool {
        self.filter.as_ref().is_none_or(|filter| name.contains(filter.as_str()))
    }
}

/// Runs the tests, prints the totals as the last line and fails if any test failed.
pub(crate) fn main(args: &Args) -> Result<ExitCode> {
    if args.record {
        return record(args);
    }
    if args.loom {
        return Ok(finish(host::models(args.filter.as_deref(), MORE_PREEMPTIONS)?));
    }
    if let Some(minutes) = args.stress {
        let setup = Setup { kernel: kernel(args)?, accel: args.accel, quick: true, filter: None };
        let mut totals = Totals::default();
        totals.count(
            &format!("stress: {minutes} min, seed {}", args.seed),
            stress::stress(&setup, minutes * 60, args.seed),
        );
        return Ok(finish(totals));
    }
    let totals = run(args)?;
    Ok(finish(totals))
}

/// Prints the final line and returns the exit status that goes with it.
pub(crate) fn finish(totals: Totals) -> ExitCode {
    println!("{} passed, {} failed", totals.passed, totals.failed);
    if totals.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Runs the tests and returns the totals.
///
/// # Errors
/// If the tests cannot be run at all; a test that fails is no error but counted.
pub(crate) fn run(args: &Args) -> Result<Totals> {
    let started = Instant::now();
    let mut totals = Totals::default();
    if args.programs {
        let filter = args.filter.clone();
        return programs::run(&Setup { kernel: kernel(args)?, accel: args.accel, quick: false, filter });
    }
    if args.no_host {
        println!("left out: the tests on this host (--no-host)");
    } else {
        totals += host::run(args.filter.as_deref())?;
        totals += host::models(args.filter.as_deref(), PREEMPTIONS)?;
    }
    match kernel(args) {
        Ok(kernel) => {
            let filter = args.filter.clone();
            let setup = Setup { kernel, accel: args.accel, quick: args.quick, filter };
            totals += boots::run(&setup)?;
            totals += dialogue::run(&setup)?;
            totals += cases::run(&setup)?;
            totals += stress::run(&setup)?;
        }
        Err(error) => {
            println!("FAILED the kernel image: {error:#}");
            println!("left out: all machine tests, since there is no image");
            totals.failed += 1;
        }
    }
    cmd::progress(format!("tests took {} s", started.elapsed().as_secs()));
    Ok(totals)
}

/// Takes the answers to the cases anew.
fn record(args: &Args) -> Result<ExitCode> {
    let filter = args.filter.clone();
    let setup = Setup { kernel: linux::kernel()?, accel: args.accel, quick: true, filter };
    cases::record(&setup)?;
    Ok(ExitCode::SUCCESS)
}

fn kernel(args: &Args) -> Result<PathBuf> {
    crate::qemu::ensure()?;
    match &args.kernel {
        Some(name) if name.as_os_str() == "linux" => linux::kernel(),
        Some(path) if path.is_file() => Ok(path.clone()),
        Some(path) => bail!("--kernel {}: no such file", path.display()),
        None => build::image(&build::Args { toolchain: args.toolchain, ..build::Args::default() }),
    }
}

/// Runs jobs on as many threads as there are processors and calls `done` with each result, in the order in
/// which they end.
fn in_parallel<J: Send, R: Send>(jobs: Vec<J>, run: impl Fn(J) -> R + Sync, mut done: impl FnMut(R)) {
    let workers = std::thread::available_parallelism().map_or(1, usize::from).min(jobs.len());
    let queue = Mutex::new(VecDeque::from(jobs));
    let (sender, results) = std::sync::mpsc::channel();
    std::thread::scope(|scope| {
        for _ in 0..workers {
            let (sender, queue, run) = (sender.clone(), &queue, &run);
            scope.spawn(move || {
                loop {
                    let job = queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
                    let Some(job) = job else { break };
                    if sender.send(run(job)).is_err() {
                        break;
                    }
                }
            });
        }
        drop(sender);
        results.into_iter().for_each(&mut done);
    });
}

/// Writes a file if its content is not what it should be; a rebuild is not set off for nothing.
fn write_if_changed(path: &Path, content: &str) -> Result<bool> {
    if std::fs::read_to_string(path).is_ok_and(|old| old == content) {
        return Ok(false);
    }
    std::fs::write(path, content).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_job_is_run_once() {
        let mut sum = 0;
        in_parallel((1..=100).collect(), |n: u64| n * 2, |doubled| sum += doubled);
        assert_eq!(sum, 10100);
    }
}
