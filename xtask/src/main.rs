//! Build, run, test and check Exo-OS: every command of `cargo xtask`.
#![forbid(unsafe_code)]

mod bench;
mod build;
mod ci;
mod cmd;
mod cpio;
mod debian;
mod filter;
mod licences;
mod link;
mod linux;
mod packages;
mod paths;
mod profile;
mod qemu;
mod rootfs;
mod run;
mod scratch;
mod session;
mod simd;
mod symbols;
mod syscalls;
mod sysroot;
mod terminal;
mod test;
mod tidy;
mod toolchain;
mod trace;

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

const EXAMPLES: &str = "\
Examples:
  cargo xtask run                      a BusyBox shell on Exo-OS, in this terminal
  cargo xtask run -- ls -l /           run one program, end with its exit status
  cargo xtask run --smp 4 --mem 1G     four CPUs, 1 GiB
  cargo xtask run --debian             bash on Debian's own packages; --packages git,vim for more
  cargo xtask run --gdb                stop before the first instruction, wait for gdb
  cargo xtask run --kernel linux       the same on Debian's Linux, to compare
  cargo xtask test                     everything that can fail; --quick leaves out what takes long
  cargo xtask bench --quick            the table beside Linux; --only PATTERN for some rows
  cargo xtask build                    only build the kernel image; its path is the last line
";

/// Build, run, test and check Exo-OS.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", after_help = EXAMPLES)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Build the kernel image and print its path as the last line.
    Build(build::Args),
    /// Boot a shell in this terminal, or run one program and end with its exit status.
    Run(run::Args),
    /// Fetch Debian's Linux kernel for comparison and print its path.
    Linux,
    /// Run everything that can fail; the last line is `N passed, N failed`.
    Test(test::Args),
    /// Everything a change must pass: format, lints, documentation, rules, licences, build, tests.
    Ci(ci::Args),
    /// Measure beside Linux: instructions of each operation, and what they are of Linux's.
    Bench(bench::Args),
    /// Show where the kernel's instructions go: by function, and as a flame graph.
    Profile(profile::Args),
    /// Run a program and draw what the scheduler did as a timeline for Perfetto.
    Trace(trace::Args),
    /// Write `docs/syscalls.md`: which system calls work.
    Syscalls,
    /// Check the rules of the source tree that no compiler checks.
    Tidy,
}

fn main() -> ExitCode {
    if link::is_linker_call() {
        return report(link::main().map(|()| ExitCode::SUCCESS));
    }
    let Some(command) = Cli::parse().command else {
        // Printing help can only fail if standard output is gone; nobody is there to be told.
        let _ = Cli::command().print_help();
        return ExitCode::SUCCESS;
    };
    report(match command {
        Command::Build(args) => build::main(&args).map(|()| ExitCode::SUCCESS),
        Command::Run(args) => run::main(&args),
        Command::Linux => linux::main().map(|()| ExitCode::SUCCESS),
        Command::Test(args) => test::main(&args),
        Command::Bench(args) => bench::main(&args).map(|()| ExitCode::SUCCESS),
        Command::Profile(args) => profile::main(&args).map(|()| ExitCode::SUCCESS),
        Command::Trace(args) => trace::main(&args),
        Command::Ci(args) => ci::main(&args),
        Command::Syscalls => syscalls::main().map(|()| ExitCode::SUCCESS),
        Command::Tidy => tidy::main().map(|()| ExitCode::SUCCESS),
    })
}

/// Prints an error with its causes, if there is one, and turns the outcome into an exit status.
fn report(outcome: anyhow::Result<ExitCode>) -> ExitCode {
    outcome.unwrap_or_else(|error| {
        eprintln!("xtask: error: {error:#}");
        ExitCode::FAILURE
    })
}
