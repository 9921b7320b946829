//! `cargo xtask bench`: figures, each printed by the command that measures it.

mod boot;
mod chart;
mod check;
mod guest;
pub(crate) mod kernel;
mod probe;
mod program;
mod record;
mod table;
mod wall;

use anyhow::{Context, Result, bail};
use clap::Subcommand;

pub(crate) use self::guest::COUNTING;
use self::guest::{Kernel, Mode, Plan};
pub(crate) use self::program::{guest_command, rows, tree};
use self::record::{Record, Run};
use crate::cpio::Tree;
use crate::toolchain::{Choice, Toolchain};
use crate::{build, cmd, linux};

/// Everything that costs and is no part of the work, off.
const FASTEST: &str =
    "mitigations=off lsm=none audit=0 randomize_kstack_offset=off init_on_alloc=0 hardened_usercopy=off";

const METHOD: &str = "\
Instructions: QEMU with -icount shift=0,sleep=off, one CPU without ERMS and FSRM; the time stamp counter advances by one
for each instruction, of the kernel and of the program. Medians of batches. The ratio is to Linux at its fastest:
mitigations, security modules, audit and hardening off; Exo-OS as it ships. Rows of memory are in bytes. Nanoseconds: the
emulator with two processors, median and spread of runs in turn; they decide rows in which copying dominates.";

/// What the user asked of `bench`.
#[derive(clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: Option<What>,
    #[command(flatten)]
    table: TableArgs,
}

/// Other things to measure than the table.
#[derive(Subcommand)]
enum What {
    /// Instructions from kernel entry to the first user instruction, image size, memory in use.
    Boot(boot::Args),
    /// Cycles of the operations inside the kernel that the design has figures for, by the kernel itself.
    Kernel(kernel::Args),
}

/// What the table shall hold.
#[derive(clap::Args, Default)]
struct TableArgs {
    /// Only rows in whose name this occurs (may be repeated); nothing is written then.
    #[arg(long, value_name = "PATTERN")]
    only: Vec<String>,
    /// Shorter and fewer batches.
    #[arg(long)]
    quick: bool,
    /// Compare with the stored figures of Linux instead of booting it.
    #[arg(long)]
    no_linux: bool,
    /// With --only: wall clock as well, which all rows get otherwise (not with --quick or --no-linux).
    #[arg(long, requires = "only", conflicts_with_all = ["no_linux", "check"])]
    wall: bool,
    /// Only Exo-OS, quick: fail if a row is more than 2 % dearer than in the committed baseline.
    #[arg(long, conflicts_with_all = ["no_linux", "accept"])]
    check: bool,
    /// Only Exo-OS, quick: make what is measured the baseline.
    #[arg(long, conflicts_with_all = ["no_linux", "only"])]
    accept: bool,
    /// With the limit of `cargo xtask ci`.
    #[arg(skip)]
    is_ci: bool,
    /// Which compiler to use.
    #[arg(long, value_enum, default_value_t)]
    toolchain: Choice,
}

/// Measures and prints.
pub(crate) fn main(args: &Args) -> Result<()> {
    match &args.what {
        Some(What::Boot(args)) => boot::main(args),
        Some(What::Kernel(args)) => kernel::main(args),
        None => compare(&args.table),
    }
}

/// The gate, for `cargo xtask ci`: fails if a row is dearer than the baseline allows.
///
/// # Errors
/// If one is, or nothing can be measured.
pub(crate) fn check_all(toolchain: Choice) -> Result<()> {
    compare(&TableArgs { check: true, is_ci: true, toolchain, ..TableArgs::default() })
}

/// Measures Exo-OS and Linux, prints the table and writes the results; or measures Exo-OS for the gate.
fn compare(args: &TableArgs) -> Result<()> {
    let compiler = Toolchain::find(args.toolchain)?.describe().to_owned();
    let image = build::image(&build::Args { toolchain: args.toolchain, ..build::Args::default() })?;
    let mut words = Vec::new();
    for pattern in &args.only {
        words.extend(["--only".to_owned(), pattern.clone()]);
    }
    let rows = rows(&words)?;
    if rows.is_empty() {
        bail!("no row has {} in its name", args.only.join(" or "));
    }
    let tree = tree()?;
    let plan = Plan {
        mode: Mode::Instructions,
        is_quick: args.quick || args.check || args.accept,
        only: args.only.clone(),
        rows,
    };
    cmd::progress(format!("measuring {} rows", plan.rows.len()));
    let exo = Kernel { name: "exo", image, append: "", compiler };
    if args.check {
        let limit = if args.is_ci { check::LIMIT_OF_CI } else { check::LIMIT };
        return check::check(&guest::measure(&exo, &tree, &plan)?, limit);
    }
    if args.accept {
        return check::accept(guest::measure(&exo, &tree, &plan)?);
    }
    let reference = record::path("linux.json");
    let (ours, theirs) = if args.no_linux {
        let stored = record::read(&reference).context("no stored figures of Linux; leave out --no-linux")?;
        (guest::measure(&exo, &tree, &plan), Ok((stored.linux_fastest, stored.linux_debian)))
    } else {
        let image = linux::kernel()?;
        std::thread::scope(|scope| {
            let theirs = scope.spawn(|| measure_linux(&image, &tree, &plan));
            let ours = guest::measure(&exo, &tree, &plan);
            (ours, theirs.join().unwrap_or_else(|_| bail!("measuring Linux panicked")))
        })
    };
    let (linux_fastest, linux_debian) = theirs?;
    let is_timed = args.wall || !(args.quick || args.no_linux) && args.only.is_empty();
    let (wall_linux, wall_exo) = if is_timed {
        let [linux, exo] = wall::alternate([&linux_kernel(linux::kernel()?, FASTEST), &exo], &tree, &plan)?;
        (Some(linux), Some(exo))
    } else {
        (None, None)
    };
    let record = Record {
        linux_fastest: linux_fastest.map(|run| chosen(run, &plan)),
        linux_debian: linux_debian.map(|run| chosen(run, &plan)),
        exo: Some(ours?),
        wall_linux,
        wall_exo,
    };
    let rows = table::compare(&record);
    println!("{METHOD}\n\n{}", table::text(&rows));
    if !args.only.is_empty() {
        return Ok(());
    }
    record::write_record(&record::path("latest.json"), &record)?;
    record::write(&record::path("latest.md"), &format!("{METHOD}\n\n{}", table::markdown(&rows)))?;
    record::write(&record::path("latest.svg"), &chart::svg(&rows))?;
    if !args.no_linux && !args.quick {
        record::write_record(&reference, &Record { exo: None, wall_linux: None, wall_exo: None, ..record })?;
    }
    cmd::progress(format!("written: {} and beside it", record::path("latest.json").display()));
    Ok(())
}

/// Measures Linux at its fastest and as Debian ships it.
fn measure_linux(image: &std::path::Path, tree: &Tree, plan: &Plan) -> Result<(Option<Run>, Option<Run>)> {
    let fastest = guest::measure(&linux_kernel(image.to_path_buf(), FASTEST), tree, plan)?;
    let debian = guest::measure(&linux_kernel(image.to_path_buf(), ""), tree, plan)?;
    Ok((Some(fastest), Some(debian)))
}

/// Describes Linux, at its fastest or as Debian ships it.
fn linux_kernel(image: std::path::PathBuf, append: &'static str) -> Kernel {
    let name = if append.is_empty() { "linux-debian" } else { "linux-fastest" };
    Kernel { name, image, append, compiler: String::new() }
}

/// Returns the rows of a stored run that are in the plan.
fn chosen(run: Run, plan: &Plan) -> Run {
    let rows = run.rows.into_iter().filter(|row| plan.rows.contains(&row.name)).collect();
    Run { rows, ..run }
}
