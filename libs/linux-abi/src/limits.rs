//! Limits that programs can meet.

/// Bytes in a path given to a system call, the closing zero included.
pub const PATH_MAX: usize = 4096;
/// Bytes in one component of a path.
pub const NAME_MAX: usize = 255;
/// Symbolic links followed in one look-up before `ELOOP`.
pub const MAX_SYMLINKS: usize = 40;
/// Bytes that one write to a pipe puts there in one piece.
pub const PIPE_BUF: usize = 4096;
/// Bytes in one argument or environment string of `execve`, the closing zero included.
pub const MAX_ARG_STRLEN: usize = 131_072;
/// Strings in the argument list, and in the environment, of `execve`.
pub const MAX_ARG_STRINGS: usize = 0x7fff_ffff;
/// Bytes of arguments and environment that are allowed whatever the stack limit says.
pub const ARG_MAX: usize = 131_072;
/// Bytes that one read or write moves at most (`MAX_RW_COUNT`).
pub const MAX_RW_COUNT: usize = 0x7fff_f000;
/// Vectors in one `readv` or `writev`.
pub const UIO_MAXIOV: usize = 1024;
/// Vectors copied without an allocation by Linux; a good size for a stack buffer.
pub const UIO_FASTIOV: usize = 8;
/// Supplementary groups of a process.
pub const NGROUPS_MAX: usize = 65_536;
/// Hard links to one file where the file system knows no smaller limit.
pub const LINK_MAX: u32 = 127;
/// Bytes in the name of a thread (`comm`), the closing zero included.
pub const TASK_COMM_LEN: usize = 16;
/// Bytes in the name of an extended attribute.
pub const XATTR_NAME_MAX: usize = 255;
/// Bytes in the value of an extended attribute.
pub const XATTR_SIZE_MAX: usize = 65_536;
/// Bytes in the list of names of extended attributes.
pub const XATTR_LIST_MAX: usize = 65_536;
/// Default soft limit on open files.
pub const NR_OPEN_DEFAULT: u64 = 1024;
/// Default hard limit on open files of process 1.
pub const NR_OPEN_HARD: u64 = 4096;
/// Ceiling of the limit on open files (`fs.nr_open`).
pub const NR_OPEN_MAX: u64 = 1_048_576;
/// Process ids are below this number by default.
pub const PID_MAX_DEFAULT: i32 = 32_768;
/// Process ids are below this number always.
pub const PID_MAX_LIMIT: i32 = 4_194_304;
/// Default size of the main stack, bytes (soft limit).
pub const STACK_LIMIT: u64 = 8 << 20;
/// End of the user part of the address space: one page below 2^47.
pub const TASK_SIZE: u64 = 0x7fff_ffff_f000;
/// Lowest address `mmap` maps for an unprivileged process (`vm.mmap_min_addr`).
pub const MMAP_MIN_ADDR: u64 = 65_536;
/// Mappings of one address space (`vm.max_map_count`).
pub const MAX_MAP_COUNT: usize = 65_530;
/// Clock ticks per second that user space sees (`USER_HZ`, `AT_CLKTCK`).
pub const USER_HZ: u64 = 100;
