//! The tests that run on this host: `cargo nextest` if it is installed, else `cargo test`; and the models of the
//! lock-free parts, which loom runs.

use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use super::Totals;
use crate::toolchain::host_cargo;
use crate::{cmd, packages, paths};

/// Runs the workspace's tests, those in documentation included, and counts them.
pub(super) fn run(filter: Option<&str>) -> Result<Totals> {
    let mut totals = Totals::default();
    if has_nextest() {
        cmd::progress("running the host tests (cargo nextest)");
        let mut command = cargo("nextest", &["run", "--workspace", "--no-fail-fast", "--no-tests=pass"]);
        command.args(["--status-level", "fail", "--final-status-level", "none", "--show-progress", "none"]);
        totals += count(command.args(filter), parse_nextest)?;
        cmd::progress("running the tests in the documentation");
        let mut command = cargo("test", &["--workspace", "--doc", "--no-fail-fast", "--quiet"]);
        totals += count(command.arg("--").args(filter), parse_cargo)?;
    } else {
        cmd::progress("running the host tests (cargo test)");
        let mut command = cargo("test", &["--workspace", "--no-fail-fast"]);
        totals += count(command.arg("--").args(filter), parse_cargo)?;
    }
    Ok(totals)
}

/// Seconds that one model may take; what has not been tried by then is left out.
const MODEL_SECONDS: u64 = 120;

/// Runs the models in every order of steps with up to `preemptions` preemptions. Their crate has no code but under
/// `cfg(loom)`, which all that it needs is built with, so it has a target directory of its own.
pub(super) fn models(filter: Option<&str>, preemptions: usize) -> Result<Totals> {
    cmd::progress(format!("running the models of the lock-free parts (loom, {preemptions} preemptions)"));
    let mut command = cargo("test", &["--package", "models", "--release", "--locked"]);
    command.env("RUSTFLAGS", "--cfg loom").env("CARGO_TARGET_DIR", paths::target().join("loom"));
    // Whole-program optimisation would take longer than the models.
    command.env("CARGO_PROFILE_RELEASE_LTO", "off").env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16");
    command.env("LOOM_MAX_PREEMPTIONS", preemptions.to_string());
    command.env("LOOM_MAX_DURATION", MODEL_SECONDS.to_string());
    count(command.arg("--").args(filter), parse_cargo)
}

fn cargo(subcommand: &str, args: &[&str]) -> Command {
    let mut command = host_cargo(subcommand);
    command.args(args).env("CARGO_TERM_COLOR", "never");
    command
}

fn has_nextest() -> bool {
    packages::find("cargo-nextest").is_some()
}

/// Runs `command`, passes on what it prints, and adds up the totals that `parse` finds in its lines.
fn count(command: &mut Command, parse: fn(&str) -> Option<Totals>) -> Result<Totals> {
    let started = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = started.with_context(|| format!("cannot start {}", cmd::show(command)))?;
    let stdout = child.stdout.take().context("no pipe")?;
    let stderr = child.stderr.take().context("no pipe")?;
    let sum = |pipe: Box<dyn Read + Send>| -> Totals {
        let mut totals = Totals::default();
        for line in BufReader::new(pipe).split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line);
            eprintln!("{line}");
            totals += parse(&line).unwrap_or_default();
        }
        totals
    };
    let mut totals = std::thread::scope(|scope| {
        let errors = scope.spawn(|| sum(Box::new(stderr)));
        let mut totals = sum(Box::new(stdout));
        totals += errors.join().unwrap_or_default();
        totals
    });
    let status = child.wait().with_context(|| format!("cannot wait for {}", cmd::show(command)))?;
    if !status.success() && totals.failed == 0 {
        // It did not compile, or the test runner itself failed.
        println!("FAILED {} ({status})", cmd::show(command));
        totals.failed += 1;
    }
    Ok(totals)
}

/// Reads `Summary [ 0.1s] 3/4 tests run: 2 passed (1 slow), 1 failed, 1 timed out, 5 skipped`.
fn parse_nextest(line: &str) -> Option<Totals> {
    let (_, counts) = line.trim_start().strip_prefix("Summary ")?.split_once("run: ")?;
    let failed = ["failed", "timed out", "exec failed"].iter().map(|word| number_before(counts, word)).sum();
    Some(Totals { passed: number_before(counts, "passed"), failed })
}

/// Reads `test result: ok. 3 passed; 0 failed; 1 ignored; ...`.
fn parse_cargo(line: &str) -> Option<Totals> {
    let counts = line.strip_prefix("test result: ")?.split_once(". ")?.1;
    Some(Totals { passed: number_before(counts, "passed"), failed: number_before(counts, "failed") })
}

/// Returns the number before a word in a list separated by commas or semicolons.
fn number_before(counts: &str, word: &str) -> u64 {
    counts
        .split([',', ';'])
        .find_map(|count| {
            let (number, rest) = count.trim().split_once(' ')?;
            let rest = rest.split(" (").next()?;
            (rest.trim() == word).then(|| number.parse().ok())?
        })
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_are_read_from_both_test_runners() {
        let line =
            "     Summary [   0.010s] 7 tests run: 4 passed (1 slow), 2 failed, 1 timed out, 3 skipped";
        assert_eq!(parse_nextest(line), Some(Totals { passed: 4, failed: 3 }));
        let line = "     Summary [   0.010s] 18 tests run: 18 passed, 0 skipped";
        assert_eq!(parse_nextest(line), Some(Totals { passed: 18, failed: 0 }));
        let line = "test result: FAILED. 17 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s";
        assert_eq!(parse_cargo(line), Some(Totals { passed: 17, failed: 1 }));
        assert_eq!(parse_cargo("running 3 tests"), None);
        assert_eq!(parse_nextest("PASS [ 0.004s] xtask passed"), None);
    }
}
