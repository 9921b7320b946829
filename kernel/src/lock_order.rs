//! Every lock rank, outermost first. A lock may be taken only while locks of smaller rank are held.
//!
//! Checked at every acquisition in debug builds and host tests; a violation panics and names both. Below 100 are the
//! sleeping locks, from 100 on the spinning ones.

use hal::sync::LockRank;

/// The table of full-frame handlers: read before a handler runs, nothing is held then.
pub const SYSCALL_TABLE: LockRank = LockRank::new(10, "syscall table");
/// Position of an open file: held while the file is read or written.
pub const FILE_POSITION: LockRank = LockRank::nesting(20, "file position");
/// Directories may get another parent.
pub const RENAME: LockRank = LockRank::new(24, "rename");
/// Content of a directory. Several: ancestors first, else by address under `RENAME`.
pub const DIRECTORY_CHANGES: LockRank = LockRank::nesting(26, "directory changes");
/// Contents of a regular file, while they are written.
pub const FILE_CONTENTS: LockRank = LockRank::nesting(30, "file contents");
/// Buffers of a pipe. Several: by address.
pub const PIPE: LockRank = LockRank::nesting(34, "pipe");
/// What waits at a socket to be received.
pub const SOCKET_INBOX: LockRank = LockRank::new(35, "socket inbox");
/// Interests of an epoll instance. Several: in the order of the chain of instances.
pub const EPOLL: LockRank = LockRank::nesting(36, "epoll");
/// Descriptors on their way through sockets: taken out of a socket's inbox with it.
pub const RIGHTS: LockRank = LockRank::new(38, "descriptors in flight");
/// The text of an open file of `/proc`: made under it, so everything the text needs comes after.
pub const PROC_TEXT: LockRank = LockRank::new(40, "proc text");
/// What is typed at a pseudo-terminal's master goes to its slave, in order: the discipline and signals come after.
pub const PTY_INPUT_ORDER: LockRank = LockRank::new(42, "pty input order");
/// Who owns and waits for locks with priority inheritance: their words are changed under it.
pub const FUTEX_LOCKS: LockRank = LockRank::new(44, "futex locks");
/// Mappings and page table of an address space: a page fault may come under any sleeping lock but this one.
pub const ADDRESS_SPACE: LockRank = LockRank::new(90, "address space");
/// The process tree: held while signals are sent to the members of a group.
pub const PROCESS_TREE: LockRank = LockRank::new(100, "process tree");
/// Actions, shared pending signals, stop and exit state of a process.
pub const PROCESS_SIGNALS: LockRank = LockRank::new(110, "process signals");
/// The list of a process's threads: walked while a signal is sent.
pub const PROCESS_THREADS: LockRank = LockRank::new(115, "process threads");
/// Mask and pending signals of a thread.
pub const THREAD_SIGNALS: LockRank = LockRank::new(120, "thread signals");
/// What a process traces.
pub const TRACER: LockRank = LockRank::new(121, "tracer");
/// Who traces a thread, and where it stands.
pub const TRACING: LockRank = LockRank::new(122, "tracing");
/// What the log of system calls is about: held for a copy only.
pub const STRACE: LockRank = LockRank::new(124, "choice of strace");
/// Handles of a process to its parent, address space, limits: held for a copy only.
pub const PROCESS_LINKS: LockRank = LockRank::new(125, "process links");
/// Handles of a thread to files, working directory, credentials: held for a copy only.
pub const THREAD_LINKS: LockRank = LockRank::new(126, "thread links");
/// The slots of `/dev/pts`: a terminal is opened after it is free again.
pub const PTY_TABLE: LockRank = LockRank::new(130, "pty table");
/// Who has a terminal open: the driver is told under it.
pub const TERMINAL_USES: LockRank = LockRank::new(135, "terminal uses");
/// Settings and input queue of a terminal: the device is sent bytes under it.
pub const LINE_DISCIPLINE: LockRank = LockRank::new(140, "line discipline");
/// What waits for the master of a pseudo-terminal, and for its slave.
pub const PTY_OUTPUT: LockRank = LockRank::new(145, "pty output");
/// The table of mounts.
pub const MOUNTS: LockRank = LockRank::new(300, "mounts");
/// Descriptor table of a process.
pub const FILE_TABLE: LockRank = LockRank::new(304, "file table");
/// Root and working directory of a process.
pub const FS_CONTEXT: LockRank = LockRank::new(308, "root and working directory");
/// Parents and names in the tree of dentries.
pub const DENTRY_SHAPE: LockRank = LockRank::new(312, "dentry tree");
/// Names remembered in a directory. Several: parent, then child.
pub const DENTRY_CHILDREN: LockRank = LockRank::nesting(316, "dentry children");
/// Parent and name of a dentry.
pub const DENTRY_LINK: LockRank = LockRank::new(320, "dentry link");
/// Place a mount is attached to.
pub const MOUNT_LINK: LockRank = LockRank::new(324, "mount link");
/// The FIFO behind an inode.
pub const INODE_STATE: LockRank = LockRank::new(328, "inode state");
/// Watches of an inotify instance: one for each inode is made under it.
pub const INOTIFY_WATCHES: LockRank = LockRank::new(329, "inotify watches");
/// Watches of an inode: those that want to hear of an event are told under it.
pub const INODE_WATCHES: LockRank = LockRank::new(330, "watches of an inode");
/// Events of an inotify instance: readers are woken after it.
pub const INOTIFY_QUEUE: LockRank = LockRank::new(331, "inotify events");
/// Advisory locks of a file.
pub const FILE_LOCKS: LockRank = LockRank::new(332, "file locks");
/// Who waits for whose advisory lock.
pub const LOCK_WAITS: LockRank = LockRank::new(336, "file lock waits");
/// Who gets signals about an open file.
pub const FILE_OWNER: LockRank = LockRank::new(340, "file signal owner");
/// Entries of a directory of a memory file system: read out under it.
pub const TMPFS_DIRECTORY: LockRank = LockRank::nesting(344, "tmpfs directory");
/// Attributes of an inode.
pub const ATTRIBUTES: LockRank = LockRank::new(348, "inode attributes");
/// Extended attributes of an inode.
pub const EXTENDED_ATTRIBUTES: LockRank = LockRank::new(352, "extended attributes");
/// Device drivers.
pub const DEVICES: LockRank = LockRank::new(356, "devices");
/// Types of file systems.
pub const FILE_SYSTEM_TYPES: LockRank = LockRank::new(360, "file system types");
/// What a program wants of a file watched by epoll.
pub const EPOLL_WISH: LockRank = LockRank::new(366, "epoll wish");
/// To whom a socket is connected.
pub const SOCKET_PEER: LockRank = LockRank::new(370, "socket peer");
/// Connections that wait to be accepted.
pub const SOCKET_ARRIVALS: LockRank = LockRank::new(372, "socket arrivals");
/// The Unix sockets and their names: looked up with nothing else held.
pub const SOCKET_NAMES: LockRank = LockRank::new(374, "socket names");
/// The System V semaphores and message queues, by id.
pub const SYSV_IDS: LockRank = LockRank::new(470, "System V ids");
/// One System V set of semaphores or message queue.
pub const SYSV_OBJECT: LockRank = LockRank::new(475, "System V object");
/// The interval timers of a process.
pub const PROCESS_TIMERS: LockRank = LockRank::new(480, "process timers");
/// The POSIX timers of a process.
pub const POSIX_TIMERS: LockRank = LockRank::new(485, "POSIX timers");
/// The POSIX timers that count the CPU time of a process.
pub const CPU_WATCH: LockRank = LockRank::new(487, "CPU time watch");
/// A timer behind a descriptor.
pub const TIMER_FD: LockRank = LockRank::new(490, "timerfd");
/// The table of the kernel's threads.
pub const THREADS: LockRank = LockRank::new(500, "threads");
/// A bucket of waiting threads (futex): threads are woken under it. Two: the lower index first.
pub const FUTEX_BUCKET: LockRank = LockRank::nesting(510, "futex bucket");
/// System V shared memory: mappings come and go under it, with their address space locked.
pub const SHARED_SEGMENTS: LockRank = LockRank::new(585, "shared segments");
/// The list of address spaces: held for a look only.
pub const ADDRESS_SPACES: LockRank = LockRank::new(590, "address spaces");
/// The pages of one file: a page fault takes it, so only the allocators come after.
pub const PAGE_CACHE: LockRank = LockRank::new(595, "page cache");
/// What polls a wait queue: told under it, which may wake another wait queue. Nested in the order of the chain of epoll
/// descriptors, which has no cycle.
pub const POLL_LIST: LockRank = LockRank::nesting(600, "poll list");
/// Interests of an epoll instance that may be ready.
pub const EPOLL_READY: LockRank = LockRank::new(605, "epoll ready list");
/// The sleepers of a wait queue: woken under it.
pub const WAIT_QUEUE: LockRank = LockRank::new(610, "wait queue");
/// The sleepers at mutexes whose addresses share a bucket.
pub const PARKING: LockRank = LockRank::new(620, "parking bucket");
/// Handles that interrupt handlers must not drop.
pub const GRAVEYARD: LockRank = LockRank::new(625, "graveyard");
/// Actions of timers that wait for the service thread.
pub const TIMER_DEFERRED: LockRank = LockRank::new(630, "deferred timers");
/// The armed timers of a CPU.
pub const TIMER_QUEUE: LockRank = LockRank::new(640, "timer queue");
/// The run queue of a CPU: the innermost lock of the scheduler.
pub const RUN_QUEUE: LockRank = LockRank::new(650, "run queue");
/// The random number generator.
pub const RANDOM: LockRank = LockRank::new(690, "random");
/// The inotify instances, and how much of it a user has.
pub const INOTIFY_USERS: LockRank = LockRank::new(692, "inotify users");
/// Data with no lock below it but the scheduler's and the allocator's.
pub const LEAF: LockRank = LockRank::new(695, "leaf");
/// The ring of log lines: taken wherever something is worth a line.
pub const KERNEL_LOG: LockRank = LockRank::new(700, "kernel log");
/// The rings of a serial port: taken wherever a line of the log is shown.
pub const SERIAL: LockRank = LockRank::new(710, "serial");
/// Free slots of one size: the heap is used under every lock above.
pub const HEAP: LockRank = LockRank::new(800, "heap");
/// Free frames: the last thing that anybody asks for.
pub const PHYSICAL_MEMORY: LockRank = LockRank::new(810, "physical memory");
