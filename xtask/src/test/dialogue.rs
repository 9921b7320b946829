//! Dialogues with the interactive shell over the serial console: what a person types and what must come back.

use std::io::Write;
use std::process::{ChildStdin, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::{Setup, Totals, in_parallel};
use crate::qemu::{Console, Kind, Machine};
use crate::scratch::Scratch;
use crate::session::{Running, read_pieces};
use crate::{cmd, rootfs};

/// How long an answer may take.
const LIMIT: Duration = Duration::from_secs(60);

/// The end of the shell's prompt.
const PROMPT: &str = "# ";

/// One exchange: what is typed, and what must appear after it, in this order. What is typed is echoed, so an
/// answer must not be part of it. A NUL stands for a second of waiting, for what cannot be seen from outside
/// (that a program is in the foreground by now).
struct Exchange(&'static str, &'static [&'static str]);

/// A session from the first prompt to the machine's end.
struct Dialogue {
    name: &'static str,
    exchanges: &'static [Exchange],
}

/// The numbers of processors on which each dialogue is held.
const CPUS: [u32; 2] = [1, 4];

const DIALOGUES: &[Dialogue] = &[
    Dialogue {
        name: "dialogue: editing and history",
        exchanges: &[
            Exchange("echo $((6 * 7))\r", &["\n42\r", PROMPT]),
            // Backspace, ^U, and a cursor key to insert before the last letter.
            Exchange("echo a-bx\x7fc\r", &["\na-bc\r", PROMPT]),
            Exchange("nonsense\x15echo st'a'rt\r", &["\nstart\r", PROMPT]),
            Exchange("echo o'n'y\x1b[Dl\r", &["\nonly\r", PROMPT]),
            Exchange("\x1b[A\x1b[A\r", &["\nstart\r", PROMPT]),
            Exchange("echo r'ead'y; cat\r", &["ready\r\n"]),
            Exchange("typed\r", &["typed\r\ntyped\r"]),
            Exchange("\x04", &[PROMPT]),
            Exchange("stty size | tr ' ' x; stty -a | grep -c isig\r", &["\n1\r", PROMPT]),
            Exchange("tty\r", &["/dev/ttyS0\r", PROMPT]),
        ],
    },
    Dialogue {
        name: "dialogue: job control",
        exchanges: &[
            Exchange("sleep 1000 &\r", &[PROMPT]),
            Exchange("jobs\r", &["Running", PROMPT]),
            Exchange("fg\r", &["\nsleep 1000\r\n"]),
            Exchange("\0\x1a", &["Stopped", PROMPT]),
            Exchange("bg\r", &["\n[1]", PROMPT]),
            Exchange("jobs\r", &["Running", PROMPT]),
            Exchange("kill %1; wait %1; echo st=$?\r", &["st=143", PROMPT]),
            Exchange("echo g'o'; while :; do :; done\r", &["\ngo\r"]),
            Exchange("\x03", &[PROMPT]),
            Exchange("echo after$?\r", &["after130\r", PROMPT]),
            Exchange("echo g'o'; sleep 1000 | cat\r", &["\ngo\r"]),
            Exchange("\0\x1a", &["Stopped", PROMPT]),
            Exchange("fg\r", &["\nsleep 1000 | cat\r\n"]),
            Exchange("\0\x03", &[PROMPT]),
            Exchange("jobs | wc -l\r", &["\n0\r", PROMPT]),
            Exchange("trap 'echo caug''ht' INT; echo g'o'; sleep 1000\r", &["\ngo\r"]),
            Exchange("\0\x03", &["caught\r", PROMPT]),
        ],
    },
    Dialogue {
        name: "dialogue: vi and top",
        exchanges: &[
            Exchange("stty rows 24 cols 80; vi /tmp/file\r", &["/tmp/file", "1/1"]),
            Exchange("ihello\rworld\x1b", &["2/2"]),
            Exchange("\0kdd:wq\r", &[PROMPT]),
            Exchange("tr a-z A-Z </tmp/file\r", &["\nWORLD\r", PROMPT]),
            Exchange("top -d 1\r", &["Mem:", "PID", "Mem:", "PID", "Mem:"]),
            Exchange("q", &[PROMPT]),
            Exchange("top -d 1\r", &["Mem:"]),
            Exchange("\x03", &[PROMPT]),
        ],
    },
];

/// Holds the dialogues and counts them.
///
/// # Errors
/// If the guest's files cannot be put together.
pub(super) fn run(setup: &Setup) -> Result<Totals> {
    let mut totals = Totals::default();
    let all = DIALOGUES.iter().flat_map(|dialogue| CPUS.map(|cpus| (dialogue, cpus)));
    let dialogues: Vec<(&Dialogue, u32, String)> = all
        .map(|(dialogue, cpus)| (dialogue, cpus, format!("{} with {cpus} CPU", dialogue.name)))
        .filter(|(_, _, name)| setup.wants(name))
        .collect();
    if dialogues.is_empty() {
        return Ok(totals);
    }
    cmd::progress(format!("holding {} dialogues with the shell", dialogues.len()));
    let archive = rootfs::busybox_tree()?.to_bytes()?;
    in_parallel(
        dialogues,
        |(dialogue, cpus, name)| (hold(setup, &archive, dialogue, cpus), name),
        |(outcome, name)| totals.count(&name, outcome),
    );
    Ok(totals)
}

fn hold(setup: &Setup, archive: &[u8], dialogue: &Dialogue, cpus: u32) -> Result<()> {
    let initrd = Scratch::new("dialogue.cpio", archive)?;
    let machine = Machine {
        kernel: setup.kernel.clone(),
        initrd: Some(initrd.path().to_path_buf()),
        append: "console=ttyS0 quiet loglevel=1 panic=-1 LINES=24 COLUMNS=80".to_owned(),
        cpus,
        memory: "256M".to_owned(),
        accel: setup.accel,
        kind: Kind::Q35,
        gdb: false,
        extra: Vec::new(),
    };
    let mut command = machine.command(Console::Plain)?;
    let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let mut child = Running(child.with_context(|| format!("cannot start {}", cmd::show(&command)))?);
    let mut line = Line {
        input: child.0.stdin.take().context("no pipe")?,
        output: read_pieces(child.0.stdout.take().context("no pipe")?),
        pending: Vec::new(),
        said: Vec::new(),
    };
    line.expect(PROMPT).context("before the first prompt")?;
    for Exchange(typed, answers) in dialogue.exchanges {
        line.type_in(typed)?;
        for answer in *answers {
            line.expect(answer).with_context(|| format!("after typing {typed:?}"))?;
        }
    }
    line.type_in("\x04")?;
    line.expect_end().context("after ^D at the prompt")?;
    child.end()
}

/// The serial line to a machine.
struct Line {
    input: ChildStdin,
    output: Receiver<Vec<u8>>,
    /// What has come and not been looked at.
    pending: Vec<u8>,
    /// Everything that has come.
    said: Vec<u8>,
}

impl Line {
    /// Types as a person does: one byte after another. A serial port without flow control loses more.
    fn type_in(&mut self, text: &str) -> Result<()> {
        for byte in text.bytes() {
            if byte == 0 {
                std::thread::sleep(Duration::from_secs(1));
                continue;
            }
            self.input.write_all(&[byte])?;
            self.input.flush()?;
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    fn expect(&mut self, text: &str) -> Result<()> {
        let deadline = Instant::now() + LIMIT;
        loop {
            let found = self.pending.windows(text.len()).position(|window| window == text.as_bytes());
            if let Some(at) = found {
                self.pending.drain(..at + text.len());
                return Ok(());
            }
            match self.output.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(piece) => {
                    self.said.extend_from_slice(&piece);
                    self.pending.extend(piece);
                }
                Err(RecvTimeoutError::Timeout) => {
                    bail!("no {text:?} came in time; the console ends:\n{}", self.tail())
                }
                Err(RecvTimeoutError::Disconnected) => {
                    bail!("the machine ended without {text:?}; the console ends:\n{}", self.tail())
                }
            }
        }
    }

    fn expect_end(&mut self) -> Result<()> {
        let deadline = Instant::now() + LIMIT;
        loop {
            match self.output.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(piece) => self.said.extend_from_slice(&piece),
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
                Err(RecvTimeoutError::Timeout) => {
                    bail!("the machine did not switch itself off; the console ends:\n{}", self.tail())
                }
            }
        }
    }

    fn tail(&self) -> String {
        let text = String::from_utf8_lossy(&self.said);
        let lines: Vec<&str> = text.lines().collect();
        lines.get(lines.len().saturating_sub(25)..).unwrap_or_default().join("\n")
    }
}
