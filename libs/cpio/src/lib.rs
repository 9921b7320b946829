//! Reads initial RAM file systems: cpio archives (newc and crc), plain or compressed by gzip.
//!
//! - [`Archives`] iterates over archives that lie in memory.
//! - [`GzipReader`] decodes one gzip member, piece by piece.
//! - [`initramfs::unpack`] does both as a Linux kernel does at boot, handing entries to a [`Sink`](initramfs::Sink).
//!
//! Every byte is taken for hostile: whatever the input, there is a result, memory use is bounded (45 KiB for a gzip
//! member, a path for an entry cut by the decompressor's pieces) and time is linear in the input and its decompressed
//! size. Nothing here limits that size; a sink does, by an error.
//!
//! Source: cpio(5); `Documentation/driver-api/early-userspace/buffer-format.rst` of Linux; RFC 1952.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod crc32;
mod error;
mod gzip;
mod header;
pub mod initramfs;
mod reader;

pub use error::{CpioError, Problem};
pub use gzip::{GZIP_MAGIC, GzipError, GzipProblem, GzipReader};
pub use header::{HEADER_LEN, Header, PATH_MAX};
pub use reader::{Archives, Entry};
