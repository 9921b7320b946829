//! Asking which of many descriptors is ready: event counters, of which the last one is.

use std::os::fd::{AsRawFd, OwnedFd};

use crate::harness::Bench;
use crate::row::Row;
use crate::sys::{self, Epoll, PollSet, Result, SelectSet, check};

pub(crate) const ROWS: &[Row] = &[
    Row::new("polling/select 10", |bench| select(bench, 10)),
    Row::new("polling/select 100", |bench| select(bench, 100)),
    Row::new("polling/select 1000", |bench| select(bench, 1000)),
    Row::new("polling/poll 10", |bench| poll(bench, 10)),
    Row::new("polling/poll 100", |bench| poll(bench, 100)),
    Row::new("polling/poll 1000", |bench| poll(bench, 1000)),
    Row::new("polling/epoll 10", |bench| epoll(bench, 10)),
    Row::new("polling/epoll 100", |bench| epoll(bench, 100)),
    Row::new("polling/epoll 1000", |bench| epoll(bench, 1000)),
];

/// Makes counters, of which only the last one can be read.
fn counters(count: usize) -> Result<Vec<OwnedFd>> {
    sys::raise_descriptor_limit(2048)?;
    let counters = (0..count).map(|_| sys::eventfd()).collect::<Result<Vec<_>>>()?;
    if let Some(last) = counters.last() {
        check("write", sys::write(last.as_raw_fd(), &1u64.to_ne_bytes()))?;
    }
    Ok(counters)
}

/// Turns "one is ready" into success and everything else into an error.
fn one_ready(returned: isize) -> isize {
    if returned == 1 || returned < 0 { returned } else { -(libc::EIO as isize) }
}

fn select(bench: &mut Bench, count: usize) -> Result<()> {
    let counters = counters(count)?;
    let Some(set) = SelectSet::new(&counters) else {
        return check("select", -(libc::EBADF as isize)).map(|_| ());
    };
    bench.each("select", || one_ready(set.select()))
}

fn poll(bench: &mut Bench, count: usize) -> Result<()> {
    let counters = counters(count)?;
    let mut set = PollSet::new(&counters);
    bench.each("poll", || one_ready(set.poll()))
}

fn epoll(bench: &mut Bench, count: usize) -> Result<()> {
    let counters = counters(count)?;
    let mut set = Epoll::new(&counters)?;
    bench.each("epoll_wait", || one_ready(set.wait()))
}
