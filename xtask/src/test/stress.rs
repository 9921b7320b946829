//! The stress: `tests/stress.sh` on four processors, with nearly all memory in use. The kernel's audit tells at its end
//! whether every frame is accounted for.

use std::ffi::OsString;
use std::fs;
use std::io::Write;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::{Setup, Totals, cases};
use crate::filter::Marks;
use crate::qemu::{Console, Kind, Machine};
use crate::scratch::Scratch;
use crate::session::{self, Watcher};
use crate::{cmd, paths};

/// Seconds of churn in a run of all tests.
const SHORT_SECONDS: u64 = 20;
/// The seed of that run, and of one that names none.
pub(super) const SEED: u64 = 1;
/// What start, first round and end may take beside the churn.
const PATIENCE: Duration = Duration::from_secs(300);

/// Runs the short form as one test, if it is wanted.
pub(super) fn run(setup: &Setup) -> Result<Totals> {
    let mut totals = Totals::default();
    let name = format!("stress: {SHORT_SECONDS} s in full memory with 4 CPU");
    if setup.wants(&name) {
        totals.count(&name, stress(setup, SHORT_SECONDS, SEED));
    }
    Ok(totals)
}

/// Runs it for so many seconds.
///
/// # Errors
/// If a page did not hold what it must, a frame is lost, the kernel complains or the machine does not come to its end.
pub(super) fn stress(setup: &Setup, seconds: u64, seed: u64) -> Result<()> {
    cmd::progress(format!("stress for {seconds} s, seed {seed}"));
    let mut tree = cases::guest_tree()?;
    let script = paths::root().join("tests/stress.sh");
    tree.file("tests/stress.sh", 0o755, fs::read(&script).with_context(|| script.display().to_string())?);
    let marks = Marks::unique();
    let words =
        ["/bin/busybox", "sh", "-c", INSTALL, "/tests/stress.sh", &seconds.to_string(), &seed.to_string()];
    let command = words.map(OsString::from);
    let words = session::add_runner(&mut tree, &command, Vec::new(), &marks, false)?;
    let initrd = Scratch::new("stress.cpio", &tree.to_bytes()?)?;
    let machine = Machine {
        kernel: setup.kernel.clone(),
        initrd: Some(initrd.path().to_path_buf()),
        append: format!("console=ttyS0 panic=-1 quiet loglevel=1 {words}"),
        cpus: 4,
        memory: "256M".to_owned(),
        accel: setup.accel,
        kind: Kind::Q35,
        gdb: false,
        extra: Vec::new(),
    };
    let limit = PATIENCE + Duration::from_secs(seconds);
    let outcome = session::run(&machine, marks, Console::Plain, Some(limit), &mut Print)?;
    match outcome.status {
        Some(0) if !outcome.timed_out => Ok(()),
        status => {
            let console = String::from_utf8_lossy(&outcome.noise);
            let late = if outcome.timed_out { ", the time was up" } else { "" };
            bail!("status {status:?}{late}\n{}", console.trim_end())
        }
    }
}

/// Gives the applets their names, then becomes the script.
const INSTALL: &str = "/bin/busybox mkdir -p /sbin /usr/bin /usr/sbin; /bin/busybox --install -s /bin; \
    exec sh \"$0\" \"$@\"";

/// Prints what the script says as it comes.
struct Print;

impl Watcher for Print {
    fn output(&mut self, bytes: &[u8]) -> Result<()> {
        std::io::stdout().write_all(bytes).context("cannot print")
    }

    fn console(&mut self, _bytes: &[u8]) -> Result<()> {
        Ok(())
    }
}
