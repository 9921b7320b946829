//! Who may look into a process: ptrace(2)'s "access mode checking", for everything that asks the same.

use core::sync::atomic::Ordering;

use linux_abi::cap::CAP_SYS_PTRACE;

use super::credentials::Credentials;
use super::{Process, UserThread};

/// Which of the caller's ids count.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Identity {
    /// Those for files: what is looked at is a file of `/proc` (`PTRACE_MODE_FSCREDS`).
    FileSystem,
    /// The real ones: a system call of its own (`PTRACE_MODE_REALCREDS`).
    Real,
}

/// Whether `caller` may look into `target`, or change it: always its own process; else one of the same user that does
/// not forbid it (`PR_SET_DUMPABLE`) and can do nothing that the caller cannot; any with `CAP_SYS_PTRACE`. A process whose
/// threads have ended can be looked into by nobody.
pub fn may_inspect(caller: &UserThread, target: &Process, identity: Identity) -> bool {
    if caller.process.pid == target.pid {
        return true;
    }
    let (own, Some(theirs)) = (caller.credentials(), target.credentials()) else { return false };
    own.has(CAP_SYS_PTRACE)
        || is_same_user(&own, &theirs, identity)
            && theirs.permitted.is_subset_of(own.permitted)
            && target.is_dumpable.load(Ordering::Relaxed)
}

fn is_same_user(own: &Credentials, theirs: &Credentials, identity: Identity) -> bool {
    let (uid, gid) = match identity {
        Identity::FileSystem => (own.uid.fs, own.gid.fs),
        Identity::Real => (own.uid.real, own.gid.real),
    };
    [theirs.uid.real, theirs.uid.effective, theirs.uid.saved] == [uid; 3]
        && [theirs.gid.real, theirs.gid.effective, theirs.gid.saved] == [gid; 3]
}
