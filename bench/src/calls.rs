//! Calls that do next to nothing: what entering and leaving the kernel costs.

use crate::row::Row;
use crate::sys;

pub(crate) const ROWS: &[Row] = &[
    Row::new("calls/getpid", |bench| bench.each("getpid", sys::getpid)),
    Row::new("calls/getppid", |bench| bench.each("getppid", sys::getppid)),
    Row::new("calls/clock_gettime, library", |bench| {
        bench.each("clock_gettime", sys::clock_gettime_by_library)
    }),
    Row::new("calls/clock_gettime, call", |bench| bench.each("clock_gettime", sys::clock_gettime_by_call)),
];
