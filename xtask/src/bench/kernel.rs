//! `cargo xtask bench kernel`: the kernel measures itself, with the design's targets beside.

use std::process::Stdio;
use std::sync::mpsc::RecvTimeoutError;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::guest::COUNTING;
use crate::qemu::{Accel, Console, Kind, Machine};
use crate::session::{Running, read_pieces};
use crate::toolchain::Choice;
use crate::{build, cmd};

/// The word on the kernel's command line.
pub(crate) const WORD: &str = "exo.bench";
/// The rows that must be there.
pub(crate) const ROWS: &[&str] = &[
    "buddy/a frame in the CPU's cache, alloc",
    "buddy/a frame in the CPU's cache, free",
    "buddy/2048 frames, alloc",
    "buddy/2048 frames, free",
    "buddy/2048 frames, fragmented, alloc",
    "buddy/2048 frames, fragmented, free",
    "buddy/order 4, alloc",
    "buddy/order 4, free",
    "heap/64 B, alloc",
    "heap/64 B, free",
    "heap/1 KiB, alloc",
    "heap/1 KiB, free",
    "page/map 4 KiB",
    "page/unmap 4 KiB",
    "page/map 2 MiB",
    "page/unmap 2 MiB",
    "page/map 1 GiB",
    "page/unmap 1 GiB",
    "switch/registers and stacks alone",
    "switch/yield to another thread",
    "thread/spawn",
    "run queue/pick of 1",
    "run queue/pick of 10",
    "run queue/pick of 100",
    "run queue/pick of 10000",
    "run queue/moving average",
    "call/from a program and back",
    "call/dispatch",
];

/// How long the machine may print nothing.
const PATIENCE: Duration = Duration::from_secs(120);

const METHOD: &str = "\
QEMU with -icount shift=0,sleep=off, one CPU: a cycle is an instruction. Medians of 11 batches. The targets are cycles of
real hardware, which executes several instructions in one.
";

/// What the user asked of `bench kernel`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Which compiler to use.
    #[arg(long, value_enum, default_value_t)]
    toolchain: Choice,
}

/// A line of the kernel.
#[derive(Debug, PartialEq)]
struct Row {
    name: String,
    /// Cycles, or why there are none.
    figure: Result<f64, String>,
    target: Option<f64>,
}

/// Measures and prints.
pub(crate) fn main(args: &Args) -> Result<()> {
    let image = build::image(&build::Args { toolchain: args.toolchain, ..build::Args::default() })?;
    let machine = Machine {
        kernel: image,
        initrd: None,
        append: format!("console=ttyS0 quiet panic=-1 {WORD}"),
        cpus: 1,
        // Enough for a page of 1 GiB, beside what the kernel lies in.
        memory: "2560M".to_owned(),
        accel: Accel::Tcg,
        kind: Kind::Q35,
        gdb: false,
        extra: COUNTING.map(str::to_owned).to_vec(),
    };
    cmd::progress("the kernel measures itself");
    let console = console_of(&machine)?;
    let (rows, is_complete) = parse(&console);
    println!("{METHOD}\n{}", table(&rows));
    let missing: Vec<&str> =
        ROWS.iter().copied().filter(|name| !rows.iter().any(|row| row.name.starts_with(name))).collect();
    if !missing.is_empty() || !is_complete {
        bail!("rows are missing: {}; the console says:\n{}", missing.join(", "), console.trim_end());
    }
    Ok(())
}

/// Runs a machine to its end and returns what it printed.
fn console_of(machine: &Machine) -> Result<String> {
    let mut command = machine.command(Console::Plain)?;
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
    let mut child = Running(child.with_context(|| format!("cannot start {}", cmd::show(&command)))?);
    let pieces = read_pieces(child.0.stdout.take().context("no pipe")?);
    let mut console = Vec::new();
    loop {
        match pieces.recv_timeout(PATIENCE) {
            Ok(piece) => console.extend(piece),
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {
                bail!("the machine hangs; its console:\n{}", String::from_utf8_lossy(&console).trim_end());
            }
        }
    }
    child.end()?;
    Ok(String::from_utf8_lossy(&console).into_owned())
}

/// Reads the kernel's lines; answers whether the last one counts as many rows as there are.
fn parse(console: &str) -> (Vec<Row>, bool) {
    let mut rows = Vec::new();
    let mut is_complete = false;
    for line in console.lines() {
        let Some(line) = line.trim().strip_prefix("exo.bench: ") else { continue };
        if let Some(count) = line.strip_prefix("end of ").and_then(|rest| rest.strip_suffix(" rows")) {
            is_complete = count.parse() == Ok(rows.len());
        } else if let Some(row) = parse_row(line) {
            rows.push(row);
        }
    }
    (rows, is_complete)
}

fn parse_row(line: &str) -> Option<Row> {
    let (name, figure) = line.split_once(": ")?;
    let (figure, target) = match figure.rsplit_once(", target ") {
        Some((figure, target)) => (figure, Some(target.parse().ok()?)),
        None => (figure, None),
    };
    let figure = match figure.strip_suffix(" cycles") {
        Some(cycles) => Ok(cycles.parse().ok()?),
        None => Err(figure.to_owned()),
    };
    Some(Row { name: name.to_owned(), figure, target })
}

/// Formats the rows as Markdown.
fn table(rows: &[Row]) -> String {
    let mut text = "| operation | instructions | target, cycles |\n| --- | ---: | ---: |\n".to_owned();
    for row in rows {
        let figure = row.figure.as_ref().map_or_else(Clone::clone, |cycles| format!("{cycles:.1}"));
        let target = row.target.map_or("-".to_owned(), |target| target.to_string());
        text += &format!("| {} | {figure} | {target} |\n", row.name);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_lines_are_read() {
        let console = "noise\r\nexo.bench: a/b, c: 9.5 cycles, target 8\r\nexo.bench: a/d: 10.0 cycles\r\n\
                       exo.bench: a/e: not measured, why, so: target 3\r\nexo.bench: end of 3 rows\r\n";
        let (rows, is_complete) = parse(console);
        assert!(is_complete);
        assert_eq!(rows[0], Row { name: "a/b, c".to_owned(), figure: Ok(9.5), target: Some(8.0) });
        assert_eq!(rows[1].target, None);
        assert!(rows[2].figure.is_err());
        assert!(table(&rows).contains("| a/b, c | 9.5 | 8 |\n"));
        assert!(!parse("exo.bench: a/d: 10.0 cycles\nexo.bench: end of 2 rows").1);
    }
}
