//! Debian's programs that press on the scheduler: each must come to its end with status 0, on one, two and four
//! processors, and the kernel must not complain. `cargo xtask test --programs`.

use std::ffi::OsString;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::{Setup, Totals};
use crate::filter::Marks;
use crate::qemu::{Console, Kind, Machine};
use crate::scratch::Scratch;
use crate::session::{self, Watcher};
use crate::{cmd, debian};

/// The packages they come from.
const PACKAGES: [&str; 4] = ["linux-perf", "rt-tests", "stress-ng", "sysbench"];

/// The numbers of processors.
const CPUS: [u32; 3] = [1, 2, 4];

/// How long a program may take, in seconds, on a host that does other things as well.
const LIMIT_SECONDS: u32 = 180;

/// How long a machine may take.
const MACHINE_LIMIT: Duration = Duration::from_secs(3000);

/// What a line of the guest's report begins with.
const MARK: &str = "#program ";

/// Name and command of each.
const PROGRAMS: &[(&str, &str)] = &[
    ("cyclictest", "cyclictest -q -l 1000 -i 1000 -t 2 -p 80"),
    ("sigwaittest of threads", "sigwaittest -l 200 -t 2"),
    ("sigwaittest of processes", "sigwaittest -l 200 -f"),
    ("ptsematest", "ptsematest -l 200 -t 2"),
    ("pi_stress", "pi_stress --duration 5 --groups 1 --quiet"),
    ("rt-migrate-test", "rt-migrate-test -l 20"),
    ("hackbench over sockets", "hackbench -g 2 -l 100"),
    ("hackbench over pipes", "hackbench -p -g 2 -l 100"),
    ("hackbench of threads", "hackbench -T -g 2 -l 100"),
    ("hackbench of threads over pipes", "hackbench -T -p -g 2 -l 100"),
    ("stress-ng cpu", "stress-ng --cpu 2 --timeout 3 --verify"),
    ("stress-ng switch", "stress-ng --switch 2 --timeout 3 --verify"),
    ("stress-ng futex", "stress-ng --futex 2 --timeout 3 --verify"),
    ("stress-ng mutex", "stress-ng --mutex 2 --timeout 3 --verify"),
    ("stress-ng sem", "stress-ng --sem 2 --timeout 3 --verify"),
    ("stress-ng pthread", "stress-ng --pthread 2 --timeout 3 --verify"),
    ("stress-ng clone", "stress-ng --clone 2 --timeout 3 --verify"),
    ("stress-ng schedpolicy", "stress-ng --schedpolicy 2 --timeout 3 --verify"),
    ("stress-ng yield", "stress-ng --yield 2 --timeout 3 --verify"),
    ("sysbench threads", "sysbench threads --threads=4 --time=3 run"),
    ("sysbench mutex", "sysbench mutex --threads=4 --time=3 run"),
    ("perf bench sched pipe", "$perf bench sched pipe -l 2000"),
    ("perf bench sched messaging", "$perf bench sched messaging -g 2 -l 50"),
    ("perf bench sched messaging of threads", "$perf bench sched messaging -t -g 2 -l 50"),
    ("perf bench futex hash", "$perf bench futex hash -r 2"),
    ("perf bench futex wake", "$perf bench futex wake"),
    ("perf bench futex wake-parallel", "$perf bench futex wake-parallel"),
    ("perf bench futex requeue", "$perf bench futex requeue"),
    ("perf bench futex lock-pi", "$perf bench futex lock-pi -r 2"),
];

/// What the kernel's log must not say afterwards.
const COMPLAINTS: &str = "BUG|WARNING|lockup|panicked";

/// Runs the programs that the filter leaves, and counts them.
///
/// # Errors
/// If the guest's files cannot be put together.
pub(super) fn run(setup: &Setup) -> Result<Totals> {
    let mut totals = Totals::default();
    let chosen: Vec<_> = PROGRAMS.iter().filter(|(name, _)| setup.wants(name)).collect();
    if chosen.is_empty() {
        println!("left out: Debian's programs (filter)");
        return Ok(totals);
    }
    for cpus in CPUS {
        cmd::progress(format!("running {} programs on {cpus} processors", chosen.len()));
        let report = boot(setup, &chosen, cpus)?;
        for (number, (name, command)) in chosen.iter().enumerate() {
            totals.count(&format!("{name} (smp {cpus})"), report.of(&number.to_string(), command));
        }
        totals.count(&format!("the kernel's log (smp {cpus})"), report.of("log", "dmesg"));
    }
    Ok(totals)
}

/// The guest's side: for each program its number, its status and, if it failed, the end of what it said.
fn script(chosen: &[&(&str, &str)]) -> String {
    let mut script = format!(
        "perf=$(ls /usr/bin/perf_* 2>/dev/null | head -n 1); perf=${{perf:-perf}}\n\
         run() {{ out=$(timeout -s KILL {LIMIT_SECONDS} sh -c \"$2\" 2>&1 </dev/null); status=$?\n\
         echo \"{MARK}$1 $status\"; [ $status = 0 ] || echo \"$out\" | tail -n 8; }}\nexport perf\n"
    );
    for (number, (_, command)) in chosen.iter().enumerate() {
        script += &format!("run {number} '{command}'\n");
    }
    script + &format!("run log '! dmesg | grep -E \"{COMPLAINTS}\"'\n")
}

/// What the guest said.
struct Report {
    lines: Vec<String>,
}

impl Report {
    /// How the program with this number ended.
    fn of(&self, number: &str, command: &str) -> Result<()> {
        let head = format!("{MARK}{number} ");
        let mut lines = self.lines.iter().skip_while(|line| !line.starts_with(&head));
        let status = lines.next().and_then(|line| line.strip_prefix(&head)).context("it was not run")?;
        if status == "0" {
            return Ok(());
        }
        let said: Vec<_> = lines.take_while(|line| !line.starts_with(MARK)).map(String::as_str).collect();
        bail!("{command}: status {status}\n{}", said.join("\n"));
    }
}

/// Collects what the guest says.
struct Collect(Vec<u8>);

impl Watcher for Collect {
    fn output(&mut self, bytes: &[u8]) -> Result<()> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }

    fn console(&mut self, _: &[u8]) -> Result<()> {
        Ok(())
    }
}

/// Runs the programs on one machine.
fn boot(setup: &Setup, chosen: &[&(&str, &str)], cpus: u32) -> Result<Report> {
    let mut rootfs = debian::open(&PACKAGES.map(str::to_owned))?;
    let marks = Marks::unique();
    let command = ["sh".to_owned(), "-c".to_owned(), script(chosen)].map(OsString::from);
    let words = session::add_runner(rootfs.additions(), &command, Vec::new(), &marks, false)?;
    let initrd = Scratch::new("programs.cpio", &rootfs.to_bytes()?)?;
    let machine = Machine {
        kernel: setup.kernel.clone(),
        initrd: Some(initrd.path().to_path_buf()),
        append: format!("console=ttyS0 quiet loglevel=1 panic=-1 {words}"),
        cpus,
        memory: debian::DEFAULT_MEMORY.to_owned(),
        accel: setup.accel,
        kind: Kind::Q35,
        gdb: false,
        extra: Vec::new(),
    };
    let mut collect = Collect(Vec::new());
    session::run(&machine, marks, Console::Plain, Some(MACHINE_LIMIT), &mut collect)?;
    // What a machine that died has not said was not run.
    Ok(Report { lines: String::from_utf8_lossy(&collect.0).lines().map(str::to_owned).collect() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_report_tells_how_each_ended() {
        let text = "#program 0 0\n#program 1 137\nkilled\nby us\n#program 10 0\n#program log 0";
        let report = Report { lines: text.lines().map(str::to_owned).collect() };
        assert!(report.of("0", "").is_ok() && report.of("10", "").is_ok() && report.of("log", "").is_ok());
        let failure = report.of("1", "sleep 9").unwrap_err().to_string();
        assert_eq!(failure, "sleep 9: status 137\nkilled\nby us");
        assert!(report.of("2", "").is_err());
        assert!(script(&[&("a", "b c")]).contains("run 0 'b c'\n"));
        assert!(PROGRAMS.iter().all(|(_, command)| !command.contains('\'')));
    }
}
