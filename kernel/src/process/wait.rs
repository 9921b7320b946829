//! Waiting for children (wait4(2), waitid(2)).

use alloc::sync::Arc;

use linux_abi::errno::Errno;
use linux_abi::signal::Signal;
use linux_abi::wait;

use super::ptrace::{self, Found};
use super::tree::{self, Tree};
use super::{Pid, Process, Times};

/// Which children a call waits for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Which {
    /// Any child.
    Any,
    /// The child with this id.
    Process(Pid),
    /// The child with this id that was started at this time (nanoseconds since boot), not a later one of the same id.
    Started(Pid, u64),
    /// Any child in this process group.
    Group(Pid),
}

/// What kinds of news a call wants, and how.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Options {
    /// Children that ended.
    pub exited: bool,
    /// Children that were stopped.
    pub stopped: bool,
    /// Children that were continued.
    pub continued: bool,
    /// Leave the news for another call.
    pub keep: bool,
    /// Do not sleep.
    pub poll: bool,
    /// Which children count: those that signal their end with SIGCHLD, the others, or both.
    pub clones: CloneFilter,
}

/// `__WCLONE` and `__WALL`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CloneFilter {
    /// Children whose exit signal is SIGCHLD.
    Ordinary,
    /// Children whose exit signal is another, or none.
    Clones,
    /// Both.
    All,
}

/// News of a child.
#[derive(Clone, Copy, Debug)]
pub struct News {
    /// The child.
    pub pid: Pid,
    /// Its real user.
    pub uid: u32,
    /// Wait status, as wait4(2) stores it.
    pub status: i32,
    /// CPU time of a child that ended, with its own children's; zero otherwise.
    pub times: Times,
}

/// Waits for news of a child of `parent`. `Ok(None)` means that there is none and the call was not to sleep.
///
/// # Errors
/// - `ECHILD`: no child can ever match.
/// - `EINTR`: a signal came first.
pub fn wait_for_child(parent: &Arc<Process>, which: Which, options: Options) -> Result<Option<News>, Errno> {
    let look = || scan(parent, which, options).transpose();
    if options.poll {
        return look().transpose();
    }
    parent.child_event.wait_interruptible(look)?.map(Some)
}

/// Looks for news once. `Err(ECHILD)` when no child matches at all.
fn scan(parent: &Arc<Process>, which: Which, options: Options) -> Result<Option<News>, Errno> {
    let mut tree = tree::lock();
    let mut any = false;
    let mut zombie = None;
    let mut news = None;
    for node in tree.children(parent.pid) {
        let child = &node.process;
        let pid = child.pid;
        if !matches(child, which, options.clones) {
            continue;
        }
        any = true;
        if let Some(record) = node.exit {
            if options.exited {
                zombie = Some(News { pid, uid: record.uid, status: record.status, times: record.times });
                break;
            }
            continue;
        }
        // That a child has stopped which it traces, it is told as its tracer.
        let stopped = options.stopped && !ptrace::traces_leader(parent, child);
        news = job_news(child, Options { stopped, ..options });
        if news.is_some() {
            break;
        }
    }
    if let Some(found) = zombie {
        let gone = if options.keep { None } else { collect(&mut tree, parent, &found) };
        drop(tree);
        drop(gone);
        return Ok(Some(found));
    }
    drop(tree);
    if news.is_some() {
        return Ok(news);
    }
    let wants = |tid, process: &Process| is_wanted_one(tid, process, which);
    match ptrace::find_news(parent, wants, options) {
        Found::News(news) => Ok(Some(news)),
        Found::Quiet => Ok(None),
        Found::Nobody if any => Ok(None),
        Found::Nobody => Err(Errno::ECHILD),
    }
}

fn matches(child: &Process, which: Which, clones: CloneFilter) -> bool {
    let is_ordinary =
        child.exit_signal.load(core::sync::atomic::Ordering::Relaxed) == Signal::SIGCHLD.number() as i32;
    let is_wanted = match clones {
        CloneFilter::Ordinary => is_ordinary,
        CloneFilter::Clones => !is_ordinary,
        CloneFilter::All => true,
    };
    is_wanted && is_wanted_one(child.pid, child, which)
}

/// Whether `which` names the thread `tid` of `process`.
fn is_wanted_one(tid: Pid, process: &Process, which: Which) -> bool {
    match which {
        Which::Any => true,
        Which::Process(pid) => tid == pid,
        Which::Started(pid, at_ns) => tid == pid && process.start_ns == at_ns,
        Which::Group(group) => process.group_id() == group,
    }
}

fn job_news(child: &Process, options: Options) -> Option<News> {
    let mut shared = child.signals.lock();
    let status = if options.stopped
        && let Some(signal) = shared.stop_report
    {
        if !options.keep {
            shared.stop_report = None;
        }
        wait::status_stopped(signal)
    } else if options.continued && shared.continue_report {
        if !options.keep {
            shared.continue_report = false;
        }
        wait::STATUS_CONTINUED
    } else {
        return None;
    };
    drop(shared);
    Some(News { pid: child.pid, uid: child.real_uid(), status, times: Times::default() })
}

/// Removes a zombie and adds its CPU time to the parent's account of children.
fn collect(tree: &mut Tree, parent: &Process, news: &News) -> Option<tree::Node> {
    parent.finished.lock().1.add(&news.times);
    tree.reap(news.pid)
}
