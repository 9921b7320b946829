//! `cargo xtask bench --check`: the gate. Compares Exo-OS with the committed baseline.
//!
//! The figures are the same on every run of one image, so what differs is what a change did.

use anyhow::{Context, Result, bail};

use super::record::{self, Figures, Outcome, Record, Run};

/// How much dearer than the baseline a row may be.
pub(super) const LIMIT: f64 = 0.02;
/// The same for an image that was built elsewhere or holds unrelated changes as well: where constants lie, and how many
/// frames were cleared while the machine was idle, moves some rows by a few percent.
pub(super) const LIMIT_OF_CI: f64 = 0.10;
/// Rows of so few frames that it matters most whether these were cleared before, and by how much more they may differ.
const WAVERING: [(&str, f64); 2] =
    [("memory/mmap, touch 1 page, munmap", 0.30), ("memory/copy-on-write fault", 0.30)];
/// The baseline's file.
const FILE: &str = "baseline.json";

/// Stores a run as the baseline.
///
/// # Errors
/// If it cannot be written, or a row has failed: that is nothing to hold others to.
pub(super) fn accept(run: Run) -> Result<()> {
    let failed = run.rows.iter().filter(|row| matches!(row.outcome, Outcome::Failed(_)));
    let failed: Vec<&str> = failed.map(|row| row.name.as_str()).collect();
    if !failed.is_empty() {
        bail!("rows have failed: {}", failed.join(", "));
    }
    let path = record::path(FILE);
    record::write_record(&path, &Record { exo: Some(run), ..Record::default() })?;
    println!("{} is the baseline now; say why in the commit", path.display());
    Ok(())
}

/// Compares a run with the baseline and prints what differs.
///
/// # Errors
/// If a row is dearer than it may be, or is not measured any more.
pub(super) fn check(run: &Run, limit: f64) -> Result<()> {
    let path = record::path(FILE);
    let baseline = record::read(&path)?.exo.with_context(|| format!("{} has no figures", path.display()))?;
    // Each makes or counts other instructions, by more than a change may cost.
    for (what, theirs, ours) in
        [("compiler", &baseline.compiler, &run.compiler), ("emulator", &baseline.emulator, &run.emulator)]
    {
        if theirs != ours {
            println!("not compared: the baseline's {what} is \"{theirs}\", this one is \"{ours}\"");
            return Ok(());
        }
    }
    let verdict = compare(&baseline, run, limit);
    for line in &verdict.better {
        println!("cheaper: {line}");
    }
    if !verdict.worse.is_empty() {
        bail!(
            "{} rows are worse than {} allows:\n{}\nWhere it goes: cargo xtask profile --row NAME. If it is meant: cargo xtask \
             bench --accept, and say why in the commit",
            verdict.worse.len(),
            path.display(),
            verdict.worse.join("\n")
        );
    }
    println!("no row is more than {:.0} % above the baseline", 100.0 * limit);
    Ok(())
}

/// What a comparison found, a line for each row.
#[derive(Debug, Default)]
struct Verdict {
    worse: Vec<String>,
    better: Vec<String>,
}

/// Compares the rows that the new run chose to measure.
fn compare(baseline: &Run, run: &Run, limit: f64) -> Verdict {
    let mut verdict = Verdict::default();
    for row in &run.rows {
        let name = &row.name;
        let Some(before) = baseline.figures(name) else { continue };
        let now = match &row.outcome {
            Outcome::Measured(figures) => figures,
            Outcome::Unsupported(why) | Outcome::Failed(why) => {
                verdict.worse.push(format!("{name}: was measured, now: {why}"));
                continue;
            }
        };
        let change = now.median / before.median - 1.0;
        let line = format!(
            "{name}: {:.1} to {:.1} {} ({:+.1} %)",
            before.median,
            now.median,
            now.unit,
            100.0 * change
        );
        let wavering = WAVERING.iter().find(|(row, _)| row == name).map_or(0.0, |(_, share)| *share);
        if change > limit + wavering + noise(before).max(noise(now)) {
            verdict.worse.push(line);
        } else if change < -limit {
            verdict.better.push(line);
        }
    }
    verdict
}

/// Returns how far a figure may be off by itself: programs land at random addresses, and some touch more pages then.
fn noise(figures: &Figures) -> f64 {
    figures.drift.max(figures.spread / 2.0)
}

#[cfg(test)]
mod tests {
    use super::super::record::Row;
    use super::*;

    fn run(median: f64, spread: f64, outcome: Option<Outcome>) -> Run {
        let figures = Figures {
            unit: "instructions".to_owned(),
            median,
            minimum: median,
            spread,
            drift: 0.0,
            batches: 9,
            operations: 1,
        };
        let outcome = outcome.unwrap_or(Outcome::Measured(figures));
        let row = Row { name: "a/b".to_owned(), copying: false, outcome };
        Run { rows: vec![row], ..Run::default() }
    }

    #[test]
    fn two_percent_are_allowed_and_a_rows_own_noise() {
        let counts = |baseline: &Run, now: &Run| {
            let verdict = compare(baseline, now, LIMIT);
            (verdict.worse.len(), verdict.better.len())
        };
        let baseline = run(100.0, 0.0, None);
        assert_eq!(counts(&baseline, &run(101.9, 0.0, None)), (0, 0));
        assert_eq!(counts(&baseline, &run(102.1, 0.0, None)), (1, 0));
        assert_eq!(counts(&baseline, &run(102.1, 0.01, None)), (0, 0));
        assert_eq!(counts(&baseline, &run(97.0, 0.0, None)), (0, 1));
        assert_eq!(counts(&baseline, &run(0.0, 0.0, Some(Outcome::Failed("x".to_owned())))), (1, 0));
        let new_row = run(0.0, 0.0, Some(Outcome::Unsupported("x".to_owned())));
        assert_eq!(counts(&new_row, &baseline), (0, 0));
    }
}
