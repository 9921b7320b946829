//! The emulator: how a machine is described and started.

use std::fmt;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};
use clap::ValueEnum;

use crate::cmd;
use crate::packages::{self, Need};

const PROGRAM: &str = "qemu-system-x86_64";

/// How guest instructions are executed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Accel {
    /// The processor's virtualisation if it works here, else emulation.
    #[default]
    Auto,
    /// Emulation.
    Tcg,
    /// The processor's virtualisation.
    Kvm,
}

/// The kind of PC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// i440FX of 1996.
    Pc,
    /// Q35 of 2009, with PCI Express.
    #[default]
    Q35,
    /// QEMU's minimal machine.
    Microvm,
}

impl fmt::Display for Kind {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Pc => "pc",
            Self::Q35 => "q35",
            Self::Microvm => "microvm",
        })
    }
}

/// Where the guest's serial port goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Console {
    /// Standard streams; Ctrl-A is QEMU's escape key, everything else goes to the guest.
    Terminal,
    /// Standard streams, every byte as it is.
    Plain,
}

/// A machine to start.
#[derive(Clone, Debug)]
pub(crate) struct Machine {
    /// The kernel image.
    pub(crate) kernel: PathBuf,
    /// The initial RAM file system.
    pub(crate) initrd: Option<PathBuf>,
    /// The kernel's command line.
    pub(crate) append: String,
    /// Number of processors.
    pub(crate) cpus: u32,
    /// Memory as QEMU writes it, such as `256M`.
    pub(crate) memory: String,
    /// How instructions are executed.
    pub(crate) accel: Accel,
    /// What kind of PC it is.
    pub(crate) kind: Kind,
    /// Whether it waits for gdb before the first instruction.
    pub(crate) gdb: bool,
    /// Further arguments for QEMU.
    pub(crate) extra: Vec<String>,
}

impl Machine {
    /// Returns the command that starts the machine.
    ///
    /// # Errors
    /// If QEMU is missing, or KVM is asked for and does not work.
    pub(crate) fn command(&self, console: Console) -> Result<Command> {
        ensure()?;
        let mut command = Command::new(PROGRAM);
        command.args(["-nodefaults", "-no-user-config", "-no-reboot", "-display", "none"]);
        command.args(["-machine", &self.kind.to_string()]);
        // Four levels of page tables, which are what Exo-OS has: with five, Linux gives programs another address space.
        if use_kvm(self.accel)? {
            command.args(["-accel", "kvm", "-cpu", "host,la57=off"]);
        } else {
            command.args(["-accel", "tcg", "-cpu", "max,la57=off"]);
        }
        command.args(["-smp", &self.cpus.to_string(), "-m", &self.memory]);
        command.arg("-kernel").arg(&self.kernel);
        if let Some(initrd) = &self.initrd {
            command.arg("-initrd").arg(initrd);
        }
        command.args(["-append", &self.append]);
        let mux = match console {
            Console::Terminal => "on",
            Console::Plain => "off",
        };
        command.args(["-chardev", &format!("stdio,id=console,signal=off,mux={mux}")]);
        command.args(["-serial", "chardev:console"]);
        if console == Console::Terminal {
            command.args(["-mon", "chardev=console"]);
        }
        if self.gdb {
            command.args(["-s", "-S"]);
        }
        command.args(&self.extra);
        Ok(command)
    }
}

/// Makes sure that QEMU is there.
///
/// # Errors
/// If it is missing and cannot be installed.
pub(crate) fn ensure() -> Result<()> {
    packages::ensure(&[Need::new(PROGRAM, "qemu-system-x86")])
}

/// Returns the emulator's name and version, as far as it says how instructions are executed: without the corrections.
///
/// # Errors
/// If it is missing.
pub(crate) fn version() -> Result<String> {
    ensure()?;
    let text = cmd::capture(Command::new(PROGRAM).arg("--version"))?;
    let version = text.split_whitespace().find(|word| word.starts_with(|c: char| c.is_ascii_digit()));
    let numbers: Vec<&str> = version.unwrap_or_default().split('.').take(2).collect();
    Ok(format!("QEMU {}", numbers.join(".")))
}

/// Decides between virtualisation and emulation.
fn use_kvm(accel: Accel) -> Result<bool> {
    match accel {
        Accel::Tcg => Ok(false),
        Accel::Auto => Ok(cpu_can_virtualise() && probe_kvm().is_ok()),
        Accel::Kvm => probe_kvm().map(|()| true).context("KVM does not work here; use --accel tcg"),
    }
}

/// Returns whether the processor says that it has virtualisation. A `/dev/kvm` alone proves nothing.
fn cpu_can_virtualise() -> bool {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    info.lines()
        .filter(|line| line.starts_with("flags"))
        .any(|line| line.split_whitespace().any(|flag| flag == "vmx" || flag == "svm"))
}

/// Starts a machine with KVM that never runs and is ended at once.
fn probe_kvm() -> Result<()> {
    let probe = "echo quit | exec timeout 10 qemu-system-x86_64 -nodefaults -display none -machine microvm \
                 -accel kvm -cpu host -m 16M -S -monitor stdio";
    let output = cmd::output(Command::new("sh").args(["-c", probe]))?;
    if !output.status.success() {
        bail!("{}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(())
}
