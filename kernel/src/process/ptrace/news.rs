//! What a tracer is told through wait4(2): that a thread stands still, that one has ended.

use alloc::sync::Arc;

use crate::memory::fallible;
use crate::process::signal::send;
use crate::process::wait::{News, Options};
use crate::process::{Pid, Process, Times};

/// The end of a thread that was traced.
pub(super) struct End {
    news: News,
    process: Arc<Process>,
}

/// Tells `tracer` that a thread of `process` that it traced has ended.
pub(in crate::process) fn tell_end(tracer: &Arc<Process>, process: &Arc<Process>, news: News) {
    let mut state = tracer.tracer.lock();
    // The room was made when tracing began: whoever starts to trace makes room for all it traces.
    if fallible::push(&mut state.ended, End { news, process: process.clone() }).is_err() {
        log::warn!("no memory to tell process {} of the end of {}", tracer.pid, news.pid);
    }
    drop(state);
    tell_nothing(tracer, process, news.pid);
    send::notify_of_trap(tracer, &news);
}

/// Lets `tracer` wait no more for the thread `tid` of `process`, which has ended.
pub(in crate::process) fn tell_nothing(tracer: &Process, process: &Process, tid: Pid) {
    tracer.forget_tracee(|thread| {
        let user = thread.user.as_ref();
        let has_ended =
            user.is_some_and(|user| user.process.pid == process.pid && user.traced.with(|_| ()).is_none());
        has_ended && thread.tid() == tid
    });
}

/// What a tracer finds when it looks for news (wait4(2)).
pub(in crate::process) enum Found {
    /// Nothing it traces is wanted.
    Nobody,
    /// Something is, and there is no news.
    Quiet,
    /// News.
    News(News),
}

/// Looks for news of threads that `tracer` traces and `wants`, as `options` say.
pub(in crate::process) fn find_news(
    tracer: &Process,
    wants: impl Fn(Pid, &Process) -> bool,
    options: Options,
) -> Found {
    let mut state = tracer.tracer.lock();
    if let Some(index) =
        state.ended.iter().position(|end| options.exited && wants(end.news.pid, &end.process))
    {
        let news = state.ended[index].news;
        let gone = (!options.keep).then(|| state.ended.remove(index));
        drop(state);
        drop(gone);
        return Found::News(news);
    }
    let mut found = Found::Nobody;
    for thread in &state.tracees {
        let Some(user) = thread.user.as_ref() else { continue };
        if !wants(thread.tid(), &user.process) {
            continue;
        }
        found = Found::Quiet;
        let status = user.traced.with(|tracing| {
            let stop = tracing.stop().filter(|stop| !stop.is_reported)?;
            stop.is_reported = !options.keep;
            Some(stop.status)
        });
        if let Some(status) = status.flatten() {
            let uid = user.credentials().uid.real;
            return Found::News(News { pid: thread.tid(), uid, status, times: Times::default() });
        }
    }
    found
}
