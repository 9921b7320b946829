//! What is checked before a regular file grows or is written: `RLIMIT_FSIZE`, set-id bits (write(2), setrlimit(2)).
//!
//! A file system calls these, because it alone knows the place of a write at the end of the file, and holds the lock
//! under which that place stays.

use linux_abi::errno::Errno;
use linux_abi::resource::RLIMIT_FSIZE;
use linux_abi::siginfo::SigInfo;
use linux_abi::signal::Signal;
use linux_abi::stat::Mode;

use super::access;
use crate::process::signal::send_to_thread;
use crate::scheduler::Thread;

/// The largest size of a file anywhere.
pub const MAX_FILE_SIZE: u64 = i64::MAX as u64;

/// How many of `len` bytes, not 0, the calling thread may write at `at`: as many as fit.
///
/// # Errors
/// `EFBIG`: none, by `RLIMIT_FSIZE`, which SIGXFSZ tells too, or because no file is as large.
pub fn allowed_len(at: u64, len: usize) -> Result<usize, Errno> {
    let limit = size_limit();
    if at >= limit {
        return Err(exceeded(limit));
    }
    Ok(len.min(usize::try_from(limit - at).unwrap_or(usize::MAX)))
}

/// Checks that the calling thread may let a file grow to `size` bytes.
///
/// # Errors
/// `EFBIG`, as [`allowed_len`].
pub fn check_growth(size: u64) -> Result<(), Errno> {
    let limit = size_limit();
    if size > limit { Err(exceeded(limit)) } else { Ok(()) }
}

/// The permissions that are left of a file's `mode` when the calling thread writes to it; `None` when it loses nothing.
pub fn mode_after_write(mode: Mode) -> Option<u32> {
    let thread = hal::task::try_current::<Thread>()?;
    let user = thread.user.as_ref()?;
    access::after_write(mode, &user.credentials())
}

/// The largest size the calling thread may give a file.
fn size_limit() -> u64 {
    let thread = hal::task::try_current::<Thread>();
    let user = thread.as_ref().and_then(|thread| thread.user.as_ref());
    user.map_or(MAX_FILE_SIZE, |user| user.process.limit(RLIMIT_FSIZE).min(MAX_FILE_SIZE))
}

fn exceeded(limit: u64) -> Errno {
    if limit != MAX_FILE_SIZE
        && let Some(thread) = hal::task::try_current::<Thread>()
        && let Some(user) = &thread.user
    {
        let (pid, uid) = (user.process.pid, user.credentials().uid.real);
        send_to_thread(&thread.arc(), SigInfo::kill(Signal::SIGXFSZ, pid, uid));
    }
    Errno::EFBIG
}
