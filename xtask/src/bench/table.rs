//! The table: each row's figures on all kernels, their ratio, and the geometric mean.

use std::fmt::Write;

use super::record::{Figures, Outcome, Record, Run};

/// The most that a row of ours shall cost of Linux's.
pub(super) const AIM: f64 = 0.8;
/// From how much spread, or drift, a row is marked as unsteady.
const UNSTEADY: f64 = 0.01;

/// A row of the table.
#[derive(Clone, Debug)]
pub(super) struct Compared {
    /// Its name.
    pub(super) name: String,
    /// Whether bytes are counted.
    pub(super) is_memory: bool,
    /// What decides: Exo-OS's figure through that of Linux at its fastest, in instructions or bytes; in time where
    /// copying dominates and time was measured.
    pub(super) ratio: Option<f64>,
    /// The ratio of the first three cells.
    counted: Option<f64>,
    cells: [String; 3],
    wall: Option<[String; 3]>,
    notes: String,
}

/// Compares all rows of a record, in their order.
pub(super) fn compare(record: &Record) -> Vec<Compared> {
    let runs = [&record.linux_fastest, &record.linux_debian, &record.exo];
    let longest = runs.iter().filter_map(|run| run.as_ref()).max_by_key(|run| run.rows.len());
    let names = longest.into_iter().flat_map(|run| run.rows.iter().map(|row| row.name.clone()));
    names.map(|name| compare_row(record, name)).collect()
}

fn compare_row(record: &Record, name: String) -> Compared {
    let [fastest, debian, exo] =
        [&record.linux_fastest, &record.linux_debian, &record.exo].map(Option::as_ref);
    let figures = |run: Option<&Run>| run.and_then(|run| run.figures(&name)).cloned();
    let mut notes = Vec::new();
    let is_copying = [fastest, exo].iter().flatten().any(|run| run.row(&name).is_some_and(|row| row.copying));
    if is_copying {
        notes.push("copying");
    }
    if let Some(ours) = figures(exo) {
        // What is measured once has no spread.
        if ours.batches > 1 && ours.drift > UNSTEADY {
            notes.push("unsteady");
        }
    }
    let wall = record.wall_linux.as_ref().zip(record.wall_exo.as_ref());
    let timed =
        wall.and_then(|(linux, exo)| ratio(linux.figures(&name).cloned(), exo.figures(&name).cloned()));
    let counted = ratio(figures(fastest), figures(exo));
    let ratio = if is_copying { timed.or(counted) } else { counted };
    if ratio.is_some_and(|ratio| ratio > AIM) {
        notes.push(if ratio.is_some_and(|ratio| ratio > 1.0) {
            "dearer than Linux"
        } else {
            "above the aim"
        });
    }
    let wall = wall.map(|(linux, exo)| [wall_cell(linux, &name), wall_cell(exo, &name), ratio_cell(timed)]);
    let is_memory = [fastest, exo].iter().flatten().any(|run| {
        run.figures(&name).is_some_and(|figures| figures.unit == "bytes") || name.starts_with("footprint/")
    });
    let cells = [fastest, debian, exo].map(|run| cell(run, &name));
    Compared { is_memory, ratio, counted, cells, wall, notes: notes.join(", "), name }
}

fn ratio(theirs: Option<Figures>, ours: Option<Figures>) -> Option<f64> {
    let (theirs, ours) = theirs.zip(ours)?;
    (theirs.median > 0.0).then(|| ours.median / theirs.median)
}

fn cell(run: Option<&Run>, name: &str) -> String {
    match run.and_then(|run| run.row(name)).map(|row| &row.outcome) {
        Some(Outcome::Measured(figures)) => grouped(figures.median),
        Some(Outcome::Unsupported(why)) => format!("unsupported ({why})"),
        Some(Outcome::Failed(why)) => format!("FAILED ({why})"),
        None => "-".to_owned(),
    }
}

fn wall_cell(run: &Run, name: &str) -> String {
    match run.figures(name) {
        Some(figures) => format!("{} ±{:.0} %", grouped(figures.median), 50.0 * figures.spread),
        None => "-".to_owned(),
    }
}

fn ratio_cell(ratio: Option<f64>) -> String {
    ratio.map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.2}"))
}

/// Formats a figure with its thousands apart; small ones with a decimal.
fn grouped(value: f64) -> String {
    if value < 100.0 {
        return format!("{value:.1}");
    }
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at) % 3 == 0 {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

/// Returns the geometric mean of the ratios, and how many there are.
pub(super) fn geometric_mean<'a>(rows: impl Iterator<Item = &'a Compared>) -> Option<(f64, usize)> {
    let logarithms: Vec<f64> =
        rows.filter_map(|row| row.ratio).filter(|ratio| *ratio > 0.0).map(f64::ln).collect();
    let count = logarithms.len();
    (count > 0).then(|| ((logarithms.iter().sum::<f64>() / count as f64).exp(), count))
}

/// Returns the lines behind the table.
pub(super) fn summary(rows: &[Compared]) -> Vec<String> {
    let mut lines = Vec::new();
    for (what, is_memory) in [("instructions", false), ("memory", true)] {
        let of_kind = || rows.iter().filter(|row| row.is_memory == is_memory);
        if let Some((mean, count)) = geometric_mean(of_kind()) {
            let met = of_kind().filter(|row| row.ratio.is_some_and(|ratio| ratio <= AIM)).count();
            let below = of_kind().filter(|row| row.ratio.is_some_and(|ratio| ratio <= 1.0)).count();
            lines.push(format!(
                "{what}: geometric mean {mean:.3} of Linux at its fastest over {count} rows; \
                 {met} at most {AIM}, {below} at most 1"
            ));
        }
    }
    let missing = rows.iter().filter(|row| row.ratio.is_none()).count();
    if missing > 0 {
        lines.push(format!("{missing} rows have no ratio"));
    }
    lines
}

const HEADS: [&str; 5] = ["operation", "Linux, fastest", "Linux, Debian", "Exo-OS", "ratio"];
const WALL_HEADS: [&str; 3] = ["ns, Linux", "ns, Exo-OS", "ratio"];

impl Compared {
    fn columns(&self, has_wall: bool) -> Vec<String> {
        let mut columns = vec![self.name.clone()];
        columns.extend(self.cells.clone());
        columns.push(ratio_cell(self.counted));
        if has_wall {
            columns.extend(self.wall.clone().unwrap_or_else(|| ["-"; 3].map(str::to_owned)));
        }
        columns.push(self.notes.clone());
        columns
    }
}

fn heads(has_wall: bool) -> Vec<String> {
    let wall: &[&str] = if has_wall { &WALL_HEADS } else { &[] };
    HEADS.iter().chain(wall).chain(&["notes"]).map(|head| (*head).to_owned()).collect()
}

/// Formats the table for a terminal.
pub(super) fn text(rows: &[Compared]) -> String {
    const WIDEST: usize = 40;
    let has_wall = rows.iter().any(|row| row.wall.is_some());
    let lines: Vec<Vec<String>> =
        std::iter::once(heads(has_wall)).chain(rows.iter().map(|row| row.columns(has_wall))).collect();
    let columns = lines.first().map_or(0, Vec::len);
    let width =
        |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0).min(WIDEST);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for line in &lines {
        let mut out = String::new();
        for (column, word) in line.iter().enumerate() {
            let width = widths[column];
            // Writing to a string cannot fail.
            let _ = match column {
                0 => write!(out, "{word:<width$}"),
                last if last + 1 == columns => write!(out, "  {word}"),
                _ => write!(out, "  {word:>width$}"),
            };
        }
        text += out.trim_end();
        text.push('\n');
    }
    text + &summary(rows).join("\n")
}

/// Formats the table as Markdown.
pub(super) fn markdown(rows: &[Compared]) -> String {
    let has_wall = rows.iter().any(|row| row.wall.is_some());
    let heads = heads(has_wall);
    let count = heads.len();
    let mut text = format!("| {} |\n|", heads.join(" | "));
    for column in 0..count {
        text += if column == 0 || column + 1 == count { " --- |" } else { " ---: |" };
    }
    text.push('\n');
    for row in rows {
        text += &format!("| {} |\n", row.columns(has_wall).join(" | "));
    }
    text.push('\n');
    for line in summary(rows) {
        text += &format!("- {line}\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::record::Row;
    use super::*;

    fn run(rows: &[(&str, Option<f64>)]) -> Option<Run> {
        let outcome = |median: Option<f64>| match median {
            Some(median) => Outcome::Measured(Figures {
                unit: "instructions".to_owned(),
                median,
                minimum: median,
                spread: 0.0,
                drift: 0.0,
                batches: 3,
                operations: 1,
            }),
            None => Outcome::Unsupported("x: ENOSYS".to_owned()),
        };
        let rows = rows.iter().map(|(name, median)| Row {
            name: (*name).to_owned(),
            copying: false,
            outcome: outcome(*median),
        });
        Some(Run { rows: rows.collect(), ..Run::default() })
    }

    #[test]
    fn rows_are_compared_and_those_without_a_figure_are_listed() {
        let record = Record {
            linux_fastest: run(&[("a/b", Some(200.0)), ("a/c", Some(100.0)), ("a/d", Some(10.0))]),
            exo: run(&[("a/b", Some(100.0)), ("a/c", Some(200.0)), ("a/d", None)]),
            ..Record::default()
        };
        let rows = compare(&record);
        assert_eq!(rows.iter().map(|row| row.ratio).collect::<Vec<_>>(), [Some(0.5), Some(2.0), None]);
        let (mean, count) = geometric_mean(rows.iter()).expect("two ratios");
        assert!((mean - 1.0).abs() < 1e-9 && count == 2);
        let text = text(&rows);
        assert!(text.contains("unsupported (x: ENOSYS)") && text.contains("dearer than Linux"), "{text}");
        assert!(markdown(&rows).contains("| a/b | 200 | - | 100 | 0.50 |  |"), "{}", markdown(&rows));
    }

    #[test]
    fn time_decides_where_copying_dominates() {
        let mut record = Record {
            linux_fastest: run(&[("a/b", Some(200.0)), ("a/c", Some(200.0))]),
            exo: run(&[("a/b", Some(100.0)), ("a/c", Some(100.0))]),
            wall_linux: run(&[("a/b", Some(10.0)), ("a/c", Some(10.0))]),
            wall_exo: run(&[("a/b", Some(20.0)), ("a/c", Some(20.0))]),
            ..Record::default()
        };
        record.exo.as_mut().expect("made above").rows[0].copying = true;
        let rows = compare(&record);
        assert_eq!(rows.iter().map(|row| row.ratio).collect::<Vec<_>>(), [Some(2.0), Some(0.5)]);
        let text = text(&rows);
        assert!(text.contains("0.50") && text.contains("2.00") && text.contains("copying, dearer"), "{text}");
    }

    #[test]
    fn thousands_are_apart() {
        assert_eq!(grouped(1_234_567.4), "1 234 567");
        assert_eq!(grouped(999.6), "1 000");
        assert_eq!(grouped(85.25), "85.2");
    }
}
