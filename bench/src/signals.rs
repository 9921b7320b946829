//! Signals.

use crate::row::Row;
use crate::sys::{self, Error};

pub(crate) const ROWS: &[Row] = &[
    Row::new("signals/install", |bench| bench.each("rt_sigaction", sys::install_default)),
    Row::new("signals/send, handle, return", |bench| {
        sys::count_signals()?;
        let pid = sys::getpid();
        let before = sys::signals_counted();
        let mut sent = 0;
        bench.each("kill", || {
            sent += 1;
            sys::send_to_self(pid)
        })?;
        let is_complete = sys::signals_counted() - before == sent;
        if is_complete { Ok(()) } else { Err(Error { call: "signal delivery", errno: libc::EIO }) }
    }),
    Row::new("signals/sigprocmask", |bench| bench.each("rt_sigprocmask", sys::block_and_query_mask)),
    Row::new("signals/itimer, set and stop", |bench| bench.each("setitimer", sys::set_alarm_and_stop_it)),
];
