//! Every lock rank, outermost first. A lock may be taken only while locks of smaller rank are held.
//!
//! Checked at every acquisition in debug builds and host tests; a violation panics and names both. Below 100 are the
//! sleeping locks, from 100 on the spinning ones.

use hal::sync::LockRank;

/// The table of full-frame handlers: read before a handler runs, nothing is held then.
pub const SYSCALL_TABLE: LockRank = LockRank::new(10, "syscall table");
/// The text of an open file of `/proc`: made under it, so everything the text needs comes after.
pub const PROC_TEXT: LockRank = LockRank::new(40, "proc text");
/// One write to a terminal at a time: the discipline and the driver come after.
pub const TERMINAL_WRITE: LockRank = LockRank::new(42, "terminal write");
/// The process tree: held while signals are sent to the members of a group.
pub const PROCESS_TREE: LockRank = LockRank::new(100, "process tree");
/// Actions, shared pending signals, stop and exit state of a process.
pub const PROCESS_SIGNALS: LockRank = LockRank::new(110, "process signals");
/// The list of a process's threads: walked while a signal is sent.
pub const PROCESS_THREADS: LockRank = LockRank::new(115, "process threads");
/// Mask and pending signals of a thread.
pub const THREAD_SIGNALS: LockRank = LockRank::new(120, "thread signals");
/// Handles of a process to its parent, address space, limits: held for a copy only.
pub const PROCESS_LINKS: LockRank = LockRank::new(125, "process links");
/// Handles of a thread to files, working directory, credentials: held for a copy only.
pub const THREAD_LINKS: LockRank = LockRank::new(126, "thread links");
/// The slots of `/dev/pts`: a terminal is opened after it is free again.
pub const PTY_TABLE: LockRank = LockRank::new(130, "pty table");
/// Settings and input queue of a terminal.
pub const LINE_DISCIPLINE: LockRank = LockRank::new(140, "line discipline");
/// What waits for the master of a pseudo-terminal.
pub const PTY_OUTPUT: LockRank = LockRank::new(145, "pty output");
/// The rings of a serial port.
pub const SERIAL: LockRank = LockRank::new(680, "serial");
/// The random number generator.
pub const RANDOM: LockRank = LockRank::new(690, "random");
/// Data with no lock below it but the scheduler's and the allocator's.
pub const LEAF: LockRank = LockRank::new(695, "leaf");
/// The ring of log lines: taken wherever something is worth a line.
pub const KERNEL_LOG: LockRank = LockRank::new(700, "kernel log");
