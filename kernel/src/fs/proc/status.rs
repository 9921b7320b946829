//! The texts about a process that people read: `status`, `limits` and the like (proc(5)).

use alloc::string::String;
use core::fmt::Write;
use core::sync::atomic::Ordering::Relaxed;

use linux_abi::errno::Errno;
use linux_abi::resource::{RLIMIT_SIGPENDING, Rlimit64};
use linux_abi::signal::SigSet;

use super::process::Subject;
use crate::fs::vfs::text::Text;
use crate::memory::address_space::{Body, Usage};
use crate::process::ptrace;
use crate::scheduler::Thread;
use crate::scheduler::thread::state::State;

const KIB: usize = 1024;

/// The state of a process or thread as one letter and a word.
pub(super) fn state(subject: &Subject) -> (char, &'static str) {
    match subject.thread() {
        None => ('Z', "zombie"),
        Some(thread) if ptrace::is_stopped(&thread) => ('t', "tracing stop"),
        Some(_) if subject.process.signals.lock().stopped_by.is_some() => ('T', "stopped"),
        Some(thread) if thread.state() == State::RUNNABLE => ('R', "running"),
        Some(thread) if thread.state() == State::UNINTERRUPTIBLE => ('D', "disk sleep"),
        Some(_) => ('S', "sleeping"),
    }
}

/// The memory the process uses; none once it has ended.
pub(super) fn usage(subject: &Subject) -> Usage {
    subject.with_space(Body::usage).unwrap_or_default()
}

/// Signals pending for a thread alone, and those it does not take now.
pub(super) fn signal_sets(thread: Option<&Thread>) -> (SigSet, SigSet) {
    let own = thread.and_then(|thread| thread.user.as_ref()).map(|user| {
        let own = user.signals.lock();
        (own.pending.set(), own.blocked)
    });
    own.unwrap_or_default()
}

/// `status`: for people.
pub(super) fn status(subject: &Subject, text: &mut Text) -> Result<(), Errno> {
    let process = &subject.process;
    let thread = subject.thread();
    let thread = thread.as_deref();
    let (letter, word) = state(subject);
    let credentials = thread
        .and_then(|thread| thread.user.as_ref())
        .map(|user| (user.credentials(), user.fs(), user.files()));
    text.push(b"Name:\t");
    push_name(&subject.name(), text);
    if let Some((_, fs, _)) = &credentials {
        let _ = writeln!(text, "Umask:\t{:04o}", fs.umask());
    }
    let _ = writeln!(text, "State:\t{letter} ({word})\nTgid:\t{}\nNgid:\t0", process.pid);
    let tracer = thread.map_or(0, ptrace::tracer_of);
    let _ = writeln!(text, "Pid:\t{}\nPPid:\t{}\nTracerPid:\t{tracer}", subject.tid, process.parent_pid());
    if let Some((credentials, _, files)) = &credentials {
        for (name, ids) in [("Uid", &credentials.uid), ("Gid", &credentials.gid)] {
            let _ = writeln!(text, "{name}:\t{}\t{}\t{}\t{}", ids.real, ids.effective, ids.saved, ids.fs);
        }
        let _ = write!(text, "FDSize:\t{}\nGroups:\t", files.capacity());
        for (index, group) in credentials.groups.iter().enumerate() {
            let _ = write!(text, "{}{group}", if index == 0 { "" } else { " " });
        }
        text.push(b" \n");
    }
    let _ = writeln!(text, "NStgid:\t{}\nNSpid:\t{}", process.pid, subject.tid);
    let _ = writeln!(text, "NSpgid:\t{}\nNSsid:\t{}", process.group_id(), process.session_id());
    if subject.with_space(|_| ()).is_some() {
        memory_lines(subject, text);
    }
    let _ = writeln!(text, "Threads:\t{}", subject.thread_count());
    let (pending, blocked) = signal_sets(thread);
    let (shared, queued, (ignored, caught)) = {
        let shared = process.signals.lock();
        (shared.pending.set(), shared.pending.len(), shared.actions.ignored_and_caught())
    };
    let _ = writeln!(text, "SigQ:\t{queued}/{}", process.limit(RLIMIT_SIGPENDING));
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
        let confinement =
            thread.and_then(|thread| Some(thread.user.as_ref()?.confinement())).unwrap_or_default();
        let _ = writeln!(
            text,
            "NoNewPrivs:\t{}\nSeccomp:\t{}\nSeccomp_filters:\t{}",
            u8::from(credentials.no_new_privs),
            confinement.mode,
            confinement.filters()
        );
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

/// Adds the line with a name in it: a line end in the name must not look like one of the text.
fn push_name(name: &[u8], text: &mut Text) {
    for &byte in name {
        match byte {
            b'\n' => text.push(b"\\n"),
            b'\\' => text.push(b"\\\\"),
            _ => text.push(&[byte]),
        }
    }
    text.push(b"\n");
}

fn memory_lines(subject: &Subject, text: &mut Text) {
    let usage = usage(subject);
    let tables = subject.with_space(Body::table_pages).unwrap_or_default();
    let page_kib = hal::PAGE_SIZE / KIB;
    let code = subject.with_space(|space| space.image().0).unwrap_or_default();
    let code_kib = code.len().div_ceil(KIB);
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
        ("VmPTE", tables * page_kib),
        ("VmSwap", 0),
        ("HugetlbPages", 0),
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

/// `cgroup`: there are no control groups but the root one.
pub(super) fn cgroup(_subject: &Subject, text: &mut Text) -> Result<(), Errno> {
    text.push(b"0::/\n");
    Ok(())
}

/// `limits`: the resource limits as a table.
pub(super) fn limits(subject: &Subject, text: &mut Text) -> Result<(), Errno> {
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
pub(super) fn oom_score(subject: &Subject, text: &mut Text) -> Result<(), Errno> {
    let total = crate::memory::physical::buddy_allocator::total_bytes() / hal::PAGE_SIZE;
    let share = (usage(subject).resident() * 1000 / total.max(1)) as i64;
    let adjusted = (share + i64::from(subject.process.oom_score_adj.load(Relaxed))).clamp(0, 2000);
    let _ = writeln!(text, "{adjusted}");
    Ok(())
}

/// `personality`.
pub(super) fn personality(subject: &Subject, text: &mut Text) -> Result<(), Errno> {
    subject.check_inspect()?;
    let _ = writeln!(text, "{:08x}", subject.process.personality.load(Relaxed));
    Ok(())
}

/// `sched`: what the scheduler thinks of the thread.
pub(super) fn sched(subject: &Subject, text: &mut Text) -> Result<(), Errno> {
    let thread = subject.thread().ok_or(Errno::ESRCH)?;
    let (voluntary, involuntary) = thread.switches();
    text.push(&subject.name());
    let _ = writeln!(text, " ({}, #threads: {})", subject.tid, subject.thread_count());
    let _ = writeln!(text, "{:-<67}", "");
    let entity = thread.entity();
    let milliseconds = [
        ("se.exec_start", entity.last_ran_ns_by(hal::time::now_ns)),
        ("se.vruntime", entity.virtual_ns()),
        ("se.sum_exec_runtime", thread.cpu_time_ns()),
        ("exo.sum_wait", entity.wait_ns_by(hal::time::now_ns)),
        ("exo.ema", entity.ema_ns()),
    ];
    for (name, ns) in milliseconds {
        let _ = writeln!(text, "{name:<45}:{:>14}.{:06}", ns / 1_000_000, ns % 1_000_000);
    }
    let queue = match entity.rank() {
        0 => alloc::format!("{:?}", entity.heat_by(hal::time::now_ns)),
        rank => alloc::format!("Realtime {rank}"),
    };
    let _ = writeln!(text, "{:<45}:{queue:>21}", "exo.queue");
    let attributes = entity.attributes();
    let priority = match entity.rank() {
        0 => 120 + i64::from(attributes.nice),
        rank => 99 - i64::from(rank),
    };
    let rows = [
        ("se.nr_migrations", entity.migrations().cast_signed()),
        ("nr_switches", (voluntary + involuntary).cast_signed()),
        ("nr_voluntary_switches", voluntary.cast_signed()),
        ("nr_involuntary_switches", involuntary.cast_signed()),
        ("se.load.weight", i64::from(entity.weight()) << 10),
        ("policy", attributes.policy as i64),
        ("prio", priority),
    ];
    for (name, value) in rows {
        let _ = writeln!(text, "{name:<45}:{value:>21}");
    }
    Ok(())
}

/// `schedstat`: time on a CPU, time waiting for one, times it was switched to.
pub(super) fn schedstat(subject: &Subject, text: &mut Text) -> Result<(), Errno> {
    let Some(thread) = subject.thread() else {
        text.push(b"0 0 0\n");
        return Ok(());
    };
    let (voluntary, involuntary) = thread.switches();
    let times = voluntary + involuntary + u64::from(thread.task.is_on_cpu());
    let wait_ns = thread.entity().wait_ns_by(hal::time::now_ns);
    let _ = writeln!(text, "{} {wait_ns} {times}", thread.cpu_time_ns());
    Ok(())
}

/// `wchan`: where a thread sleeps is not told.
pub(super) fn wchan(_subject: &Subject, text: &mut Text) -> Result<(), Errno> {
    text.push(b"0");
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

    #[test]
    fn a_name_stays_on_its_line() {
        let mut text = Text::new();
        push_name(b"a\nb\\", &mut text);
        assert_eq!(text.as_bytes(), b"a\\nb\\\\\n");
    }
}
