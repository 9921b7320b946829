//! `cargo xtask profile`: where the kernel's instructions go, each one counted, by function and as a flame graph.
//!
//! A plugin for the emulator (`plugin.c`) counts every block of instructions by call path. So the figures are exact,
//! the same on every run, and for a row of the benchmark they are instructions per operation.

mod counts;
mod flame;
mod names;

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use self::counts::Counts;
use self::flame::Tree;
use crate::filter::Marks;
use crate::packages::{self, Need};
use crate::qemu::{Accel, Console, Kind, Machine};
use crate::scratch::Scratch;
use crate::session::{self, Watcher};
use crate::toolchain::Choice;
use crate::{bench, build, cmd, cpio, paths, rootfs};

/// How long one machine may run.
const LIMIT: Duration = Duration::from_secs(600);

/// What the user asked of `profile`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Profile the rows of `cargo xtask bench` in whose name this occurs, one by one, per operation.
    #[arg(long, value_name = "PATTERN", required_unless_present = "command", conflicts_with = "command")]
    row: Option<String>,
    /// How many functions to list.
    #[arg(long, default_value_t = 20, value_name = "N")]
    top: usize,
    /// Which compiler to use.
    #[arg(long, value_enum, default_value_t)]
    toolchain: Choice,
    /// A program to run; everything the kernel does from the first user instruction on is counted.
    #[arg(last = true, value_name = "CMD ARGS")]
    command: Vec<OsString>,
}

/// Profiles and prints.
pub(crate) fn main(args: &Args) -> Result<()> {
    let profiler = Profiler {
        image: build::image(&build::Args {
            toolchain: args.toolchain,
            quiet: true,
            ..build::Args::default()
        })?,
        plugin: compile_plugin()?,
        top: args.top,
    };
    let Some(pattern) = &args.row else {
        let run = profiler.run(rootfs::busybox_tree()?, &args.command, "user")?;
        print!("{}", run.output);
        return profiler.report("command", "in all", &run.counts, 1);
    };
    let rows = bench::rows(&["--only".to_owned(), pattern.clone()])?;
    if rows.is_empty() {
        bail!("no row has {pattern} in its name; see: cargo xtask bench --help");
    }
    let tree = bench::tree()?;
    for row in rows {
        let words = ["--quick", "--only", &row].map(str::to_owned);
        let run = profiler.run(tree.clone(), &bench::guest_command(&words), "marks")?;
        let operations =
            run.output.lines().filter_map(|line| serde_json::from_str::<Line>(line).ok()).next_back();
        match operations.map(|line| line.batches * line.operations) {
            Some(operations @ 1..) => profiler.report(&row, "per operation", &run.counts, operations)?,
            _ => println!("{row}: not measured:\n{}", run.output),
        }
    }
    Ok(())
}

/// A line of the benchmark program that has figures.
#[derive(Deserialize)]
struct Line {
    batches: u64,
    operations: u64,
}

/// What every profile needs.
struct Profiler {
    image: PathBuf,
    plugin: PathBuf,
    top: usize,
}

/// One profiled run.
struct Run {
    counts: Counts,
    output: String,
}

/// Collects a program's output.
struct Output(Vec<u8>);

impl Watcher for Output {
    fn output(&mut self, bytes: &[u8]) -> Result<()> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }

    fn console(&mut self, _bytes: &[u8]) -> Result<()> {
        Ok(())
    }
}

impl Profiler {
    /// Runs a command in a machine with the plugin.
    fn run(&self, mut tree: cpio::Tree, command: &[OsString], window: &str) -> Result<Run> {
        let marks = Marks::unique();
        let runner = session::add_runner(&mut tree, command, Vec::new(), &marks, false)?;
        let initrd = Scratch::new("profile.cpio", &tree.to_bytes()?)?;
        let counts = Scratch::new("profile.txt", b"")?;
        let mut extra: Vec<String> = bench::COUNTING.iter().map(|word| (*word).to_owned()).collect();
        extra.push("-plugin".to_owned());
        extra.push(format!("{},out={},window={window}", self.plugin.display(), counts.path().display()));
        let machine = Machine {
            kernel: self.image.clone(),
            initrd: Some(initrd.path().to_path_buf()),
            append: format!("console=ttyS0 panic=-1 quiet loglevel=1 {runner}"),
            cpus: 1,
            memory: "1G".to_owned(),
            accel: Accel::Tcg,
            kind: Kind::Q35,
            gdb: false,
            extra,
        };
        let mut output = Output(Vec::new());
        let outcome = session::run(&machine, marks, Console::Plain, Some(LIMIT), &mut output)?;
        let output = String::from_utf8_lossy(&output.0).into_owned();
        if outcome.status.is_none() {
            bail!("the machine ended before the program did:\n{output}");
        }
        let text = fs::read_to_string(counts.path()).context("the plugin wrote nothing")?;
        Ok(Run { counts: Counts::parse(&text)?, output })
    }

    /// Prints a profile and writes its flame graph; `operations` is what the counts are divided by.
    fn report(&self, name: &str, unit: &str, counts: &Counts, operations: u64) -> Result<()> {
        let names = names::of(&self.image, &counts.addresses())?;
        let tree = Tree::of(counts, &names);
        let share = |count: u64| 100.0 * count as f64 / (counts.user + tree.count()).max(1) as f64;
        let each = |count: u64| count as f64 / operations as f64;
        println!(
            "{name}: instructions {unit}: {:.1} of the kernel, {:.1} of the program",
            each(tree.count()),
            each(counts.user)
        );
        for (title, list) in [("by themselves", tree.by_self()), ("with what they call", tree.by_total())] {
            println!("  {title}");
            for (function, count) in list.iter().take(self.top).filter(|(_, count)| *count > 0) {
                println!("    {:>12.1} {:>5.1} %  {function}", each(*count), share(*count));
            }
        }
        let slug: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
        let path = paths::target().join("profile").join(format!("{slug}.svg"));
        let dir = path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
        let title = format!("{name}: {:.0} instructions of the kernel {unit}", each(tree.count()));
        fs::write(&path, tree.svg(&title, operations))
            .with_context(|| format!("cannot write {}", path.display()))?;
        println!("  flame graph: {}", path.display());
        Ok(())
    }
}

/// Compiles the plugin.
fn compile_plugin() -> Result<PathBuf> {
    packages::ensure(&[Need::new("cc", "gcc"), Need::new("addr2line", "binutils")])?;
    let source = paths::root().join("xtask/src/profile/plugin.c");
    let dir = paths::target().join("profile");
    fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
    let plugin = dir.join("plugin.so");
    cmd::run_quietly(Command::new("cc").args(["-shared", "-fPIC", "-O2", "-o"]).arg(&plugin).arg(source))?;
    Ok(plugin)
}

/// The functions that an address is in, outermost first: one, and those inlined into it.
type Names = HashMap<u64, Vec<String>>;
