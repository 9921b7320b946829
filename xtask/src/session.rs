//! One program on one machine: starts it through a small process 1, collects its output and its exit status.

use std::ffi::{OsStr, OsString};
use std::io::Read;
use std::process::{Child, ChildStdout, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::cmd;
use crate::cpio::Tree;
use crate::filter::{Filter, Marks};
use crate::qemu::{Console, Machine};
use crate::rootfs::{self, RUNNER_DIR};

/// How long the machine may take to switch itself off after the program has ended.
const POWER_OFF_LIMIT: Duration = Duration::from_secs(10);

/// How a program's run ended.
pub(crate) struct Outcome {
    /// The program's exit status, if it ended.
    pub(crate) status: Option<u8>,
    /// Whether the program was started.
    pub(crate) has_begun: bool,
    /// Whether the time was up before the machine ended.
    pub(crate) timed_out: bool,
    /// What the kernel and the firmware printed before and after the program.
    pub(crate) noise: Vec<u8>,
}

/// What a caller wants to see while the machine runs.
pub(crate) trait Watcher {
    /// Takes a piece of the program's output.
    fn output(&mut self, bytes: &[u8]) -> Result<()>;
    /// Takes a piece of everything that comes from the console.
    fn console(&mut self, bytes: &[u8]) -> Result<()>;
}

/// Runs a machine whose initial RAM file system holds the runner of [`add_runner`] to its end.
///
/// # Errors
/// If QEMU cannot be started or the watcher fails.
pub(crate) fn run(
    machine: &Machine,
    marks: Marks,
    console: Console,
    limit: Option<Duration>,
    watcher: &mut dyn Watcher,
) -> Result<Outcome> {
    let mut command = machine.command(console)?;
    if console == Console::Plain {
        command.stdin(Stdio::null());
    }
    let child = command.stdout(Stdio::piped()).spawn();
    let mut child = Running(child.with_context(|| format!("cannot start {}", cmd::show(&command)))?);
    let pieces = read_pieces(child.0.stdout.take().context("no pipe")?);
    let mut filter = Filter::new(marks);
    let mut deadline = limit.map(|limit| Instant::now() + limit);
    let mut timed_out = false;
    loop {
        let piece = match deadline {
            Some(deadline) => pieces.recv_timeout(deadline.saturating_duration_since(Instant::now())),
            None => pieces.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        let piece = match piece {
            Ok(piece) => piece,
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {
                timed_out = true;
                break;
            }
        };
        watcher.console(&piece)?;
        let was_running = filter.status().is_none();
        watcher.output(&filter.push(&piece))?;
        if was_running && filter.status().is_some() {
            deadline = Some(Instant::now() + POWER_OFF_LIMIT);
        }
    }
    child.end()?;
    watcher.output(&filter.finish())?;
    Ok(Outcome {
        status: filter.status(),
        has_begun: filter.has_begun(),
        timed_out,
        noise: filter.noise().to_vec(),
    })
}

/// A started machine, ended when this is dropped.
pub(crate) struct Running(pub(crate) Child);

impl Running {
    /// Ends the machine if it has not ended by itself.
    ///
    /// # Errors
    /// If it cannot be ended.
    pub(crate) fn end(&mut self) -> Result<()> {
        // Its pipe closes a moment before it is gone.
        let patience = Instant::now() + Duration::from_millis(500);
        while Instant::now() < patience {
            if self.0.try_wait().context("cannot wait for QEMU")?.is_some() {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        self.0.kill().context("cannot end QEMU")?;
        self.0.wait().context("cannot end QEMU")?;
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail only if the process has ended and was waited for.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Reads a pipe in a thread of its own, so that waiting for it can have a limit.
pub(crate) fn read_pieces(mut pipe: ChildStdout) -> mpsc::Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let mut buffer = [0; 65536];
        while let Ok(count @ 1..) = pipe.read(&mut buffer) {
            if sender.send(buffer[..count].to_vec()).is_err() {
                break;
            }
        }
    });
    receiver
}

/// Adds process 1 of a run to a root file system and returns the words for the kernel's command line.
///
/// # Errors
/// If there is no BusyBox for it.
pub(crate) fn add_runner(
    tree: &mut Tree,
    command: &[OsString],
    stdin: Vec<u8>,
    marks: &Marks,
    interactive: bool,
) -> Result<String> {
    tree.file(&format!("{RUNNER_DIR}/init"), 0o755, script(command, marks, interactive));
    tree.file(&format!("{RUNNER_DIR}/stdin"), 0o644, stdin);
    let busybox = format!("{RUNNER_DIR}/busybox");
    if tree.contains("bin/busybox") {
        tree.symlink(&busybox, "/bin/busybox");
    } else {
        tree.file(&busybox, 0o755, std::fs::read(rootfs::busybox()?)?);
    }
    Ok(format!("rdinit=/{RUNNER_DIR}/init"))
}

/// Returns process 1 of a run with a program.
fn script(command: &[OsString], marks: &Marks, interactive: bool) -> String {
    let words: Vec<String> = command.iter().map(|word| cmd::quote(word)).collect();
    let program = words.join(" ");
    let (setup, call) = if interactive {
        let setup = "[ \"$LINES\" ] && $box stty rows \"$LINES\" cols \"$COLUMNS\"\nunset LINES COLUMNS";
        // A session of its own with the console as its terminal, so that ^C reaches the program.
        (setup, format!("$box setsid $box cttyhack {program}"))
    } else {
        // What the program writes is wanted byte for byte, and nothing is typed.
        ("$box stty -opost -echo", format!("{program} </{RUNNER_DIR}/stdin"))
    };
    let (begin, end) = (cmd::quote(OsStr::new(marks.begin())), cmd::quote(OsStr::new(marks.end())));
    format!(
        "#!/{RUNNER_DIR}/busybox sh
# Made by `cargo xtask run`: runs one program and switches the machine off.
box=/{RUNNER_DIR}/busybox
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export HOME=/root
[ \"$TERM\" ] || export TERM=linux
$box mkdir -p /proc /sys /dev /tmp
[ -d /proc/self ] || $box mount -t proc proc /proc
[ -d /sys/kernel ] || $box mount -t sysfs sysfs /sys
[ -c /dev/null ] || $box mount -t devtmpfs devtmpfs /dev
$box mkdir -p /dev/pts && $box mount -t devpts devpts /dev/pts 2>/dev/null
[ -d /dev/shm ] || {{ $box mkdir /dev/shm && $box mount -t tmpfs -o mode=1777 tmpfs /dev/shm; }}
$box hostname exo
{setup}
cd /root 2>/dev/null || cd /
$box printf %s {begin}
{call}
$box printf '%s%d>' {end} $?
$box poweroff -f
"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_runner_quotes_its_program_and_prints_both_marks() {
        let words = ["sh", "-c", "echo 'a b'; exit 3"].map(OsString::from);
        let marks = Marks::unique();
        let script = script(&words, &marks, false);
        assert!(script.starts_with("#!/.exo/busybox sh\n"));
        assert!(script.contains(r"sh -c 'echo '\''a b'\''; exit 3' </.exo/stdin"), "{script}");
        assert!(script.contains(marks.begin()) && script.contains(marks.end()));
    }
}
