//! `cargo xtask run`: a shell or one program on Exo-OS, or on another kernel in the same set-up.

use std::ffi::{OsStr, OsString};
use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, ExitCode, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::filter::{Filter, Marks};
use crate::qemu::{Accel, Console, Kind, Machine};
use crate::rootfs::{self, RUNNER_DIR};
use crate::scratch::Scratch;
use crate::terminal::{self, Restore};
use crate::toolchain::Choice;
use crate::{build, cmd, linux};

/// The exit status when the time is up, as with timeout(1).
const STATUS_TIMEOUT: u8 = 124;
/// The exit status when the machine ended before the program did.
const STATUS_MACHINE: u8 = 125;
/// How long the machine may take to switch itself off after the program has ended.
const POWER_OFF_LIMIT: Duration = Duration::from_secs(10);

/// What the user asked of `run`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Number of processors.
    #[arg(long, default_value_t = 1, value_name = "N")]
    smp: u32,
    /// Memory, with suffix M or G.
    #[arg(long, default_value = "256M", value_name = "SIZE")]
    mem: String,
    /// Root file system: a directory, a tar or a cpio archive [default: Debian's BusyBox].
    #[arg(long, value_name = "DIR|TAR|CPIO")]
    rootfs: Option<PathBuf>,
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
    let mut rootfs = rootfs::open(args.rootfs.as_deref())?;
    let marks = Marks::new(nonce());
    let mut append = String::from("console=ttyS0 panic=-1");
    if !args.verbose {
        append += if args.command.is_empty() { " quiet" } else { " quiet loglevel=1" };
    }
    if terminal::is_interactive() {
        append += &terminal_words();
    }
    if !args.command.is_empty() {
        let runner = rootfs.additions();
        let script = runner_script(&args.command, &marks, terminal::is_interactive());
        runner.file(&format!("{RUNNER_DIR}/init"), 0o755, script);
        runner.file(&format!("{RUNNER_DIR}/stdin"), 0o644, read_stdin(args)?);
        if !runner.contains("bin/busybox") {
            runner.file(&format!("{RUNNER_DIR}/busybox"), 0o755, std::fs::read(rootfs::busybox()?)?);
        } else {
            runner.symlink(&format!("{RUNNER_DIR}/busybox"), "/bin/busybox");
        }
        append += &format!(" rdinit=/{RUNNER_DIR}/init");
    }
    if !args.append.is_empty() {
        append = format!("{append} {}", args.append);
    }

    let initrd = Scratch::new("initramfs.cpio", &rootfs.to_bytes()?)?;
    let machine = Machine {
        kernel,
        initrd: Some(initrd.path().to_path_buf()),
        append,
        cpus: args.smp,
        memory: args.mem.clone(),
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
    let mut child = command.spawn().with_context(|| format!("cannot start {}", cmd::show(&command)))?;
    let started = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if limit.is_some_and(|limit| started.elapsed() > limit) {
            end(&mut child)?;
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
    let mut command = machine.command(console)?;
    if console == Console::Plain {
        command.stdin(Stdio::null());
    }
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start {}", cmd::show(&command)))?;
    let pieces = read_pieces(child.stdout.take().context("no pipe")?);
    let mut filter = Filter::new(marks);
    let mut deadline = limit.map(|limit| Instant::now() + limit);
    let mut stdout = std::io::stdout();
    loop {
        let piece = match deadline {
            Some(deadline) => pieces.recv_timeout(deadline.saturating_duration_since(Instant::now())),
            None => pieces.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        let piece = match piece {
            Ok(piece) => piece,
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {
                end(&mut child)?;
                if let Some(status) = filter.status() {
                    cmd::progress("the machine did not switch itself off");
                    return Ok(ExitCode::from(status));
                }
                stdout.write_all(&filter.finish())?;
                stdout.flush()?;
                if !filter.has_begun() {
                    show_console(&filter);
                }
                cmd::progress("the time is up");
                return Ok(ExitCode::from(STATUS_TIMEOUT));
            }
        };
        if verbose {
            std::io::stderr().write_all(&piece)?;
        }
        let was_running = filter.status().is_none();
        stdout.write_all(&filter.push(&piece))?;
        stdout.flush()?;
        if was_running && filter.status().is_some() {
            deadline = Some(Instant::now() + POWER_OFF_LIMIT);
        }
    }
    child.wait()?;
    if let Some(status) = filter.status() {
        return Ok(ExitCode::from(status));
    }
    stdout.write_all(&filter.finish())?;
    stdout.flush()?;
    if !verbose {
        show_console(&filter);
    }
    cmd::progress("the machine ended before the program did");
    Ok(ExitCode::from(STATUS_MACHINE))
}

/// Shows the kernel's messages of a machine that came to grief.
fn show_console(filter: &Filter) {
    eprintln!("{}", String::from_utf8_lossy(filter.noise()).trim_end());
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

/// Ends a machine that does not end by itself.
pub(crate) fn end(child: &mut Child) -> Result<()> {
    child.kill().context("cannot end QEMU")?;
    child.wait().context("cannot end QEMU")?;
    Ok(())
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

/// Returns process 1 of a run with a program.
fn runner_script(command: &[OsString], marks: &Marks, interactive: bool) -> String {
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

/// Returns a number that is different on every run.
fn nonce() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(std::process::id())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_runner_quotes_its_program_and_prints_both_marks() {
        let words = ["sh", "-c", "echo 'a b'; exit 3"].map(OsString::from);
        let marks = Marks::new(1);
        let script = runner_script(&words, &marks, false);
        assert!(script.starts_with("#!/.exo/busybox sh\n"));
        assert!(script.contains(r"sh -c 'echo '\''a b'\''; exit 3' </.exo/stdin"), "{script}");
        assert!(script.contains(marks.begin()) && script.contains(marks.end()));
    }
}
