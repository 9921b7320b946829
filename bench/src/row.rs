//! A row of the table, and how it is run: in a process of its own with a limit, so that one which crashes or hangs
//! spoils no other.

use std::path::Path;

use crate::harness::{Bench, Clock, Figures, Settings};
use crate::sys::{self, End, Error, Result};

/// How many seconds a row may take. Under a counting emulator a second is a thousand million instructions.
const LIMIT_SECONDS: u32 = 6;
const LIMIT_SECONDS_WALL: u32 = 30;
/// The exit status of a row's process that has printed its line.
const PRINTED: i32 = 0;

/// One operation to measure.
#[derive(Clone, Copy)]
pub(crate) struct Row {
    /// The group and the operation, with a slash in between.
    pub(crate) name: &'static str,
    is_copying: bool,
    run: fn(&mut Bench) -> Result<()>,
}

impl Row {
    /// Makes a row. `run` measures once, in an empty directory of its own, in a process of its own.
    pub(crate) const fn new(name: &'static str, run: fn(&mut Bench) -> Result<()>) -> Self {
        Self { name, is_copying: false, run }
    }

    /// Marks a row in which copying or clearing memory is most of the work. An instruction count says little there:
    /// it depends on which string instruction the kernel chose.
    pub(crate) const fn copying(self) -> Self {
        Self { is_copying: true, ..self }
    }

    /// Runs the row in a child process and prints its line.
    pub(crate) fn run(&self, settings: Settings, directory: &Path) {
        let line = match self.run_in_child(settings, directory) {
            Ok(End::Exited(PRINTED)) => return,
            Ok(End::Exited(status)) => self.failed(&format!("exit status {status}")),
            Ok(End::Killed(signal)) => self.failed(&format!("signal {signal}")),
            Err(Error { call: "wait4", errno: libc::EINTR }) => self.failed("took too long"),
            Err(error) => self.failed(&error.to_string()),
        };
        print(&line);
    }

    fn run_in_child(&self, settings: Settings, directory: &Path) -> Result<End> {
        let mut child = sys::fork(|| match self.measure_in(settings, directory) {
            Ok(figures) => {
                print(&self.measured(&figures));
                PRINTED
            }
            Err(error) => {
                print(&self.errored(error));
                PRINTED
            }
        })?;
        let limit = match settings.clock {
            Clock::Instructions => LIMIT_SECONDS,
            Clock::Wall => LIMIT_SECONDS_WALL,
        };
        let group = child.id();
        sys::wake_after(limit)?;
        let end = child.wait();
        sys::wake_after(0)?;
        // The row's own children are in its group, whether it has ended or hangs.
        sys::kill_group(group);
        end
    }

    fn measure_in(&self, settings: Settings, directory: &Path) -> Result<Figures> {
        let failed =
            |error: std::io::Error| Error { call: "chdir", errno: error.raw_os_error().unwrap_or(libc::EIO) };
        sys::new_group()?;
        std::env::set_current_dir(directory).map_err(failed)?;
        if settings.clock == Clock::Instructions {
            // Until what came before (a line on the console, the end of a process) is really over. Costs nothing:
            // time in which nothing happens passes at once.
            sys::sleep_ms(30);
        }
        let mut bench = Bench::new(settings);
        (self.run)(&mut bench)?;
        bench.figures().ok_or(Error { call: "nothing measured", errno: libc::EIO })
    }

    fn measured(&self, figures: &Figures) -> String {
        let Figures { unit, median, minimum, spread, drift, batches, operations } = figures;
        format!(
            "{{\"row\":\"{}\",\"copying\":{},\"unit\":\"{unit}\",\"median\":{median:.2},\"minimum\":{minimum:.2},\
             \"spread\":{spread:.4},\"drift\":{drift:.4},\"batches\":{batches},\"operations\":{operations}}}",
            self.name, self.is_copying,
        )
    }

    fn errored(&self, error: Error) -> String {
        let outcome = if error.is_unsupported() { "unsupported" } else { "failed" };
        self.with_reason(outcome, &error.to_string())
    }

    fn failed(&self, reason: &str) -> String {
        self.with_reason("failed", reason)
    }

    fn with_reason(&self, outcome: &str, reason: &str) -> String {
        format!("{{\"row\":\"{}\",\"copying\":{},\"{outcome}\":\"{reason}\"}}", self.name, self.is_copying)
    }
}

/// Prints a line in one piece.
pub(crate) fn print(line: &str) {
    let line = format!("{line}\n");
    let mut rest = line.as_bytes();
    while let Ok(count @ 1..) = usize::try_from(sys::write(1, rest)) {
        rest = rest.get(count..).unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_say_what_came_of_a_row() {
        let row = Row::new("a/b", |_| Ok(())).copying();
        let figures = Figures::of("ns", &[1.5], 7);
        assert_eq!(
            row.measured(&figures),
            "{\"row\":\"a/b\",\"copying\":true,\"unit\":\"ns\",\"median\":1.50,\"minimum\":1.50,\
             \"spread\":0.0000,\"drift\":0.0000,\"batches\":1,\"operations\":7}"
        );
        let missing = Error { call: "x", errno: libc::ENOSYS };
        assert!(row.errored(missing).ends_with(",\"unsupported\":\"x: ENOSYS\"}"));
        let broken = Error { call: "x", errno: libc::EIO };
        assert!(row.errored(broken).ends_with(",\"failed\":\"x: EIO\"}"));
    }
}
