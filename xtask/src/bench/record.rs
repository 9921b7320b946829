//! What is known of each row on each kernel, and the files in which that is kept.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::paths;

/// Everything a run of the command found out.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Record {
    /// Linux with everything off that costs.
    pub(super) linux_fastest: Option<Run>,
    /// Linux as Debian ships it.
    pub(super) linux_debian: Option<Run>,
    /// Exo-OS.
    pub(super) exo: Option<Run>,
    /// Linux at its fastest, in nanoseconds on two processors: the median of several runs, and their spread.
    pub(super) wall_linux: Option<Run>,
    /// Exo-OS in the same way.
    pub(super) wall_exo: Option<Run>,
}

/// The rows of one kernel.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Run {
    /// The kernel's file name.
    pub(super) kernel: String,
    /// What its command line says beside where the console is.
    pub(super) command_line: String,
    /// What compiled it, if this command did.
    #[serde(default)]
    pub(super) compiler: String,
    /// The emulator and its version.
    #[serde(default)]
    pub(super) emulator: String,
    /// The rows, in the order in which they were measured.
    pub(super) rows: Vec<Row>,
}

/// One row on one kernel.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Row {
    /// Its name.
    pub(super) name: String,
    /// Whether copying is most of the work, so that instructions say little.
    pub(super) copying: bool,
    /// What came of it.
    #[serde(flatten)]
    pub(super) outcome: Outcome,
}

/// What came of a row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Outcome {
    /// It was measured.
    Measured(Figures),
    /// The kernel lacks a call that it needs; the error.
    Unsupported(String),
    /// It went wrong; how, and where to read more.
    Failed(String),
}

/// The figures of a row, each for one operation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Figures {
    /// What is counted: `instructions`, `ns` or `bytes`.
    pub(super) unit: String,
    /// The median of the batches.
    pub(super) median: f64,
    /// The cheapest batch.
    pub(super) minimum: f64,
    /// From the tenth to the ninetieth percentile, as a share of the median.
    pub(super) spread: f64,
    /// How far the two halves' medians are apart, as a share of the median.
    pub(super) drift: f64,
    /// How many batches there were.
    pub(super) batches: u64,
    /// How many operations a batch had.
    pub(super) operations: u64,
}

impl Run {
    /// Returns a row.
    pub(super) fn row(&self, name: &str) -> Option<&Row> {
        self.rows.iter().find(|row| row.name == name)
    }

    /// Returns the figures of a row, if it was measured.
    pub(super) fn figures(&self, name: &str) -> Option<&Figures> {
        match &self.row(name)?.outcome {
            Outcome::Measured(figures) => Some(figures),
            Outcome::Unsupported(_) | Outcome::Failed(_) => None,
        }
    }
}

/// Returns the path of a file of results.
pub(super) fn path(name: &str) -> PathBuf {
    paths::root().join("bench/results").join(name)
}

/// Reads a record.
///
/// # Errors
/// If there is none, or it is not one.
pub(super) fn read(path: &Path) -> Result<Record> {
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    serde_json::from_str(&text).with_context(|| format!("{} is no record of a benchmark", path.display()))
}

/// Writes a file of results.
///
/// # Errors
/// If it cannot be written.
pub(super) fn write(path: &Path, text: &str) -> Result<()> {
    if let Some(dir) = path.parent() {
        fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
    }
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

/// Writes a record.
///
/// # Errors
/// If it cannot be written.
pub(super) fn write_record(path: &Path, record: &Record) -> Result<()> {
    write(path, &format(record)?)
}

/// Formats a record with a line for each row, so that a change of it can be read.
fn format(record: &Record) -> Result<String> {
    let value = serde_json::to_value(record)?;
    let runs = value.as_object().into_iter().flatten().filter(|(_, run)| !run.is_null());
    let mut texts = Vec::new();
    for (name, run) in runs {
        let mut head = run.as_object().cloned().unwrap_or_default();
        let rows = head.remove("rows").unwrap_or_default();
        let rows = rows.as_array().into_iter().flatten().map(serde_json::to_string);
        let rows = rows.collect::<Result<Vec<_>, _>>()?.join(",\n    ");
        let head = serde_json::to_string(&head)?;
        let head = head.trim_end_matches('}');
        texts.push(format!("  {name:?}: {head},\"rows\":[\n    {rows}\n  ]}}"));
    }
    Ok(format!("{{\n{}\n}}\n", texts.join(",\n")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_read_as_it_was_written() {
        let figures = Figures {
            unit: "instructions".to_owned(),
            median: 85.5,
            minimum: 85.0,
            spread: 0.01,
            drift: 0.0,
            batches: 31,
            operations: 2000,
        };
        let row = |name: &str, outcome| Row { name: name.to_owned(), copying: false, outcome };
        let rows = vec![
            row("a/b", Outcome::Measured(figures)),
            row("a/c", Outcome::Unsupported("socketpair: ENOSYS".to_owned())),
            row("a/d", Outcome::Failed("signal 11".to_owned())),
        ];
        let run = Run { kernel: "exo-os".to_owned(), rows, ..Run::default() };
        let record = Record { exo: Some(run), ..Record::default() };
        let text = format(&record).expect("plain data");
        assert_eq!(text.lines().count(), 7, "{text}");
        let read: Record = serde_json::from_str(&text).expect("as written");
        let (read, wrote) = (read.exo.expect("there"), record.exo.expect("there"));
        assert_eq!(read.rows, wrote.rows);
        assert_eq!(read.figures("a/b").map(|figures| figures.median), Some(85.5));
        assert!(read.figures("a/c").is_none());
    }
}
