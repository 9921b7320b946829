//! The texts about a process: `stat`, `status`, `maps` and the like (proc(5)).

use alloc::string::String;
use core::fmt::Write;
use core::ops::Range;
use core::sync::atomic::Ordering::Relaxed;

use linux_abi::errno::Errno;
use linux_abi::resource::Rlimit64;
use linux_abi::signal::SigSet;

use super::process::{Subject, write_mounts};
use crate::memory::address_space::Usage;
use crate::process::tree;
use crate::scheduler::Thread;
use crate::scheduler::thread::state::State;

/// Nanoseconds in a tick, the unit of CPU times here (`USER_HZ`).
const NS_PER_TICK: u64 = 10_000_000;
const KIB: usize = 1024;

/// The state of a process as one letter and a word.
fn state(subject: &Subject, thread: Option<&Thread>) -> (char, &'static str) {
    if subject.process.signals.lock().stopped_by.is_some() {
        return ('T', "stopped");
    }
    match thread {
        None => ('Z', "zombie"),
        Some(thread) if thread.state() == State::RUNNABLE => ('R', "running"),
        Some(thread) if thread.state() == State::UNINTERRUPTIBLE => ('D', "disk sleep"),
        Some(_) => ('S', "sleeping"),
    }
}

fn name_of(subject: &Subject, thread: Option<&Thread>) -> String {
    match thread {
        Some(thread) => String::from_utf8_lossy(thread.name().as_bytes()).into_owned(),
        None => String::from_utf8_lossy(&subject.process.last_name()).into_owned(),
    }
}

fn usage(subject: &Subject) -> Usage {
    subject.process.try_address_space().map_or_else(Usage::default, |space| space.usage())
}

/// Where the parts of the program lie.
#[derive(Default)]
struct Layout {
    code: Range<usize>,
    data: Range<usize>,
    heap: Range<usize>,
    stack: usize,
}

fn layout(subject: &Subject) -> Layout {
    subject.process.try_address_space().map_or_else(Layout::default, |space| {
        let (code, data, heap, stack) = space.image();
        Layout { code, data, heap, stack }
    })
}

/// `stat`: one line of numbers.
pub(super) fn stat(subject: &Subject, text: &mut String) -> Result<(), Errno> {
    let process = &subject.process;
    let thread = subject.thread();
    let thread = thread.as_deref();
    let usage = usage(subject);
    let record = tree::exit_record(process.pid);
    let times = record.map_or_else(|| process.times(), |record| record.times);
    let children = process.children_times();
    let ticks = |ns: u64| ns / NS_PER_TICK;
    let (tty, foreground) = tree::terminal_of_session(process.session_id())
        .map_or((0, -1), |terminal| (terminal.device(), terminal.foreground_group()));
    let (pending, blocked) = signal_sets(thread);
    let (ignored, caught) = process.signals.lock().actions.ignored_and_caught();
    let (nice, priority) = thread.map_or((0, 20), |thread| {
        let nice = i32::from(thread.entity().attributes().nice);
        (nice, 20 + nice)
    });
    let image = process.image();
    let layout = layout(subject);
    let low = |set: SigSet| set.0 & 0x7fff_ffff;
    // Writing to a string cannot fail.
    let _ = write!(
        text,
        "{} ({}) {} {} {} {} {tty} {foreground} 0 {} 0 {} 0 {} {} {} {} {priority} {nice} {} 0 {} {} {} {} ",
        subject.tid,
        name_of(subject, thread),
        state(subject, thread).0,
        process.parent_pid(),
        process.group_id(),
        process.session_id(),
        times.minor_faults,
        times.major_faults,
        ticks(times.user_ns),
        ticks(times.system_ns),
        ticks(children.user_ns),
        ticks(children.system_ns),
        process.thread_count(),
        ticks(process.start_ns),
        usage.total * hal::PAGE_SIZE,
        usage.resident(),
        process.limit(linux_abi::resource::RLIMIT_RSS),
    );
    let _ = write!(
        text,
        "{} {} {} 0 0 {} {} {} {} 0 0 0 {} {} 0 0 0 0 0 ",
        layout.code.start,
        layout.code.end,
        layout.stack,
        low(pending),
        low(blocked),
        low(ignored),
        low(caught),
        process.exit_signal.load(Relaxed),
        thread.map_or(0, Thread::cpu),
    );
    let _ = writeln!(
        text,
        "{} {} {} {} {} {} {} {}",
        layout.data.start,
        layout.data.end,
        layout.heap.start,
        image.arguments.0,
        image.arguments.1,
        image.environment.0,
        image.environment.1,
        record.map_or(0, |record| record.status),
    );
    Ok(())
}

fn signal_sets(thread: Option<&Thread>) -> (SigSet, SigSet) {
    let own = thread.and_then(|thread| thread.user.as_ref()).map(|user| {
        let own = user.signals.lock();
        (own.pending.set(), own.blocked)
    });
    own.unwrap_or_default()
}

/// `statm`: sizes in pages.
pub(super) fn statm(subject: &Subject, text: &mut String) -> Result<(), Errno> {
    let usage = usage(subject);
    let code = layout(subject).code;
    let code_pages = (code.end - code.start).div_ceil(hal::PAGE_SIZE);
    let _ = writeln!(
        text,
        "{} {} {} {code_pages} 0 {} 0",
        usage.total,
        usage.resident(),
        usage.file + usage.shared,
        usage.data + usage.stack,
    );
    Ok(())
}

/// `status`: for people.
pub(super) fn status(subject: &Subject, text: &mut String) -> Result<(), Errno> {
    let process = &subject.process;
    let thread = subject.thread();
    let thread = thread.as_deref();
    let (letter, word) = state(subject, thread);
    let credentials = thread
        .and_then(|thread| thread.user.as_ref())
        .map(|user| (user.credentials(), user.fs(), user.files()));
    let _ = writeln!(text, "Name:\t{}", name_of(subject, thread));
    if let Some((_, fs, _)) = &credentials {
        let _ = writeln!(text, "Umask:\t{:04o}", fs.umask());
    }
    let _ = writeln!(text, "State:\t{letter} ({word})\nTgid:\t{}\nNgid:\t0", process.pid);
    let _ = writeln!(text, "Pid:\t{}\nPPid:\t{}\nTracerPid:\t0", subject.tid, process.parent_pid());
    if let Some((credentials, _, files)) = &credentials {
        for (name, ids) in [("Uid", &credentials.uid), ("Gid", &credentials.gid)] {
            let _ = writeln!(text, "{name}:\t{}\t{}\t{}\t{}", ids.real, ids.effective, ids.saved, ids.fs);
        }
        let _ = write!(text, "FDSize:\t{}\nGroups:\t", files.capacity());
        for group in credentials.groups.iter() {
            let _ = write!(text, "{group} ");
        }
        let _ = writeln!(text);
    }
    let _ = writeln!(text, "NStgid:\t{}\nNSpid:\t{}", process.pid, subject.tid);
    let _ = writeln!(text, "NSpgid:\t{}\nNSsid:\t{}", process.group_id(), process.session_id());
    if process.try_address_space().is_some() {
        memory_lines(subject, text);
    }
    let _ = writeln!(text, "Threads:\t{}", process.thread_count());
    let (pending, blocked) = signal_sets(thread);
    let (shared, queued, (ignored, caught)) = {
        let shared = process.signals.lock();
        (shared.pending.set(), shared.pending.len(), shared.actions.ignored_and_caught())
    };
    let _ = writeln!(text, "SigQ:\t{queued}/{}", process.limit(linux_abi::resource::RLIMIT_SIGPENDING));
    let sets = [
        ("SigPnd", pending),
        ("ShdPnd", shared),
        ("SigBlk", blocked),
        ("SigIgn", ignored),
        ("SigCgt", caught),
    ];
    for (name, set) in sets {
        let _ = writeln!(text, "{name}:\t{:016x}", set.0);
    }
    if let Some((credentials, _, _)) = &credentials {
        let sets = [
            ("CapInh", credentials.inheritable),
            ("CapPrm", credentials.permitted),
            ("CapEff", credentials.effective),
            ("CapBnd", credentials.bounding),
            ("CapAmb", credentials.ambient),
        ];
        for (name, set) in sets {
            let _ = writeln!(text, "{name}:\t{:016x}", set.0);
        }
        let _ = writeln!(text, "NoNewPrivs:\t{}\nSeccomp:\t0", u8::from(credentials.no_new_privs));
    }
    if let Some(thread) = thread {
        let cpus = hal::cpu::count();
        let mask = thread.entity().affinity() & (u64::MAX >> (64 - cpus.clamp(1, 64)));
        let _ = writeln!(text, "Cpus_allowed:\t{mask:x}\nCpus_allowed_list:\t{}", cpu_list(mask));
        let _ = writeln!(text, "Mems_allowed:\t1\nMems_allowed_list:\t0");
        let (voluntary, involuntary) = thread.switches();
        let _ = writeln!(
            text,
            "voluntary_ctxt_switches:\t{voluntary}\nnonvoluntary_ctxt_switches:\t{involuntary}"
        );
    }
    Ok(())
}

fn memory_lines(subject: &Subject, text: &mut String) {
    let usage = usage(subject);
    let page_kib = hal::PAGE_SIZE / KIB;
    let code = layout(subject).code;
    let code_kib = (code.end - code.start).div_ceil(KIB);
    let rows = [
        ("VmPeak", usage.peak_total * page_kib),
        ("VmSize", usage.total * page_kib),
        ("VmLck", usage.locked * page_kib),
        ("VmPin", 0),
        ("VmHWM", usage.peak_resident * page_kib),
        ("VmRSS", usage.resident() * page_kib),
        ("RssAnon", usage.anonymous * page_kib),
        ("RssFile", usage.file * page_kib),
        ("RssShmem", usage.shared * page_kib),
        ("VmData", usage.data * page_kib),
        ("VmStk", usage.stack * page_kib),
        ("VmExe", code_kib),
        ("VmLib", (usage.exec * page_kib).saturating_sub(code_kib)),
        ("VmSwap", 0),
    ];
    for (name, kib) in rows {
        let _ = writeln!(text, "{name}:\t{kib:>8} kB");
    }
}

/// A CPU mask as a list: `0-3,5`.
fn cpu_list(mask: u64) -> String {
    let mut list = String::new();
    let mut cpu = 0;
    while cpu < 64 {
        if mask & 1 << cpu == 0 {
            cpu += 1;
            continue;
        }
        let start = cpu;
        while cpu < 64 && mask & 1 << cpu != 0 {
            cpu += 1;
        }
        let comma = if list.is_empty() { "" } else { "," };
        let _ = match cpu - start {
            1 => write!(list, "{comma}{start}"),
            _ => write!(list, "{comma}{start}-{}", cpu - 1),
        };
    }
    list
}

/// `cmdline`: the arguments, each with its NUL; empty for a zombie.
pub(super) fn cmdline(subject: &Subject, text: &mut String) -> Result<(), Errno> {
    let (start, end) = subject.process.image().arguments;
    memory_text(subject, start, end, text)
}

/// `environ`: the environment the program started with.
pub(super) fn environ(subject: &Subject, text: &mut String) -> Result<(), Errno> {
    subject.check_inspect()?;
    let (start, end) = subject.process.image().environment;
    memory_text(subject, start, end, text)
}

/// Bytes of the process's memory; a text of `/proc` is made of characters, so other bytes become U+FFFD.
fn memory_text(subject: &Subject, start: usize, end: usize, text: &mut String) -> Result<(), Errno> {
    const MAX: usize = 256 * KIB;

    let Some(space) = subject.process.try_address_space() else { return Ok(()) };
    let mut bytes = alloc::vec![0; end.saturating_sub(start).min(MAX)];
    if space.read_remote(start, &mut bytes).is_ok() {
        text.push_str(&String::from_utf8_lossy(&bytes));
    }
    Ok(())
}

/// `auxv`: the auxiliary vector. Its bytes are not text; those above 0x7f are kept as they are by the reader.
pub(super) fn auxv(subject: &Subject, text: &mut String) -> Result<(), Errno> {
    subject.check_inspect()?;
    text.push_str(&String::from_utf8_lossy(&subject.process.image().auxv));
    Ok(())
}

/// `maps`: the mappings.
pub(super) fn maps(subject: &Subject, text: &mut String) -> Result<(), Errno> {
    subject.check_inspect()?;
    let Some(space) = subject.process.try_address_space() else { return Ok(()) };
    text.push_str(&String::from_utf8_lossy(&space.maps_text()));
    Ok(())
}

/// `smaps`: the mappings, with what is resident of each.
pub(super) fn smaps(subject: &Subject, text: &mut String) -> Result<(), Errno> {
    subject.check_inspect()?;
    let Some(space) = subject.process.try_address_space() else { return Ok(()) };
    for mapping in space.mappings() {
        let mut line = alloc::vec::Vec::new();
        mapping.write_line(&mut line);
        text.push_str(&String::from_utf8_lossy(&line));
        let page_kib = hal::PAGE_SIZE / KIB;
        let rows = [
            ("Size", mapping.range.len() / KIB),
            ("KernelPageSize", page_kib),
            ("MMUPageSize", page_kib),
            ("Rss", mapping.resident_pages * page_kib),
            ("Anonymous", mapping.anonymous_pages * page_kib),
        ];
        for (name, kib) in rows {
            let name = alloc::format!("{name}:");
            let _ = writeln!(text, "{name:<16}{kib:>8} kB");
        }
    }
    Ok(())
}

/// `mounts`.
pub(super) fn mounts(subject: &Subject, text: &mut String) -> Result<(), Errno> {
    write_mounts(subject, text, false)
}

/// `mountinfo`.
pub(super) fn mountinfo(subject: &Subject, text: &mut String) -> Result<(), Errno> {
    write_mounts(subject, text, true)
}

/// `cgroup`: there are no control groups but the root one.
pub(super) fn cgroup(_subject: &Subject, text: &mut String) -> Result<(), Errno> {
    text.push_str("0::/\n");
    Ok(())
}

/// `limits`: the resource limits as a table.
pub(super) fn limits(subject: &Subject, text: &mut String) -> Result<(), Errno> {
    const ROWS: [(&str, &str); 16] = [
        ("Max cpu time", "seconds"),
        ("Max file size", "bytes"),
        ("Max data size", "bytes"),
        ("Max stack size", "bytes"),
        ("Max core file size", "bytes"),
        ("Max resident set", "bytes"),
        ("Max processes", "processes"),
        ("Max open files", "files"),
        ("Max locked memory", "bytes"),
        ("Max address space", "bytes"),
        ("Max file locks", "locks"),
        ("Max pending signals", "signals"),
        ("Max msgqueue size", "bytes"),
        ("Max nice priority", ""),
        ("Max realtime priority", ""),
        ("Max realtime timeout", "us"),
    ];
    let show =
        |value: u64| if value == u64::MAX { String::from("unlimited") } else { alloc::format!("{value}") };
    let _ = writeln!(text, "{:<26}{:<21}{:<21}{:<10}", "Limit", "Soft Limit", "Hard Limit", "Units");
    for (which, (name, unit)) in (0..).zip(ROWS) {
        let limit = subject.process.with_limits(|limits| limits.get(which)).unwrap_or(Rlimit64::UNLIMITED);
        let _ =
            writeln!(text, "{name:<26}{:<21}{:<21}{unit:<10}", show(limit.rlim_cur), show(limit.rlim_max));
    }
    Ok(())
}

/// `oom_score`: the share of memory in thousandths, adjusted.
pub(super) fn oom_score(subject: &Subject, text: &mut String) -> Result<(), Errno> {
    let total = crate::memory::physical::buddy_allocator::total_bytes() / hal::PAGE_SIZE;
    let share = (usage(subject).resident() * 1000 / total.max(1)) as i64;
    let adjusted = (share + i64::from(subject.process.oom_score_adj.load(Relaxed))).clamp(0, 2000);
    let _ = writeln!(text, "{adjusted}");
    Ok(())
}

/// `personality`.
pub(super) fn personality(subject: &Subject, text: &mut String) -> Result<(), Errno> {
    let _ = writeln!(text, "{:08x}", subject.process.personality.load(Relaxed));
    Ok(())
}

/// `sched`: what the scheduler thinks of the thread.
pub(super) fn sched(subject: &Subject, text: &mut String) -> Result<(), Errno> {
    let thread = subject.thread().ok_or(Errno::ESRCH)?;
    let (voluntary, involuntary) = thread.switches();
    let name = String::from_utf8_lossy(thread.name().as_bytes()).into_owned();
    let _ = writeln!(text, "{name} ({}, #threads: {})", subject.tid, subject.process.thread_count());
    let _ = writeln!(text, "{:<45}:{:>20}", "exo.queue", alloc::format!("{:?}", thread.entity().heat()));
    let _ = writeln!(text, "{:<45}:{:>20}", "exo.ema_ns", thread.entity().ema_ns());
    let _ = writeln!(text, "{:<45}:{:>20}", "se.sum_exec_runtime_ns", thread.cpu_time_ns());
    let _ = writeln!(text, "{:<45}:{:>20}", "nr_switches", voluntary + involuntary);
    let _ = writeln!(text, "{:<45}:{:>20}", "nr_voluntary_switches", voluntary);
    let _ = writeln!(text, "{:<45}:{:>20}", "nr_involuntary_switches", involuntary);
    Ok(())
}

/// `schedstat`: time on a CPU; waiting time is not measured and shows 0; times it was switched to.
pub(super) fn schedstat(subject: &Subject, text: &mut String) -> Result<(), Errno> {
    let thread = subject.thread().ok_or(Errno::ESRCH)?;
    let (voluntary, involuntary) = thread.switches();
    let _ = writeln!(text, "{} 0 {}", thread.cpu_time_ns(), voluntary + involuntary);
    Ok(())
}

/// `wchan`: where a thread sleeps is not told.
pub(super) fn wchan(_subject: &Subject, text: &mut String) -> Result<(), Errno> {
    text.push('0');
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_become_lists() {
        assert_eq!(cpu_list(0b1), "0");
        assert_eq!(cpu_list(0b1111), "0-3");
        assert_eq!(cpu_list(0b10_1101), "0,2-3,5");
        assert_eq!(cpu_list(u64::MAX), "0-63");
        assert_eq!(cpu_list(0), "");
    }
}
