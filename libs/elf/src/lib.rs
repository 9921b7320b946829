//! A bounds-checked reader for ELF64 executables on x86-64: what `execve` must know to load one; and a writer of small
//! shared objects, [`SharedObject`], for the one that the kernel maps into programs itself, and of the smallest executable,
//! [`executable_headers`].
//!
//! Pure: the caller reads the file and maps memory; this crate says which bytes to read and what to map.
//!
//! 1. Read [`HEADER_SIZE`] bytes; [`Header::parse`].
//! 2. Read [`Header::table_range`]; [`ProgramHeaders::new`].
//! 3. [`ProgramHeaders::interpreter`], [`ProgramHeaders::stack`].
//! 4. [`Layout::new`] checks all segments; choose the load bias of a [`Kind::Relocatable`] file by its span and
//!    alignment.
//! 5. Map each of [`ProgramHeaders::load_segments`] at its addresses plus the bias.
//!
//! The checks are Linux's (`binfmt_elf`), and the errors carry its errno. Nothing here allocates, panics or loops
//! longer than the table, whatever the bytes are. Files are little-endian and so is the machine: this crate does not
//! compile for a big-endian one.
//!
//! Source: System V ABI, chapters 4 and 5; AMD64 supplement; elf(5).
#![no_std]
#![forbid(unsafe_code)]

#[cfg(target_endian = "big")]
compile_error!("fields are read in the machine's byte order, which must be little-endian");

mod error;
mod executable;
mod header;
mod load;
mod program;
mod shared_object;

pub use error::ElfError;
pub use executable::{EXECUTABLE_HEADERS_SIZE, executable_headers};
pub use header::{HEADER_SIZE, Header, Kind, MAX_TABLE_SIZE};
pub use load::{Layout, LoadSegment, PAGE_SIZE};
pub use program::{
    PATH_MAX, PF_R, PF_W, PF_X, PROGRAM_HEADER_SIZE, PT_DYNAMIC, PT_GNU_PROPERTY, PT_GNU_RELRO, PT_GNU_STACK,
    PT_INTERP, PT_LOAD, PT_NOTE, PT_PHDR, PT_TLS, ProgramHeader, ProgramHeaders, Stack, interpreter_path,
};
pub use shared_object::{Function, SharedObject, TooLarge};
