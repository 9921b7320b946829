//! The conformance cases of `tests/cases`: runs them in the guest and compares with Linux's answers.
//!
//! Each file of cases gets a machine of its own, so that one that dies costs little. When a machine dies or
//! hangs in a case, that case has failed and a new machine goes on behind it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};
use std::{fmt, fs};

use anyhow::{Context, Result, bail};

use super::transcript::{Answer, Case, CaseFile, Transcript, diff};
use super::{Setup, Totals, in_parallel, write_if_changed};
use crate::cpio::{Kind, Owner, Tree};
use crate::packages::{self, Need};
use crate::qemu::{self, Console, Machine};
use crate::scratch::Scratch;
use crate::session::{Running, read_pieces};
use crate::{cmd, paths, rootfs};

/// How long a machine may be silent beyond the time limit of the case it runs, in which it may lose time to
/// other work of this host.
const PATIENCE: Duration = Duration::from_secs(100);
/// How many machines may die in one file before the rest of it is given up.
const MAX_DEATHS: usize = 8;

/// One file of cases on one kind of machine.
#[derive(Clone)]
struct Job {
    family: String,
    file: CaseFile,
    kind: MachineKind,
}

/// The size of a machine.
#[derive(Clone, Copy, PartialEq, Eq)]
struct MachineKind {
    cpus: u32,
    memory_mib: u32,
}

impl fmt::Display for MachineKind {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "smp {}, {} MiB", self.cpus, self.memory_mib)
    }
}

/// The machine on which Linux gives its answers. Its kernel does not start in much less memory.
const USUAL: MachineKind = MachineKind { cpus: 1, memory_mib: 256 };
/// The machines on which each case must give Linux's answer; a case that needs more memory is not run there.
const KINDS: [MachineKind; 4] =
    [USUAL, MachineKind { cpus: 4, memory_mib: 256 }, MachineKind { cpus: 1, memory_mib: 64 }, LARGE];

/// The machine for cases that need more memory than the others have.
const LARGE: MachineKind = MachineKind { cpus: 4, memory_mib: 2048 };

impl MachineKind {
    /// Whether a case is run on such a machine.
    fn suits(self, case: &Case) -> bool {
        let is_large = |memory_mib| memory_mib > USUAL.memory_mib;
        case.memory_mib <= self.memory_mib && (!is_large(self.memory_mib) || is_large(case.memory_mib))
    }
}

impl Job {
    /// The cases of a file that suit a machine; `None` if there are none.
    fn new(family: &str, file: &CaseFile, kind: MachineKind) -> Option<Self> {
        let mut file = file.clone();
        file.cases.retain(|case| kind.suits(case));
        (!file.cases.is_empty()).then(|| Self { family: family.to_owned(), file, kind })
    }

    fn name(&self) -> String {
        format!("{} ({})", self.family, self.kind)
    }
}

/// Runs the cases and counts them.
///
/// # Errors
/// If the guest's files cannot be put together.
pub(super) fn run(setup: &Setup) -> Result<Totals> {
    let mut totals = Totals::default();
    let files = load(setup)?;
    if files.is_empty() {
        println!(
            "left out: the conformance cases ({})",
            if setup.filter.is_some() { "filter" } else { "none" }
        );
        return Ok(totals);
    }
    let guest = guest_tree()?;
    let kinds = if setup.quick { &KINDS[..1] } else { &KINDS[..] };
    if setup.quick {
        println!("left out: the conformance cases on other machines than {USUAL} (--quick)");
    }
    let of_kind = |kind: &MachineKind| {
        let kind = *kind;
        files.iter().filter_map(move |(family, file)| Job::new(family, file, kind))
    };
    let jobs: Vec<Job> = kinds.iter().flat_map(of_kind).collect();
    cmd::progress(format!("running the conformance cases: {} machines", jobs.len()));
    let run = |job: Job| {
        let verdict = play(setup, &guest, &job).and_then(|answers| verdict(&job, &answers));
        let verdict = verdict.and_then(|failures| again(setup, &guest, &job, failures));
        (job, verdict)
    };
    in_parallel(jobs, run, |(job, verdict)| {
        totals += report(&job, verdict);
    });
    Ok(totals)
}

/// Gives the cases that failed a second chance, each on a machine of its own: a host that is busy with other things can
/// make a case late. One that passes then is named; one that fails twice, or in which the machine died, has failed.
fn again(setup: &Setup, guest: &Tree, job: &Job, failures: Failures) -> Result<Failures> {
    let mut second = Failures::new();
    for (name, failure) in failures {
        let Failure::Differs(reason) = &failure else {
            second.insert(name, failure);
            continue;
        };
        let mut alone = job.clone();
        alone.file.cases.retain(|case| case.name == name);
        let failed_again = verdict(&alone, &play(setup, guest, &alone)?)?;
        if failed_again.is_empty() {
            println!("wavers: {}/{name} on {}, the first time:\n{}", job.family, job.kind, reason.trim_end());
        }
        second.extend(failed_again);
    }
    Ok(second)
}

/// Runs the cases on Linux and keeps its answers; those of cases that the filter leaves out stay.
///
/// # Errors
/// If a machine dies, or the answers cannot be written.
pub(super) fn record(setup: &Setup) -> Result<()> {
    let guest = guest_tree()?;
    let expected = paths::root().join("tests/expected");
    fs::create_dir_all(&expected)?;
    for (family, file) in load(setup)? {
        for job in [USUAL, MachineKind { cpus: 1, ..LARGE }]
            .into_iter()
            .filter_map(|kind| Job::new(&family, &file, kind))
        {
            let result = boot(setup, &guest, &job, &job.file.cases)?;
            if !result.transcript.is_done() {
                bail!(
                    "{} did not come to its end on Linux:\n{}",
                    job.name(),
                    result.transcript.last_noise(30)
                );
            }
            let path = expected.join(format!("{family}.txt"));
            let known = Transcript::parse(&fs::read_to_string(&path).unwrap_or_default());
            let names = read_cases(&family)?.cases.into_iter().map(|case| case.name);
            let answers = result.transcript.over(&known, names);
            let changed = write_if_changed(&path, &answers.to_expected(&family))?;
            println!("{} {}", path.display(), if changed { "has changed" } else { "is as it was" });
        }
    }
    Ok(())
}

/// Reads one file of cases.
fn read_cases(family: &str) -> Result<CaseFile> {
    let path = paths::root().join("tests/cases").join(format!("{family}.sh"));
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(CaseFile::parse(&text))
}

/// Reads the files of cases, with the cases that the filter chooses.
fn load(setup: &Setup) -> Result<BTreeMap<String, CaseFile>> {
    let mut files = BTreeMap::new();
    let Ok(entries) = fs::read_dir(paths::root().join("tests/cases")) else { return Ok(files) };
    for path in entries.flatten().map(|entry| entry.path()) {
        if path.extension().is_none_or(|extension| extension != "sh") {
            continue;
        }
        let family = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let mut file = read_cases(&family)?;
        file.cases.retain(|case| setup.wants(&format!("{family}/{}", case.name)));
        if !file.cases.is_empty() {
            files.insert(family, file);
        }
    }
    Ok(files)
}

/// Makes the guest's file system without the cases.
pub(super) fn guest_tree() -> Result<Tree> {
    let root = paths::root().join("tests");
    let mut tree = Tree::default();
    // The kernel makes /root itself, for root alone.
    for path in ["bin", "dev", "proc", "sys", "tmp", "etc", "tests/cases"] {
        tree.directory(path, 0o755);
    }
    let device = Kind::Special { type_bits: 0o020_000, major: 5, minor: 1 };
    tree.add("dev/console", Owner::root(0o600), device);
    tree.file("bin/busybox", 0o755, fs::read(rootfs::busybox()?)?);
    for name in ["init.sh", "run.sh"] {
        let path = root.join(name);
        tree.file(
            &format!("tests/{name}"),
            0o755,
            fs::read(&path).with_context(|| path.display().to_string())?,
        );
    }
    for (name, program) in user_tests()? {
        tree.file(&format!("tests/bin/{name}"), 0o755, fs::read(program)?);
    }
    Ok(tree)
}

/// Compiles the C programs of `user-tests` and returns their names and paths.
fn user_tests() -> Result<Vec<(String, PathBuf)>> {
    let mut programs = Vec::new();
    let Ok(entries) = fs::read_dir(paths::root().join("user-tests")) else { return Ok(programs) };
    let mut sources: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    sources.retain(|path| path.extension().is_some_and(|extension| extension == "c"));
    sources.sort();
    if sources.is_empty() {
        return Ok(programs);
    }
    packages::ensure(&[Need::new("musl-gcc", "musl-tools"), Need::new("gcc", "gcc")])?;
    let out = paths::target().join("user-tests");
    fs::create_dir_all(&out)?;
    for source in sources {
        let name = source.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let program = out.join(&name);
        if !is_newer(&program, &source) {
            let mut command = Command::new("musl-gcc");
            command.args(["-static", "-O2", "-pthread", "-o"]).arg(&program).arg(&source);
            cmd::run_quietly(&mut command)?;
        }
        programs.push((name, program));
    }
    Ok(programs)
}

fn is_newer(made: &Path, source: &Path) -> bool {
    let time = |path: &Path| fs::metadata(path).and_then(|metadata| metadata.modified()).ok();
    time(made).zip(time(source)).is_some_and(|(made, source)| made > source)
}

/// What came of a job: an answer for each case, or why there is none.
type Answers = BTreeMap<String, Result<Answer, String>>;

/// Runs all cases of a job, with a new machine behind each case in which one died.
fn play(setup: &Setup, guest: &Tree, job: &Job) -> Result<Answers> {
    let mut answers = Answers::new();
    let mut deaths = 0;
    let mut rest = job.file.cases.as_slice();
    while !rest.is_empty() {
        if deaths == MAX_DEATHS {
            for case in rest {
                answers.insert(case.name.clone(), Err("not run: too many machines died before".to_owned()));
            }
            break;
        }
        let result = boot(setup, guest, job, rest)?;
        let transcript = &result.transcript;
        let mut ended = 0;
        for case in rest {
            match transcript.answer(&case.name) {
                Some(answer) if answer.has_ended => {
                    answers.insert(case.name.clone(), Ok(answer.clone()));
                    ended += 1;
                }
                _ => break,
            }
        }
        let complaints = transcript.complaints();
        if let Some(case) = rest.first().filter(|_| !complaints.is_empty()) {
            let reason = format!("the kernel complains, in this case or a later one:\n{complaints}");
            answers.insert(case.name.clone(), Err(reason));
        }
        rest = rest.get(ended..).unwrap_or_default();
        let Some((case, behind)) = rest.split_first() else { break };
        let where_ = if transcript.current() == Some(case.name.as_str()) { "in it" } else { "before it" };
        let output = transcript.answer(&case.name).map(|answer| answer.lines.join("\n")).unwrap_or_default();
        let console = transcript.last_noise(40);
        answers.insert(
            case.name.clone(),
            Err(format!("the machine {} {where_}\n{output}\n{console}", result.end)),
        );
        rest = behind;
        deaths += 1;
    }
    Ok(answers)
}

/// What one machine did.
struct Run {
    transcript: Transcript,
    /// How it ended: a verb with its circumstances.
    end: &'static str,
}

/// Starts a machine with the given cases and follows it to its end.
fn boot(setup: &Setup, guest: &Tree, job: &Job, cases: &[Case]) -> Result<Run> {
    let mut tree = guest.clone();
    tree.file(&format!("tests/cases/{}.sh", job.family), 0o644, job.file.text_of(cases));
    let initrd = Scratch::new("cases.cpio", &tree.to_bytes()?)?;
    let machine = Machine {
        kernel: setup.kernel.clone(),
        initrd: Some(initrd.path().to_path_buf()),
        append: "console=ttyS0 quiet loglevel=1 panic=-1 rdinit=/tests/init.sh".to_owned(),
        cpus: job.kind.cpus,
        memory: format!("{}M", job.kind.memory_mib),
        accel: setup.accel,
        kind: qemu::Kind::Q35,
        gdb: false,
        extra: Vec::new(),
    };
    let mut command = machine.command(Console::Plain)?;
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
    let mut child = Running(child.with_context(|| format!("cannot start {}", cmd::show(&command)))?);
    let pieces = read_pieces(child.0.stdout.take().context("no pipe")?);
    let mut transcript = Transcript::default();
    let limit_of = |name: Option<&str>| {
        let case = cases.iter().find(|case| Some(case.name.as_str()) == name);
        PATIENCE + case.map_or(Duration::ZERO, |case| case.limit)
    };
    // The limit is for one case (or for the way from one to the next), however much it prints.
    let (mut current, mut since) = (None, Instant::now());
    let end = loop {
        let left = limit_of(transcript.current()).saturating_sub(since.elapsed());
        match pieces.recv_timeout(left) {
            Ok(piece) => transcript.push(&piece),
            Err(RecvTimeoutError::Disconnected) => break "ended",
            Err(RecvTimeoutError::Timeout) if transcript.is_done() => break "did not switch itself off",
            Err(RecvTimeoutError::Timeout) => break "hung",
        }
        if transcript.current() != current.as_deref() {
            current = transcript.current().map(str::to_owned);
            since = Instant::now();
        }
    };
    child.end()?;
    Ok(Run { transcript, end })
}

/// Why a case failed.
enum Failure {
    /// Its answer is not Linux's.
    Differs(String),
    /// The machine died or hung, or there is nothing to compare.
    Broken(String),
}

/// The cases that failed.
type Failures = BTreeMap<String, Failure>;

/// Compares a job's answers with the expected ones.
fn verdict(job: &Job, answers: &Answers) -> Result<Failures> {
    let path = paths::root().join("tests/expected").join(format!("{}.txt", job.family));
    let Ok(expected) = fs::read_to_string(&path) else {
        bail!(
            "{} is not there; take Linux's answers: cargo xtask test --record {}",
            path.display(),
            job.family
        );
    };
    let expected = Transcript::parse(&expected);
    let mut failures = Failures::new();
    for case in &job.file.cases {
        let failure = match (expected.answer(&case.name), answers.get(&case.name)) {
            (None, _) => Failure::Broken(format!("{} has no answer to it", path.display())),
            (_, None) => Failure::Broken("it was not run".to_owned()),
            (_, Some(Err(reason))) => Failure::Broken(reason.clone()),
            (Some(expected), Some(Ok(found))) if expected == found => continue,
            (Some(expected), Some(Ok(found))) => Failure::Differs(diff(&expected.lines, &found.lines)),
        };
        failures.insert(case.name.clone(), failure);
    }
    Ok(failures)
}

/// Prints what came of a job and counts.
fn report(job: &Job, verdict: Result<Failures>) -> Totals {
    let all = job.file.cases.len() as u64;
    let totals = match verdict {
        Ok(failures) => {
            for (name, failure) in &failures {
                let (Failure::Differs(reason) | Failure::Broken(reason)) = failure;
                println!("FAILED {}/{name} on {}\n{}", job.family, job.kind, reason.trim_end());
            }
            let failed = failures.len() as u64;
            Totals { passed: all - failed, failed }
        }
        Err(error) => {
            println!("FAILED {}: {error:#}", job.name());
            Totals { passed: 0, failed: all }
        }
    };
    println!("{}: {} passed, {} failed.", job.name(), totals.passed, totals.failed);
    totals
}
