//! `cargo xtask trace -- CMD`: runs a program and draws what the scheduler did as a timeline, to be opened at
//! <https://ui.perfetto.dev> or in `chrome://tracing`.
//!
//! The kernel records (`/proc/exo/trace`); the runner turns that on for the program, and prints it after the program's
//! output, from which it is cut off here.

mod record;
mod timeline;

use std::ffi::OsString;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use self::record::Record;
use self::timeline::Timeline;
use crate::filter::Marks;
use crate::qemu::{Accel, Console, Kind, Machine};
use crate::scratch::Scratch;
use crate::session::{self, Watcher};
use crate::toolchain::Choice;
use crate::{build, cmd, debian, paths, rootfs};

/// What the user asked of `trace`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Number of processors.
    #[arg(long, default_value_t = 2, value_name = "N")]
    smp: u32,
    /// Memory, with suffix M or G [default: 256M; with --debian 2G].
    #[arg(long, value_name = "SIZE")]
    mem: Option<String>,
    /// Root file system: Debian's essential packages, made once and kept.
    #[arg(long)]
    debian: bool,
    /// More of Debian's packages for it, with what they depend on.
    #[arg(long, value_name = "A,B,C", value_delimiter = ',', requires = "debian")]
    packages: Vec<String>,
    /// Events to keep for each processor, the last ones.
    #[arg(long, default_value_t = 16384, value_name = "N")]
    events: usize,
    /// Give up after this many seconds.
    #[arg(long, default_value_t = 600, value_name = "SECONDS")]
    timeout: u64,
    /// Which compiler to use.
    #[arg(long, value_enum, default_value_t)]
    toolchain: Choice,
    /// The program.
    #[arg(last = true, required = true, value_name = "CMD ARGS")]
    command: Vec<OsString>,
}

/// Runs the program and writes the timeline.
pub(crate) fn main(args: &Args) -> Result<ExitCode> {
    crate::qemu::ensure()?;
    let kernel =
        build::image(&build::Args { toolchain: args.toolchain, quiet: true, ..build::Args::default() })?;
    let mut rootfs = if args.debian { debian::open(&args.packages)? } else { rootfs::open(None)? };
    let (marks, end) = (Marks::unique(), format!("<end of {}>", Marks::unique().begin()));
    let command = recorded(&args.command, args.events, &end);
    let append = session::add_runner(rootfs.additions(), &command, Vec::new(), &marks, false)?;
    let initrd = Scratch::new("initramfs.cpio", &rootfs.to_bytes()?)?;
    let default_memory = if args.debian { debian::DEFAULT_MEMORY } else { "256M" };
    let machine = Machine {
        kernel,
        initrd: Some(initrd.path().to_path_buf()),
        append: format!("console=ttyS0 panic=-1 quiet loglevel=1 {append}"),
        cpus: args.smp,
        memory: args.mem.clone().unwrap_or_else(|| default_memory.to_owned()),
        accel: Accel::default(),
        kind: Kind::default(),
        gdb: false,
        extra: Vec::new(),
    };
    let mut split = Split { end: end.into_bytes(), held: Vec::new(), record: None };
    let limit = Some(Duration::from_secs(args.timeout));
    let outcome = session::run(&machine, marks, Console::Plain, limit, &mut split)?;
    let (Some(status), Some(text)) = (outcome.status, split.record) else {
        bail!("the program did not end: {}", String::from_utf8_lossy(&outcome.noise).trim_end());
    };
    let record = Record::parse(&String::from_utf8_lossy(&text))?;
    let path = paths::target().join("trace").join(format!("{}.json", slug(&args.command)));
    write(&Timeline::of(&record), &path)?;
    let lost = if record.lost == 0 { String::new() } else { format!(", {} lost before them", record.lost) };
    cmd::progress(format!(
        "{} events{lost}: {}; open it at https://ui.perfetto.dev",
        record.events.len(),
        path.display()
    ));
    Ok(ExitCode::from(status))
}

/// Writes the timeline, once it has been found sound.
fn write(timeline: &Timeline, path: &Path) -> Result<()> {
    let json = timeline.to_json();
    timeline::check(&json).context("the timeline makes no sense")?;
    fs::create_dir_all(path.parent().context("no folder")?)?;
    fs::write(path, json).with_context(|| format!("cannot write {}", path.display()))
}

/// The program with the recording around it.
fn recorded(command: &[OsString], events: usize, end: &str) -> Vec<OsString> {
    let script = format!(
        "box=/{dir}/busybox; echo {events} >/proc/exo/trace; \"$@\"; status=$?; echo 0 >/proc/exo/trace; \
         $box printf %s '{end}'; $box cat /proc/exo/trace; exit $status",
        dir = rootfs::RUNNER_DIR
    );
    let shell = format!("/{}/busybox", rootfs::RUNNER_DIR);
    let words = [shell.as_str(), "sh", "-c", script.as_str(), "trace"].map(OsString::from);
    words.into_iter().chain(command.iter().cloned()).collect()
}

/// A file's name for a command.
fn slug(command: &[OsString]) -> String {
    let words: Vec<_> = command.iter().map(|word| word.to_string_lossy()).collect();
    let name: String =
        words.join(" ").chars().map(|char| if char.is_ascii_alphanumeric() { char } else { '-' }).collect();
    name.trim_matches('-').chars().take(60).collect()
}

/// Passes the program's output on and keeps what comes after the mark.
struct Split {
    end: Vec<u8>,
    /// What may be the beginning of the mark.
    held: Vec<u8>,
    record: Option<Vec<u8>>,
}

impl Watcher for Split {
    fn output(&mut self, bytes: &[u8]) -> Result<()> {
        if let Some(record) = &mut self.record {
            record.extend_from_slice(bytes);
            return Ok(());
        }
        self.held.extend_from_slice(bytes);
        let mut stdout = std::io::stdout();
        if let Some(at) = self.held.windows(self.end.len()).position(|window| window == self.end) {
            stdout.write_all(&self.held[..at])?;
            self.record = Some(self.held.split_off(at + self.end.len()));
        } else {
            let sure = self.held.len().saturating_sub(self.end.len());
            stdout.write_all(&self.held[..sure])?;
            self.held.drain(..sure);
        }
        Ok(stdout.flush()?)
    }

    fn console(&mut self, _: &[u8]) -> Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_record_is_cut_off_wherever_the_pieces_end() {
        let text = b"output<end>record";
        for at in 0..text.len() {
            let mut split = Split { end: b"<end>".to_vec(), held: Vec::new(), record: None };
            split.output(&text[..at]).unwrap();
            split.output(&text[at..]).unwrap();
            assert_eq!(split.record.as_deref(), Some(&b"record"[..]), "{at}");
        }
    }

    #[test]
    fn files_are_named_after_the_program() {
        assert_eq!(slug(&["sh", "-c", "a | b"].map(OsString::from)), "sh--c-a---b");
    }
}
