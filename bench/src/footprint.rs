//! Memory of the machine that an object takes, all included: the kernel's own and, for processes and threads, the few
//! pages of theirs that they touch.

use std::ffi::CStr;
use std::os::fd::OwnedFd;

use crate::files;
use crate::harness::Bench;
use crate::row::Row;
use crate::sys::{self, Mapping, Result};

pub(crate) const ROWS: &[Row] = &[
    Row::new("footprint/idle process", |bench| {
        bench.bytes_each(400, |count| many(count, |_| sys::fork(|| sys::pause())))
    }),
    Row::new("footprint/idle thread", |bench| {
        bench.bytes_each(400, |count| {
            many(count, |_| {
                let thread = std::thread::Builder::new().stack_size(16384).spawn(|| sys::pause());
                thread.map(|_| ()).map_err(|error| sys::Error {
                    call: "clone",
                    errno: error.raw_os_error().unwrap_or(libc::EIO),
                })
            })
        })
    }),
    Row::new("footprint/pipe", |bench| objects(bench, 8000, |_| sys::pipe())),
    Row::new("footprint/pair of Unix sockets", |bench| objects(bench, 8000, |_| sys::socketpair())),
    Row::new("footprint/eventfd", |bench| objects(bench, 16_000, |_| sys::eventfd())),
    Row::new("footprint/open file", |bench| {
        drop(files::filled(c"file", 1)?);
        objects(bench, 16_000, |_| sys::create(c"file"))
    }),
    Row::new("footprint/empty file", |bench| {
        bench.bytes_each(8000, |count| many(count, |number| empty_file(count, number)))
    }),
    Row::new("footprint/touched page", |bench| {
        bench.bytes_each(16_384, |count| {
            let pages = usize::try_from(count).unwrap_or(0);
            let mut mapping = Mapping::anonymous(pages)?;
            mapping.write_pages(pages);
            Ok(mapping)
        })
    }),
    Row::new("footprint/mapping", |bench| {
        bench.bytes_each(8000, |count| {
            // Every other one is read-only, so that neighbours do not become one.
            many(count, |number| {
                let mut mapping = Mapping::anonymous(1)?;
                sys::check("mprotect", if number % 2 == 0 { mapping.protect(false) } else { 0 })?;
                Ok(mapping)
            })
        })
    }),
];

/// Makes `count` objects.
fn many<T>(count: u64, make: impl FnMut(u64) -> Result<T>) -> Result<Vec<T>> {
    (0..count).map(make).collect()
}

/// Measures objects that descriptors stand for.
fn objects<T>(bench: &mut Bench, count: u64, mut make: impl FnMut(u64) -> Result<T>) -> Result<()> {
    sys::raise_descriptor_limit(3 * count)?;
    // The table of descriptors grows first: it belongs to none of them.
    let holder: OwnedFd = sys::eventfd().or_else(|_| sys::create(c"holder"))?;
    let most = 3 * count - 1;
    sys::check("dup3", sys::dup_to(&holder, i32::try_from(most).unwrap_or(i32::MAX)))?;
    bench.bytes_each(count, |count| many(count, &mut make))
}

/// Makes a file without content and closes it.
fn empty_file(set: u64, number: u64) -> Result<()> {
    let name = format!("{set}.{number}\0");
    sys::create(CStr::from_bytes_until_nul(name.as_bytes()).unwrap_or_default()).map(drop)
}
