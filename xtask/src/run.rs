//! `cargo xtask run`: a shell or one program on Exo-OS, or on another kernel in the same set-up.

use std::ffi::OsString;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::filter::Marks;
use crate::qemu::{Accel, Console, Kind, Machine};
use crate::scratch::Scratch;
use crate::session::{Running, Watcher};
use crate::terminal::{self, Restore};
use crate::toolchain::Choice;
use crate::{build, cmd, debian, linux, rootfs, session};

/// The exit status when the time is up, as with timeout(1).
const STATUS_TIMEOUT: u8 = 124;
/// The exit status when the machine ended before the program did.
const STATUS_MACHINE: u8 = 125;

/// What the user asked of `run`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Number of processors.
    #[arg(long, default_value_t = 1, value_name = "N")]
    smp: u32,
    /// Memory, with suffix M or G [default: 256M; with --debian 2G].
    #[arg(long, value_name = "SIZE")]
    mem: Option<String>,
    /// Root file system: a directory, a tar or a cpio archive [default: Debian's BusyBox].
    #[arg(long, value_name = "DIR|TAR|CPIO")]
    rootfs: Option<PathBuf>,
    /// Root file system: Debian's essential packages, made once and kept.
    #[arg(long, conflicts_with = "rootfs")]
    debian: bool,
    /// More of Debian's packages for it, with what they depend on.
    #[arg(long, value_name = "A,B,C", value_delimiter = ',', requires = "debian")]
    packages: Vec<String>,
    /// Words to add to the kernel's command line.
    #[arg(long, value_name = "WORDS", default_value = "", allow_hyphen_values = true)]
    append: String,
    /// Wait for gdb before the first instruction and print how to attach it.
    #[arg(long)]
    gdb: bool,
    /// How to execute the guest's instructions.
    #[arg(long, value_enum, default_value_t)]
    accel: Accel,
    /// Kind of machine.
    #[arg(long, value_enum, default_value_t)]
    machine: Kind,
    /// Boot this kernel instead of building Exo-OS; `linux` is Debian's (see `cargo xtask linux`).
    #[arg(long, value_name = "PATH|linux")]
    kernel: Option<PathBuf>,
    /// Give up after this many seconds, with exit status 124.
    #[arg(long, value_name = "SECONDS")]
    timeout: Option<u64>,
    /// Give the program this file as standard input (`-`: everything from this command's own).
    #[arg(long, value_name = "FILE", requires = "command")]
    stdin: Option<PathBuf>,
    /// Show the kernel's messages as well.
    #[arg(long, short)]
    verbose: bool,
    /// Build Exo-OS without optimisation.
    #[arg(long)]
    debug: bool,
    /// Which compiler to use.
    #[arg(long, value_enum, default_value_t)]
    toolchain: Choice,
    /// A program to run instead of a shell; its exit status becomes this command's.
    #[arg(last = true, value_name = "CMD ARGS")]
    command: Vec<OsString>,
}

/// Runs the machine.
pub(crate) fn main(args: &Args) -> Result<ExitCode> {
    crate::qemu::ensure()?;
    let kernel = match &args.kernel {
        Some(name) if name.as_os_str() == "linux" => linux::kernel()?,
        Some(path) if path.is_file() => path.clone(),
        Some(path) => bail!("--kernel {}: no such file", path.display()),
        None => build::image(&build::Args {
            debug: args.debug,
            toolchain: args.toolchain,
            quiet: !args.command.is_empty(),
            ..build::Args::default()
        })?,
    };
    let mut rootfs =
        if args.debian { debian::open(&args.packages)? } else { rootfs::open(args.rootfs.as_deref())? };
    let marks = Marks::unique();
    let mut append = String::from("console=ttyS0 panic=-1");
    if !args.verbose {
        append += if args.command.is_empty() { " quiet" } else { " quiet loglevel=1" };
    }
    if terminal::is_interactive() {
        append += &terminal_words();
    }
    if !args.command.is_empty() {
        let stdin = read_stdin(args)?;
        let interactive = terminal::is_interactive();
        append += " ";
        append += &session::add_runner(rootfs.additions(), &args.command, stdin, &marks, interactive)?;
    }
    if !args.append.is_empty() {
        append = format!("{append} {}", args.append);
    }

    let default_memory = if args.debian { debian::DEFAULT_MEMORY } else { "256M" };
    let initrd = Scratch::new("initramfs.cpio", &rootfs.to_bytes()?)?;
    let machine = Machine {
        kernel,
        initrd: Some(initrd.path().to_path_buf()),
        append,
        cpus: args.smp,
        memory: args.mem.clone().unwrap_or_else(|| default_memory.to_owned()),
        accel: args.accel,
        kind: args.machine,
        gdb: args.gdb,
        extra: Vec::new(),
    };
    if args.gdb {
        let kernel = machine.kernel.display();
        cmd::progress(format!("waiting for gdb; attach with: gdb {kernel} -ex 'target remote :1234'"));
    }
    let limit = args.timeout.map(Duration::from_secs);
    if args.command.is_empty() {
        shell(&machine, limit)
    } else {
        program(&machine, marks, limit, args.verbose)
    }
}

/// Runs an interactive machine to its end.
fn shell(machine: &Machine, limit: Option<Duration>) -> Result<ExitCode> {
    let _restore = Restore::remember();
    if terminal::is_interactive() {
        cmd::progress("Ctrl-A X ends the machine");
    }
    let mut command = machine.command(Console::Terminal)?;
    let mut child =
        Running(command.spawn().with_context(|| format!("cannot start {}", cmd::show(&command)))?);
    let started = Instant::now();
    let status = loop {
        if let Some(status) = child.0.try_wait()? {
            break status;
        }
        if limit.is_some_and(|limit| started.elapsed() > limit) {
            cmd::progress("the time is up");
            return Ok(ExitCode::from(STATUS_TIMEOUT));
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::from(STATUS_MACHINE) })
}

/// Runs one program to its end: prints its output and returns its exit status.
fn program(machine: &Machine, marks: Marks, limit: Option<Duration>, verbose: bool) -> Result<ExitCode> {
    let _restore = Restore::remember();
    let console = if terminal::is_interactive() { Console::Terminal } else { Console::Plain };
    let outcome = session::run(machine, marks, console, limit, &mut Streams { verbose })?;
    if let Some(status) = outcome.status {
        if outcome.timed_out {
            cmd::progress("the machine did not switch itself off");
        }
        return Ok(ExitCode::from(status));
    }
    if !verbose {
        // What the kernel said may tell why.
        eprintln!("{}", String::from_utf8_lossy(&outcome.noise).trim_end());
    }
    if outcome.timed_out {
        cmd::progress("the time is up");
        return Ok(ExitCode::from(STATUS_TIMEOUT));
    }
    let what = if outcome.has_begun { "had ended" } else { "was started" };
    cmd::progress(format!("the machine ended before the program {what}"));
    Ok(ExitCode::from(STATUS_MACHINE))
}

/// Passes the program's output on as it comes and, if wanted, the whole console beside it.
struct Streams {
    verbose: bool,
}

impl Watcher for Streams {
    fn output(&mut self, bytes: &[u8]) -> Result<()> {
        let mut stdout = std::io::stdout();
        stdout.write_all(bytes)?;
        Ok(stdout.flush()?)
    }

    fn console(&mut self, bytes: &[u8]) -> Result<()> {
        if self.verbose {
            std::io::stderr().write_all(bytes)?;
        }
        Ok(())
    }
}

/// Returns the words for the kernel's command line that tell process 1 about this terminal: Linux puts unknown
/// `NAME=value` words into its environment.
fn terminal_words() -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-+._".contains(c);
    let term = std::env::var("TERM").ok().filter(|term| !term.is_empty() && term.chars().all(plain));
    let term = term.map_or_else(String::new, |term| format!(" TERM={term}"));
    let size = terminal::size()
        .map_or_else(String::new, |(rows, columns)| format!(" LINES={rows} COLUMNS={columns}"));
    term + &size
}

/// Returns the content of the program's standard input.
fn read_stdin(args: &Args) -> Result<Vec<u8>> {
    match &args.stdin {
        None => Ok(Vec::new()),
        Some(path) if path.as_os_str() == "-" => {
            let mut bytes = Vec::new();
            std::io::stdin().read_to_end(&mut bytes).context("cannot read standard input")?;
            Ok(bytes)
        }
        Some(path) => std::fs::read(path).with_context(|| format!("cannot read {}", path.display())),
    }
}
