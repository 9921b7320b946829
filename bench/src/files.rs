//! Files and directories of a tmpfs.

use std::ffi::CStr;
use std::os::fd::{AsRawFd, OwnedFd};

use crate::harness::Bench;
use crate::row::Row;
use crate::sys::{self, Directory, Result, check};

const KIB: usize = 1024;

pub(crate) const ROWS: &[Row] = &[
    Row::new("files/read 1 B of zero", |bench| {
        let zero = device(c"/dev/zero")?;
        let mut buf = [0];
        bench.each("read", || sys::read(zero.as_raw_fd(), &mut buf))
    }),
    Row::new("files/write 1 B to null", |bench| {
        let null = device(c"/dev/null")?;
        bench.each("write", || sys::write(null.as_raw_fd(), &[0]))
    }),
    Row::new("files/pread 1 B", |bench| pread(bench, 1)),
    Row::new("files/pread 4 KiB", |bench| pread(bench, 4 * KIB)).copying(),
    Row::new("files/pread 64 KiB", |bench| pread(bench, 64 * KIB)).copying(),
    Row::new("files/pwrite 1 B", |bench| pwrite(bench, 1)),
    Row::new("files/pwrite 4 KiB", |bench| pwrite(bench, 4 * KIB)).copying(),
    Row::new("files/pwrite 64 KiB", |bench| pwrite(bench, 64 * KIB)).copying(),
    Row::new("files/lseek", |bench| {
        let file = filled(c"file", 4096)?;
        bench.each("lseek", || sys::lseek(file.as_raw_fd(), 100))
    }),
    Row::new("files/open, close", |bench| {
        drop(filled(c"file", 1)?);
        bench.each("open", || open_and_close(c"file", libc::O_RDONLY))
    }),
    Row::new("files/stat", |bench| {
        drop(filled(c"file", 1)?);
        bench.each("stat", || sys::stat(c"file"))
    }),
    Row::new("files/stat, 8 components", |bench| {
        for (depth, path) in DEEP.iter().enumerate() {
            if depth + 1 < DEEP.len() {
                check("mkdir", sys::mkdir(path))?;
            } else {
                drop(filled(path, 1)?);
            }
        }
        bench.each("stat", || sys::stat(DEEP[DEEP.len() - 1]))
    }),
    Row::new("files/stat, no such file", |bench| {
        let expected = -(libc::ENOENT as isize);
        bench.each("stat", || sys::stat(c"missing") - expected)
    }),
    Row::new("files/fstat", |bench| {
        let file = filled(c"file", 1)?;
        bench.each("fstat", || sys::fstat(file.as_raw_fd()))
    }),
    Row::new("files/access", |bench| {
        drop(filled(c"file", 1)?);
        bench.each("access", || sys::access(c"file"))
    }),
    Row::new("files/readlink", |bench| {
        // Failing to make it shows as a failing readlink.
        let _ = std::os::unix::fs::symlink("some/target", "link");
        let mut buf = [0; 64];
        bench.each("readlink", || sys::readlink(c"link", &mut buf))
    }),
    Row::new("files/getcwd", |bench| {
        let mut buf = [0; 256];
        bench.each("getcwd", || sys::getcwd(&mut buf))
    }),
    Row::new("files/dup, close", |bench| {
        let null = device(c"/dev/null")?;
        bench.each("dup", || {
            let copy = sys::dup(null.as_raw_fd());
            if copy < 0 { copy } else { sys::close(copy as i32) }
        })
    }),
    Row::new("files/fcntl", |bench| {
        let null = device(c"/dev/null")?;
        bench.each("fcntl", || sys::get_flags(null.as_raw_fd()))
    }),
    Row::new("files/getdents of 100 files", |bench| {
        for number in 0..100 {
            let name = format!("a file in a directory {number}\0");
            let name = CStr::from_bytes_until_nul(name.as_bytes()).unwrap_or_default();
            drop(sys::create(name)?);
        }
        let mut directory = Directory::open(c".")?;
        bench.each("getdents64", || directory.list())
    }),
    Row::new("files/create, close, unlink", |bench| {
        bench.each("unlink", || {
            let returned = open_and_close(c"new", libc::O_RDWR | libc::O_CREAT | libc::O_EXCL);
            if returned < 0 { returned } else { sys::unlink(c"new") }
        })
    }),
    Row::new("files/rename, and back", |bench| {
        drop(filled(c"file", 1)?);
        bench.each("rename", || sys::rename(c"file", c"other").min(sys::rename(c"other", c"file")))
    }),
    Row::new("files/mkdir, rmdir", |bench| {
        bench.each("mkdir", || sys::mkdir(c"directory").min(sys::rmdir(c"directory")))
    }),
];

/// A path and its parents, each relative to the directory of the row.
const DEEP: [&CStr; 8] = [
    c"one",
    c"one/two",
    c"one/two/three",
    c"one/two/three/four",
    c"one/two/three/four/five",
    c"one/two/three/four/five/six",
    c"one/two/three/four/five/six/seven",
    c"one/two/three/four/five/six/seven/eight",
];

/// Opens a device.
fn device(path: &CStr) -> Result<OwnedFd> {
    sys::create(path)
}

/// Makes a file of so many bytes.
pub(crate) fn filled(path: &CStr, length: usize) -> Result<OwnedFd> {
    let file = sys::create(path)?;
    check("write", sys::write(file.as_raw_fd(), &vec![b'x'; length]))?;
    Ok(file)
}

fn open_and_close(path: &CStr, flags: i32) -> isize {
    let fd = sys::open(path, flags, 0o644);
    if fd < 0 { fd } else { sys::close(fd as i32) }
}

fn pread(bench: &mut Bench, length: usize) -> Result<()> {
    let file = filled(c"file", length)?;
    let mut buf = vec![0; length];
    bench.each("pread64", || sys::pread(file.as_raw_fd(), &mut buf, 0))
}

fn pwrite(bench: &mut Bench, length: usize) -> Result<()> {
    let file = filled(c"file", length)?;
    let buf = vec![b'y'; length];
    bench.each("pwrite64", || sys::pwrite(file.as_raw_fd(), &buf, 0))
}
