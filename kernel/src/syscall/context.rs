//! Who makes the call: the current thread and what hangs off it.

use alloc::sync::Arc;

use hal::task::Current;

use super::SyscallError;
use crate::fs::vfs::{FileTable, FsContext, OpenFile};
use crate::memory::address_space::AddressSpace;
use crate::process::credentials::Credentials;
use crate::process::{Process, UserThread};
use crate::scheduler::{self, Thread};

/// The caller of a system call. Exists only while a user thread is in the kernel.
pub struct Context {
    thread: Current<Thread>,
}

impl Context {
    /// The context of the running thread.
    ///
    /// # Panics
    /// When the running thread has no user half, which no path from user mode can bring about.
    pub fn current() -> Self {
        let thread = scheduler::current();
        assert!(thread.user.is_some(), "a kernel thread made a system call");
        Self { thread }
    }

    /// The calling thread.
    pub fn thread(&self) -> &Thread {
        &self.thread
    }

    /// A shared handle on the calling thread.
    pub fn thread_arc(&self) -> Arc<Thread> {
        self.thread.arc()
    }

    /// The calling thread's user half.
    pub fn user(&self) -> &UserThread {
        self.thread.user.as_ref().expect("checked when the context was made")
    }

    /// The calling process (thread group).
    pub fn process(&self) -> &Arc<Process> {
        &self.user().process
    }

    /// The descriptor table the caller uses.
    pub fn files(&self) -> Arc<FileTable> {
        self.user().files()
    }

    /// The open file behind a descriptor of the caller, to be used for more than its place.
    ///
    /// # Errors
    /// `EBADF`: not open, or opened with `O_PATH`.
    #[inline]
    pub fn open_file(&self, fd: i32) -> Result<Arc<OpenFile>, SyscallError> {
        self.user().open_file(fd)
    }

    /// The caller's root, working directory and umask.
    pub fn fs(&self) -> Arc<FsContext> {
        self.user().fs()
    }

    /// The caller's address space.
    pub fn address_space(&self) -> Arc<AddressSpace> {
        self.process().address_space()
    }

    /// The caller's user and group ids, supplementary groups and capabilities.
    pub fn credentials(&self) -> Arc<Credentials> {
        self.user().credentials()
    }
}
