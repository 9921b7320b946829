//! `cargo xtask ci`: everything a change must pass, from cheap to dear, with one line of totals at the end.
//!
//! Each check counts as one test. A check that fails does not keep the others from being run.

use std::process::{Command, ExitCode};
use std::time::Instant;

use anyhow::Result;

use crate::packages::{self, Need};
use crate::test::{self, Totals};
use crate::toolchain::{Choice, Toolchain, host_cargo};
use crate::{bench, build, cmd, licences, qemu, simd, syscalls, tidy};

/// What the user asked of `ci`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Which compiler to build the kernel with.
    #[arg(long, value_enum, default_value_t)]
    toolchain: Choice,
}

/// Runs all checks and tests.
pub(crate) fn main(args: &Args) -> Result<ExitCode> {
    let mut totals = Totals::default();
    let mut check = |name: &str, run: &mut dyn FnMut() -> Result<()>| {
        cmd::progress(format!("check: {name}"));
        let started = Instant::now();
        let outcome = run();
        totals.count(&format!("check: {name} ({} s)", started.elapsed().as_secs()), outcome);
    };

    check("tools", &mut tools);
    check("format", &mut || cmd::run_quietly(host_cargo("fmt").args(["--all", "--check"])));
    check("tidy", &mut || tidy::check().map(|figures| println!("{figures}")));
    check("licences and duplicates", &mut licences::check);
    check("clippy", &mut || {
        let mut clippy = host_cargo("clippy");
        cmd::run_quietly(clippy.args(["--workspace", "--all-targets", "--locked", "--", "-Dwarnings"]))
    });
    check("documentation", &mut || {
        let mut doc = host_cargo("doc");
        doc.args(["--workspace", "--no-deps", "--document-private-items", "--locked"]);
        cmd::run_quietly(doc.env("RUSTDOCFLAGS", "-Dwarnings -Arustdoc::private_intra_doc_links"))
    });
    check("the page of system calls", &mut syscalls::check);
    check("clippy for the bare machine", &mut || {
        let toolchain = Toolchain::find(args.toolchain)?;
        let mut clippy = build::cargo(&toolchain, "clippy")?;
        cmd::run_quietly(clippy.args(["--locked", "--", "-Dwarnings"]))
    });
    check("no vector registers in the kernel", &mut || {
        let image = build::image(&build::Args { toolchain: args.toolchain, ..build::Args::default() })?;
        simd::check(&image)
    });
    check("costs of all operations", &mut || bench::check_all(args.toolchain));
    totals += test::run(&test::Args { toolchain: args.toolchain, ..test::Args::default() })?;
    Ok(test::finish(totals))
}

/// Makes sure that everything the checks need is there before they start.
fn tools() -> Result<()> {
    qemu::ensure()?;
    packages::ensure(&[
        Need::new("objdump", "binutils"),
        Need::new("musl-gcc", "musl-tools"),
        Need::new("gzip", "gzip"),
    ])?;
    for (subcommand, component) in [("fmt", "rustfmt"), ("clippy", "clippy")] {
        let works =
            cmd::output(host_cargo(subcommand).arg("--version")).is_ok_and(|output| output.status.success());
        if works {
            continue;
        }
        if packages::find("rustup").is_some() {
            cmd::progress(format!("adding {component}: rustup component add {component}"));
            cmd::run_quietly(Command::new("rustup").args(["component", "add", component]))?;
        } else {
            packages::ensure(&[Need::new("/usr/bin/rustfmt", "rustfmt-web")])?;
            packages::ensure(&[Need::new("/usr/bin/cargo-clippy", "rust-web-clippy")])?;
        }
    }
    Ok(())
}
