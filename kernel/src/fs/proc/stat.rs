//! `/proc/PID/stat` and `statm`: numbers for programs (proc(5)).

use core::fmt::Write;
use core::sync::atomic::Ordering::Relaxed;

use linux_abi::errno::Errno;
use linux_abi::resource::RLIMIT_RSS;
use linux_abi::signal::SigSet;

use super::process::Subject;
use super::status::{signal_sets, state, usage};
use crate::fs::vfs::text::Text;
use crate::memory::address_space::Body;
use crate::process::{Times, tree};
use crate::scheduler::Thread;

/// Nanoseconds in a tick, the unit of CPU times here (`USER_HZ`).
const NS_PER_TICK: u64 = 10_000_000;

/// `stat`: one line of numbers. Those that betray where things lie in memory are 0 for whoever may not look there.
pub(super) fn stat(subject: &Subject, text: &mut Text) -> Result<(), Errno> {
    let process = &subject.process;
    let thread = subject.thread();
    let thread = thread.as_deref();
    let may_look = subject.check_inspect().is_ok();
    let record = tree::exit_record(process.pid);
    let (times, children) = (times(subject, thread), process.children_times());
    let (tty, foreground) = tree::terminal_of_session(process.session_id())
        .map_or((0, -1), |terminal| (terminal.device(), terminal.foreground_group()));
    let attributes = thread.map(|thread| thread.entity().attributes());
    let nice = attributes.map_or(0, |attributes| i32::from(attributes.nice));
    let rank = attributes.map_or(0, |attributes| i32::from(attributes.real_time_priority));
    let priority = match thread.map_or(0, |thread| i32::from(thread.entity().rank())) {
        0 => 20 + nice,
        running_rank => -1 - running_rank,
    };
    let ticks = |ns: u64| ns / NS_PER_TICK;

    let _ = write!(text, "{} (", subject.tid);
    text.push(&subject.name());
    let _ = write!(
        text,
        ") {} {} {} {} {tty} {foreground} 0 {} {} {} {} {} {} {} {} {priority} {nice} {} 0 {} ",
        state(subject).0,
        process.parent_pid(),
        process.group_id(),
        process.session_id(),
        times.minor_faults,
        children.minor_faults,
        times.major_faults,
        children.major_faults,
        ticks(times.user_ns),
        ticks(times.system_ns),
        ticks(children.user_ns),
        ticks(children.system_ns),
        subject.thread_count(),
        ticks(process.start_ns),
    );

    let usage = usage(subject);
    let layout = subject.with_space(Body::image).filter(|_| may_look).unwrap_or_default();
    let (code, data, heap, stack) = layout;
    let _ = write!(
        text,
        "{} {} {} {} {} {stack} 0 0 ",
        usage.total * hal::PAGE_SIZE,
        usage.resident(),
        process.limit(RLIMIT_RSS),
        code.start,
        code.end,
    );
    let (pending, blocked) = signal_sets(thread);
    let (ignored, caught) = process.signals.lock().actions.ignored_and_caught();
    // Only the first signals fit; whoever wants all reads `status`.
    let low = |set: SigSet| set.0 & 0x7fff_ffff;
    let _ = write!(
        text,
        "{} {} {} {} 0 0 0 {} {} {rank} {} 0 0 0 ",
        low(pending),
        low(blocked),
        low(ignored),
        low(caught),
        process.exit_signal.load(Relaxed),
        thread.map_or(0, Thread::cpu),
        attributes.map_or(0, |attributes| attributes.policy as u32),
    );
    let image = process.image();
    let (arguments, environment) =
        if may_look { (image.arguments, image.environment) } else { Default::default() };
    let _ = writeln!(
        text,
        "{} {} {} {} {} {} {} {}",
        data.start,
        data.end,
        heap.start,
        arguments.0,
        arguments.1,
        environment.0,
        environment.1,
        record.filter(|_| may_look).map_or(0, |record| record.status),
    );
    Ok(())
}

/// What the process, or a thread looked at in its own directory, has used so far.
fn times(subject: &Subject, thread: Option<&Thread>) -> Times {
    match thread {
        Some(thread) if subject.in_task => Times::of(thread),
        _ => tree::exit_record(subject.process.pid)
            .map_or_else(|| subject.process.times(), |record| record.times),
    }
}

/// `statm`: sizes in pages.
pub(super) fn statm(subject: &Subject, text: &mut Text) -> Result<(), Errno> {
    let usage = usage(subject);
    let code = subject.with_space(|space| space.image().0).unwrap_or_default();
    let _ = writeln!(
        text,
        "{} {} {} {} 0 {} 0",
        usage.total,
        usage.resident(),
        usage.file + usage.shared,
        code.len().div_ceil(hal::PAGE_SIZE),
        usage.data + usage.stack,
    );
    Ok(())
}
