//! `cargo xtask bench boot`: what it takes from the kernel's entry to the first user instruction.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::probe;
use crate::packages::{self, Need};
use crate::qemu::{Accel, Console, Kind, Machine};
use crate::scratch::Scratch;
use crate::session::{Running, read_pieces};
use crate::toolchain::Choice;
use crate::{build, cmd, linux, paths, rootfs};

/// The limit of one measured boot; Linux takes some 10 s in the emulator.
const LIMIT: Duration = Duration::from_secs(180);
const KIB: u64 = 1024;

/// What the user asked of `bench boot`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Measure Debian's Linux as well, in the same set-up.
    #[arg(long)]
    linux: bool,
    /// Which compiler to use.
    #[arg(long, value_enum, default_value_t)]
    toolchain: Choice,
}

/// The figures of one kernel.
struct Figures {
    /// Time stamp counter when the kernel got the machine.
    entry: u64,
    /// Time stamp counter at process 1's first instruction.
    first_user: u64,
    /// Bytes of memory the machine has.
    machine_bytes: u64,
    /// Bytes free when process 1 runs.
    free_bytes: u64,
    /// Idle time in it, as `/proc/uptime` has it in steps of 10 ms, if there is a `/proc`.
    idle_ns: Option<u64>,
}

impl Figures {
    /// Instructions and idle nanoseconds from entry to the first user instruction.
    fn ticks(&self) -> u64 {
        self.first_user - self.entry
    }

    /// Describes the idle time in that.
    fn idle(&self) -> String {
        self.idle_ns.map_or("unknown (no /proc/uptime)".to_owned(), |idle| format!("{}", idle / 1_000_000))
    }
}

const METHOD: &str = "\
Method: QEMU's q35, one CPU, TCG with -icount shift=0,sleep=off: the time stamp counter advances by one for each
instruction, and by one for each nanosecond a waiting CPU would have slept. Entry: a copy of the image whose first instructions print the counter. First user
instruction: process 1 reads the counter there, and sysinfo(2) for the memory. CPU: max without ERMS and FSRM.
";

/// Measures a boot and prints its figures.
pub(crate) fn main(args: &Args) -> Result<()> {
    let initramfs = initramfs()?;
    println!("{METHOD}\nBusyBox initramfs of {} KiB.", initramfs.len() as u64 / KIB);
    let exo = boot_exo(args, &initramfs).context("Exo-OS");
    if args.linux {
        // Also without a figure of ours to compare with.
        let theirs = boot_linux(&initramfs).context("Linux")?;
        if let Ok(ours) = exo {
            let per_mille = (1000 * ours).checked_div(theirs).unwrap_or(0);
            let share = format!("{}.{} %", per_mille / 10, per_mille % 10);
            let verdict = verdict(per_mille <= 50);
            println!("Exo-OS takes {share} of Linux's instructions (aim: at most 5 %, {verdict})");
        }
    }
    exo.map(|_| ())
}

/// Measures Exo-OS, prints its figures and returns the instructions of its boot.
fn boot_exo(args: &Args, initramfs: &[u8]) -> Result<u64> {
    let image = build::image(&build::Args { toolchain: args.toolchain, ..build::Args::default() })?;
    let figures = measure(&image, initramfs, 64, "")?;
    let instructions = figures.ticks();
    println!("Exo-OS with -m 64M:");
    row("entry to first user instruction", instructions, 10_000_000);
    println!("  {:<36} {:>13}", "of it idle, ms (in steps of 10)", figures.idle());
    row("kernel image when loaded, KiB", build::loaded_size(&image)?.div_ceil(KIB), 4 * KIB);
    row("RAM in use when init starts, KiB", used_kib(&figures), 8 * KIB);
    Ok(instructions)
}

/// Measures Linux, prints its figures and returns the instructions of its boot.
fn boot_linux(initramfs: &[u8]) -> Result<u64> {
    let kernel = linux::kernel()?;
    // Debian's kernel does not start in 64 MiB.
    let figures = measure(&kernel, initramfs, 256, "mitigations=off")?;
    let instructions = figures.ticks();
    let name = kernel.file_name().unwrap_or_default().to_string_lossy().into_owned();
    println!("Linux ({name}) with -m 256M and mitigations=off:");
    println!("  {:<36} {instructions:>13}", "entry to first user instruction");
    println!("  {:<36} {:>13}", "of it idle, ms (in steps of 10)", figures.idle());
    println!("  {:<36} {:>13}", "RAM in use when init starts, KiB", used_kib(&figures));
    Ok(instructions)
}

fn row(name: &str, value: u64, aim: u64) {
    println!("  {name:<36} {value:>13}   (aim: at most {aim}, {})", verdict(value <= aim));
}

fn verdict(is_met: bool) -> &'static str {
    if is_met { "met" } else { "MISSED" }
}

fn used_kib(figures: &Figures) -> u64 {
    figures.machine_bytes.saturating_sub(figures.free_bytes).div_ceil(KIB)
}

/// Measures one kernel.
fn measure(kernel: &Path, initramfs: &[u8], memory_mib: u64, append: &str) -> Result<Figures> {
    let initrd = Scratch::new("bench.cpio", initramfs)?;
    let image = fs::read(kernel).with_context(|| format!("cannot read {}", kernel.display()))?;
    let probed = Scratch::new("probed", &probe::probed(&image)?)?;
    let machine = |kernel: &Path| Machine {
        kernel: kernel.to_path_buf(),
        initrd: Some(initrd.path().to_path_buf()),
        append: format!("console=ttyS0 quiet panic=-1 rdinit=/first {append}"),
        cpus: 1,
        memory: format!("{memory_mib}M"),
        accel: Accel::Tcg,
        kind: Kind::Q35,
        gdb: false,
        extra: ["-icount", "shift=0,sleep=off", "-cpu", "max,-erms,-fsrm", "-rtc", "clock=vm"]
            .map(str::to_owned)
            .to_vec(),
    };
    cmd::progress(format!("measuring {}: kernel entry", kernel.display()));
    let console = console_of(&machine(probed.path()), |text| text.trim().len() >= 16)?;
    let digits = console.trim().get(..16).with_context(|| format!("the probe printed {console:?}"))?;
    let entry = u64::from_str_radix(digits, 16).with_context(|| format!("the probe printed {console:?}"))?;

    cmd::progress(format!("measuring {}: first user instruction", kernel.display()));
    let console = console_of(&machine(kernel), |text| parse_first(text).is_some())?;
    let Some(([first_user, free_bytes, _total], idle_ns)) = parse_first(&console) else {
        bail!("no user program was started; the console says:\n{}", console.trim_end());
    };
    if first_user <= entry {
        bail!("the first user instruction (at {first_user}) came before the kernel's entry (at {entry})");
    }
    Ok(Figures { entry, first_user, machine_bytes: memory_mib * KIB * KIB, free_bytes, idle_ns })
}

/// Finds the line of process 1.
fn parse_first(console: &str) -> Option<([u64; 3], Option<u64>)> {
    let (line, _) = console.split_once("exo-bench ")?.1.split_once('\n')?;
    let mut words = line.split_whitespace();
    let mut next = || {
        let word = words.next().filter(|word| word.len() == 16)?;
        u64::from_str_radix(word, 16).ok()
    };
    let figures = [next()?, next()?, next()?];
    let idle = words.nth(1).and_then(|idle| idle.replace('.', "").parse::<u64>().ok());
    Some((figures, idle.map(|hundredths| hundredths * 10_000_000)))
}

/// Runs a machine until it ends, the console says enough or the time is up, and returns what it said.
fn console_of(machine: &Machine, is_enough: impl Fn(&str) -> bool) -> Result<String> {
    let mut command = machine.command(Console::Plain)?;
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
    let mut child = Running(child.with_context(|| format!("cannot start {}", cmd::show(&command)))?);
    let pieces = read_pieces(child.0.stdout.take().context("no pipe")?);
    let deadline = Instant::now() + LIMIT;
    let mut bytes = Vec::new();
    loop {
        match pieces.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(piece) => bytes.extend(piece),
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {
                bail!("the time was up; the console says:\n{}", String::from_utf8_lossy(&bytes).trim_end())
            }
        }
        if is_enough(&String::from_utf8_lossy(&bytes)) {
            break;
        }
    }
    child.end()?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Packs BusyBox' root file system with the measuring process 1.
fn initramfs() -> Result<Vec<u8>> {
    packages::ensure(&[Need::new("cc", "gcc"), Need::new("as", "binutils")])?;
    let source = paths::root().join("xtask/src/bench/first.S");
    let program: PathBuf = paths::target().join("bench-first");
    let mut compile = Command::new("cc");
    compile.args(["-nostdlib", "-static", "-no-pie", "-o"]).arg(&program).arg(&source);
    cmd::run_quietly(&mut compile)?;
    let mut tree = rootfs::busybox_tree()?;
    tree.file("first", 0o755, fs::read(&program)?);
    Ok(tree.to_bytes()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_of_process_1_is_found() {
        let line = "\r\nexo-bench 00000000000000ff 0000000000000010 0000000000000020 1.50 0.25\r\n";
        assert_eq!(parse_first(line), Some(([255, 16, 32], Some(250_000_000))));
        let line = "exo-bench 00000000000000ff 0000000000000010 0000000000000020 \n";
        assert_eq!(parse_first(line), Some(([255, 16, 32], None)));
        assert_eq!(parse_first("\nexo-bench 00000000000000ff 00000000"), None);
    }
}
