//! Wall-clock time on two processors: several runs of each kernel in turn, so that what the host does meanwhile hits
//! both.

use anyhow::Result;

use super::guest::{self, Kernel, Mode, Plan};
use super::record::{Figures, Outcome, Row, Run};
use crate::cmd;
use crate::cpio::Tree;

/// Runs of each kernel.
const RUNS: usize = 3;

/// Measures two kernels in turn; the figures of each row are the median of its runs and their spread.
///
/// # Errors
/// If no machine can be started.
pub(super) fn alternate(kernels: [&Kernel; 2], tree: &Tree, plan: &Plan) -> Result<[Run; 2]> {
    let plan = Plan { mode: Mode::Wall, is_quick: true, ..plan.clone() };
    let mut runs = [Vec::new(), Vec::new()];
    for number in 1..=RUNS {
        for (kernel, runs) in kernels.iter().zip(&mut runs) {
            cmd::progress(format!("wall clock, run {number} of {RUNS}: {}", kernel.name));
            runs.push(guest::measure(kernel, tree, &plan)?);
        }
    }
    Ok(runs.map(summarise))
}

/// Makes one run of several. A row that failed in one of them has failed.
fn summarise(mut runs: Vec<Run>) -> Run {
    let Some(last) = runs.pop() else { return Run::default() };
    let rows = last.rows.iter().map(|row| {
        let others = runs.iter().filter_map(|run| run.row(&row.name));
        let all: Vec<&Row> = others.chain([row]).collect();
        let failed = all.iter().find(|row| !matches!(row.outcome, Outcome::Measured(_)));
        let outcome = failed.map_or_else(|| median(&all), |row| row.outcome.clone());
        Row { outcome, ..row.clone() }
    });
    Run { rows: rows.collect(), ..last }
}

/// Returns the median of a row's runs; the spread is from the least to the greatest.
fn median(rows: &[&Row]) -> Outcome {
    let mut figures: Vec<&Figures> = rows
        .iter()
        .filter_map(|row| match &row.outcome {
            Outcome::Measured(figures) => Some(figures),
            Outcome::Unsupported(_) | Outcome::Failed(_) => None,
        })
        .collect();
    figures.sort_by(|left, right| left.median.total_cmp(&right.median));
    let (Some(first), Some(last)) = (figures.first(), figures.last()) else {
        return Outcome::Failed("not measured".to_owned());
    };
    let middle = figures[figures.len() / 2];
    let spread = if middle.median > 0.0 { (last.median - first.median) / middle.median } else { 0.0 };
    Outcome::Measured(Figures { spread, ..middle.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(outcome: Outcome) -> Run {
        let row = Row { name: "a/b".to_owned(), copying: true, outcome };
        Run { rows: vec![row], ..Run::default() }
    }

    fn measured(median: f64) -> Outcome {
        Outcome::Measured(Figures {
            unit: "ns".to_owned(),
            median,
            minimum: median,
            spread: 0.0,
            drift: 0.0,
            batches: 9,
            operations: 1,
        })
    }

    #[test]
    fn the_median_of_the_runs_counts_and_their_spread() {
        let run_of = |values: [f64; 3]| summarise(values.map(|value| run(measured(value))).to_vec());
        let summary = run_of([30.0, 10.0, 20.0]);
        let figures = summary.figures("a/b").expect("measured");
        assert_eq!((figures.median, figures.spread), (20.0, 1.0));
        assert!(summary.rows[0].copying);
    }

    #[test]
    fn a_row_that_failed_once_has_failed() {
        let failed = Outcome::Failed("signal 11".to_owned());
        let summary = summarise(vec![run(failed.clone()), run(measured(1.0))]);
        assert_eq!(summary.rows[0].outcome, failed);
    }
}
