//! Boots of the image on several machines: what only hardware shows, and the contract of a kernel's command line.

use std::ffi::OsString;
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::{Setup, Totals, in_parallel};
use crate::bench::kernel;
use crate::cpio::Tree;
use crate::filter::Marks;
use crate::qemu::{Console, Kind, Machine};
use crate::scratch::Scratch;
use crate::session::{self, Outcome, Watcher};
use crate::{cmd, rootfs};

/// How long a boot may take, on a host that does other things as well.
const LIMIT: Duration = Duration::from_secs(90);

/// A machine and what must come of it.
struct Boot {
    name: String,
    kind: Kind,
    cpus: u32,
    memory: &'static str,
    /// Words added to the kernel's command line; words after `--` go to process 1.
    append: &'static str,
    pack: Pack,
    /// A script of `sh`.
    script: &'static str,
    expect: Expect,
}

/// How the initial RAM file system is packed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pack {
    Plain,
    Gzip,
    /// The root file system and the runner's files in two archives, one compressed, one not.
    TwoArchives,
    /// None at all.
    Missing,
    /// The first half of the archive.
    Cut,
    /// The first half of a compressed archive.
    CutGzip,
    /// An archive whose first file says that it is as large as can be.
    Lying,
    /// No archive.
    Garbage,
}

enum Expect {
    /// The script prints this and exits with this status, and the machine switches itself off.
    Output(String, u8),
    /// The script never starts: the console says all of these (in any case of letters), then the machine ends
    /// by itself.
    Console(&'static [&'static str]),
}

/// Runs the boots and counts them.
///
/// # Errors
/// If the guest's files cannot be put together.
pub(super) fn run(setup: &Setup) -> Result<Totals> {
    let mut boots: Vec<Boot> = list();
    if setup.quick {
        boots.retain(|boot| boot.kind == Kind::Q35);
        println!("left out: boots on pc and microvm (--quick)");
    }
    boots.retain(|boot| setup.wants(&boot.name));
    let mut totals = Totals::default();
    if boots.is_empty() {
        return Ok(totals);
    }
    cmd::progress(format!("booting {} machines", boots.len()));
    let tree = rootfs::busybox_tree()?;
    let run = |boot: Boot| (check(setup, &tree, &boot), boot.name);
    in_parallel(boots, run, |(outcome, name)| totals.count(&name, outcome));
    Ok(totals)
}

/// Lists the boots: every machine with one and four processors, then one feature of the contract after another.
fn list() -> Vec<Boot> {
    let mut boots = Vec::new();
    for kind in [Kind::Pc, Kind::Q35, Kind::Microvm] {
        for cpus in [1, 4] {
            boots.push(Boot {
                name: format!("boot: {kind} with {cpus} CPU"),
                kind,
                cpus,
                script: "uname -s; nproc; exit 42",
                expect: Expect::Output(format!("Linux\n{cpus}\n"), 42),
                ..Boot::default()
            });
        }
    }
    for cpus in [1, 4] {
        boots.push(Boot {
            name: format!("boot: 64 MiB with {cpus} CPU"),
            memory: "64M",
            cpus,
            script: "seq 2000 | sort -n | tail -n 1; dd if=/dev/zero bs=1M count=8 2>/dev/null | wc -c",
            expect: Expect::Output("2000\n8388608\n".to_owned(), 0),
            ..Boot::default()
        });
    }
    let contract = [
        ("gzip archive", Pack::Gzip, "", "echo here", Expect::Output("here\n".to_owned(), 0)),
        ("two archives", Pack::TwoArchives, "", "echo here", Expect::Output("here\n".to_owned(), 0)),
        (
            "words of the command line reach process 1",
            Pack::Plain,
            "COLOUR=blue nonsense -- one 'two",
            // The runner's arguments and environment are those of process 1.
            "echo $COLOUR; tr '\\0' '\\n' </proc/1/cmdline | tail -n +4",
            Expect::Output("blue\nnonsense\none\n'two\n".to_owned(), 0),
        ),
        ("maxcpus=2 is obeyed", Pack::Plain, "maxcpus=2", "nproc", Expect::Output("2\n".to_owned(), 0)),
        (
            "the heap's debug mode finds nothing",
            Pack::Plain,
            "exo.heap=debug",
            "for i in 1 2 3 4; do ls -lR / >/dev/null 2>&1 & done; wait; seq 3000 | sort -n | tail -n 1; \
             for i in $(seq 40); do mkdir /tmp/$i; (echo $i >/tmp/$i/f); done; rm -r /tmp/*; head -n 1 /proc/exo/heap_debug",
            Expect::Output("3000\noverflows 0 uses_after_free 0 double_frees 0\n".to_owned(), 0),
        ),
        (
            "the scheduler is traced from boot on",
            Pack::Plain,
            "exo.trace=1000 maxcpus=4",
            "echo 1 | cat; echo 0 >/proc/exo/trace; \
             awk '{ n[$3]++ } END { print (n[\"switch\"] > 20), (n[\"wake\"] > 10) }' \
             /proc/exo/trace; grep '^on' /proc/exo/trace; echo x >/proc/exo/trace",
            Expect::Output("1\n1 1\non 0\nsh: write error: Invalid argument\n".to_owned(), 1),
        ),
        (
            // The heap's part: what the kernel keeps beyond pages, page tables and kernel stacks.
            "an idle process takes at most 12 KiB of the heap",
            Pack::Plain,
            "",
            "used() { sed -n 's/used_bytes //p' /proc/exo/heap; }; sleep 1000 & before=$(used); \
             for i in $(seq 100); do sleep 1000 & done; sleep 1; after=$(used); \
             test $(((after - before) / 100)) -le 12288 && echo few || echo $(((after - before) / 100))",
            Expect::Output("few\n".to_owned(), 0),
        ),
        ("no initramfs", Pack::Missing, "", "", Expect::Console(&["panic"])),
        ("archive cut short", Pack::Cut, "", "", Expect::Console(&["initramfs", "panic"])),
        ("compressed archive cut short", Pack::CutGzip, "", "", Expect::Console(&["initramfs", "panic"])),
        ("archive that lies about a size", Pack::Lying, "", "", Expect::Console(&["initramfs", "panic"])),
        ("no archive but garbage", Pack::Garbage, "", "", Expect::Console(&["initramfs", "panic"])),
        (
            "init is not there",
            Pack::Plain,
            "rdinit=/nowhere init=/nowhere",
            "",
            Expect::Console(&["/nowhere", "panic"]),
        ),
        ("the kernel measures itself", Pack::Plain, kernel::WORD, "", Expect::Console(kernel::ROWS)),
    ];
    for (name, pack, append, script, expect) in contract {
        let cpus = if append.contains("maxcpus") { 4 } else { 1 };
        boots.push(Boot {
            name: format!("boot: {name}"),
            pack,
            append,
            script,
            expect,
            cpus,
            ..Boot::default()
        });
    }
    boots
}

impl Default for Boot {
    fn default() -> Self {
        Self {
            name: String::new(),
            kind: Kind::Q35,
            cpus: 1,
            memory: "256M",
            append: "",
            pack: Pack::Plain,
            script: "",
            expect: Expect::Output(String::new(), 0),
        }
    }
}

/// Boots a machine and compares what it does with what it should do.
fn check(setup: &Setup, tree: &Tree, boot: &Boot) -> Result<()> {
    let marks = Marks::unique();
    let command = ["sh", "-c", boot.script].map(OsString::from);
    let mut runner = if boot.pack == Pack::TwoArchives { Tree::default() } else { tree.clone() };
    let words = session::add_runner(&mut runner, &command, Vec::new(), &marks, false)?;
    let archive = match boot.pack {
        Pack::Plain => Some(runner.to_bytes()?),
        Pack::Gzip => Some(gzip(&runner.to_bytes()?)?),
        Pack::TwoArchives => {
            let mut bytes = gzip(&tree.to_bytes()?)?;
            bytes.resize(bytes.len().next_multiple_of(4), 0);
            bytes.extend(runner.to_bytes()?);
            Some(bytes)
        }
        Pack::Missing => None,
        Pack::Cut => Some(first_half(runner.to_bytes()?)),
        Pack::CutGzip => Some(first_half(gzip(&runner.to_bytes()?)?)),
        Pack::Lying => {
            let mut bytes = runner.to_bytes()?;
            // The file size in a header of the format `newc`.
            bytes.get_mut(54..62).context("an archive begins with a header")?.copy_from_slice(b"ffffffff");
            Some(bytes)
        }
        Pack::Garbage => {
            Some((0..100_000_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect())
        }
    };
    let initrd = archive.map(|bytes| Scratch::new("boot.cpio", &bytes)).transpose()?;
    let quiet = if matches!(boot.expect, Expect::Output(..)) { "quiet loglevel=1" } else { "" };
    let machine = Machine {
        kernel: setup.kernel.clone(),
        initrd: initrd.as_ref().map(|file| file.path().to_path_buf()),
        append: format!("console=ttyS0 panic=-1 {quiet} {words} {}", boot.append),
        cpus: boot.cpus,
        memory: boot.memory.to_owned(),
        accel: setup.accel,
        kind: boot.kind,
        gdb: false,
        extra: Vec::new(),
    };
    let mut output = Collector(Vec::new());
    let outcome = session::run(&machine, marks, Console::Plain, Some(LIMIT), &mut output)?;
    judge(&boot.expect, &outcome, &String::from_utf8_lossy(&output.0))
}

fn first_half(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.truncate(bytes.len() / 2);
    bytes
}

fn judge(expect: &Expect, outcome: &Outcome, output: &str) -> Result<()> {
    let console = String::from_utf8_lossy(&outcome.noise);
    match expect {
        Expect::Output(expected, status) => {
            if outcome.status != Some(*status) || output != expected {
                let status =
                    outcome.status.map_or("no status".to_owned(), |status| format!("status {status}"));
                let late = if outcome.timed_out { ", the time was up" } else { "" };
                bail!("printed {output:?}, {status}{late}; expected {expected:?}\n{}", console.trim_end());
            }
            if outcome.timed_out {
                bail!("the machine did not switch itself off");
            }
        }
        Expect::Console(words) => {
            if outcome.timed_out || outcome.has_begun {
                bail!("the machine went on\n{}", console.trim_end());
            }
            let lower = console.to_lowercase();
            if let Some(word) = words.iter().find(|word| !lower.contains(&word.to_lowercase())) {
                bail!("the console does not say {word:?}\n{}", console.trim_end());
            }
        }
    }
    Ok(())
}

/// Keeps a program's output.
struct Collector(Vec<u8>);

impl Watcher for Collector {
    fn output(&mut self, bytes: &[u8]) -> Result<()> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }

    fn console(&mut self, _bytes: &[u8]) -> Result<()> {
        Ok(())
    }
}

fn gzip(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut command = Command::new("gzip");
    command.args(["-1", "-n", "-c"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().context("cannot start gzip")?;
    let mut stdin = child.stdin.take().context("no pipe")?;
    let output = std::thread::scope(|scope| {
        // Fails only if gzip ended early, which its status tells.
        scope.spawn(move || stdin.write_all(bytes));
        child.wait_with_output()
    })?;
    if !output.status.success() {
        bail!("gzip failed ({})", output.status);
    }
    Ok(output.stdout)
}
