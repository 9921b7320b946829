//! Calls on processes.

use std::arch::asm;
use std::ffi::CStr;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::ptr;

use super::{Error, Result, check, check_library, syscall0, syscall1, syscall2, syscall4};

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// It exited with a status.
    Exited(i32),
    /// A signal killed it.
    Killed(i32),
}

/// A child process; killed and waited for on drop.
pub(crate) struct Child(Option<libc::pid_t>);

impl Child {
    /// Waits until it ends. `EINTR`: a signal came first.
    pub(crate) fn wait(&mut self) -> Result<End> {
        let Some(pid) = self.0 else { return Err(Error { call: "wait4", errno: libc::ECHILD }) };
        let mut status = 0;
        check("wait4", wait(pid, &mut status))?;
        self.0 = None;
        Ok(if libc::WIFEXITED(status) {
            End::Exited(libc::WEXITSTATUS(status))
        } else {
            End::Killed(libc::WTERMSIG(status))
        })
    }

    /// Returns its process id, 0 if it has been waited for.
    pub(crate) fn id(&self) -> libc::pid_t {
        self.0.unwrap_or(0)
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if let Some(pid) = self.0.take() {
            // SAFETY: the process is a child of ours, not yet waited for.
            unsafe { libc::kill(pid, libc::SIGKILL) };
            let mut status = 0;
            while wait(pid, &mut status) == -(libc::EINTR as isize) {}
        }
    }
}

#[inline(always)]
fn wait(pid: libc::pid_t, status: &mut i32) -> isize {
    // SAFETY: the kernel writes one number, which is there.
    unsafe { syscall4(libc::SYS_wait4, pid as usize, ptr::from_mut(status) as usize, 0, 0) }
}

/// Starts this program again with its arguments in a process whose addresses are not random; returns if they are not.
pub(crate) fn begin_again_at_fixed_addresses() -> Result<()> {
    const ASK: libc::c_ulong = 0xffff_ffff;
    // SAFETY: takes and returns numbers, no memory is involved.
    let now = check_library("personality", unsafe { libc::personality(ASK) })?;
    let fixed = libc::ADDR_NO_RANDOMIZE as usize;
    if now & fixed != 0 {
        return Ok(());
    }
    let wanted = (now | fixed) as libc::c_ulong;
    // SAFETY: as above; what changes does so at the next execve.
    check_library("personality", unsafe { libc::personality(wanted) })?;
    let error = Command::new("/proc/self/exe").args(std::env::args_os().skip(1)).exec();
    Err(Error { call: "execve", errno: error.raw_os_error().unwrap_or(libc::EIO) })
}

/// Starts a child that runs a function and ends with what it returns.
///
/// Called while this process has one thread.
pub(crate) fn fork(main: impl FnOnce() -> i32) -> Result<Child> {
    // SAFETY: with one thread the child is a whole copy of this process.
    let pid = unsafe { libc::fork() };
    if check_library("fork", pid)? == 0 {
        let status = main();
        // SAFETY: ends the child without the parent's exit handlers.
        unsafe { libc::_exit(status) };
    }
    Ok(Child(Some(pid)))
}

/// fork(2) of a child that exits at once, and the wait for it.
#[inline(always)]
pub(crate) fn fork_and_exit() -> isize {
    // SAFETY: the child makes one more call, which ends it.
    let pid = unsafe { syscall0(libc::SYS_fork) };
    if pid == 0 {
        // SAFETY: ends the process.
        unsafe { syscall1(libc::SYS_exit_group, 0) };
    }
    let mut status = 0;
    if pid < 0 { pid } else { wait(pid as libc::pid_t, &mut status) }
}

/// vfork(2) of a child that becomes a program without arguments and environment, and the wait for it.
#[inline(always)]
pub(crate) fn exec_with_vfork(program: &CStr) -> isize {
    let arguments = [program.as_ptr(), ptr::null()];
    let nothing = [ptr::null::<u8>()];
    let pid: isize;
    // SAFETY: the child shares this memory, changes registers only, and leaves by execve or exit_group within this
    // block; the parent goes on when it has. The arrays live until then.
    unsafe {
        asm!(
            "syscall",
            "test rax, rax",
            "jnz 2f",
            "mov eax, 59", // execve
            "syscall",
            "mov edi, 127",
            "mov eax, 231", // exit_group
            "syscall",
            "2:",
            inlateout("rax") libc::SYS_vfork as isize => pid,
            in("rdi") program.as_ptr(),
            in("rsi") arguments.as_ptr(),
            in("rdx") nothing.as_ptr(),
            lateout("rcx") _,
            lateout("r11") _,
            options(nostack),
        );
    }
    let mut status = 0;
    if pid < 0 {
        return pid;
    }
    let waited = wait(pid as libc::pid_t, &mut status);
    if waited >= 0 && status != 0 { -(libc::ENOEXEC as isize) } else { waited }
}

/// posix_spawn(3) of a program with up to two arguments, and the wait for it.
pub(crate) fn spawn(program: &CStr, arguments: [Option<&CStr>; 2]) -> isize {
    let text = |word: Option<&CStr>| word.map_or(ptr::null_mut(), |word| word.as_ptr().cast_mut());
    let argv = [text(Some(program)), text(arguments[0]), text(arguments[1]), ptr::null_mut()];
    let environment = [ptr::null_mut()];
    let mut pid = 0;
    // SAFETY: strings end in zeros, arrays in null pointers, and all live during the call.
    let error = unsafe {
        libc::posix_spawn(
            &raw mut pid,
            program.as_ptr(),
            ptr::null(),
            ptr::null(),
            argv.as_ptr(),
            environment.as_ptr(),
        )
    };
    if error != 0 {
        return -(error as isize);
    }
    let mut status = 0;
    let waited = wait(pid, &mut status);
    if waited >= 0 && status != 0 { -(libc::ENOEXEC as isize) } else { waited }
}

/// getpid(2).
#[inline(always)]
pub(crate) fn getpid() -> isize {
    // SAFETY: touches no memory.
    unsafe { syscall0(libc::SYS_getpid) }
}

/// getppid(2).
#[inline(always)]
pub(crate) fn getppid() -> isize {
    // SAFETY: touches no memory.
    unsafe { syscall0(libc::SYS_getppid) }
}

/// sched_yield(2).
#[inline(always)]
pub(crate) fn sched_yield() -> isize {
    // SAFETY: touches no memory.
    unsafe { syscall0(libc::SYS_sched_yield) }
}

/// Makes this process the leader of a process group of its own.
pub(crate) fn new_group() -> Result<()> {
    // SAFETY: touches no memory.
    check("setpgid", unsafe { syscall2(libc::SYS_setpgid, 0, 0) }).map(|_| ())
}

/// Kills the processes of a group, if there are any.
pub(crate) fn kill_group(group: libc::pid_t) {
    if group > 1 {
        // SAFETY: touches no memory; 1 would mean every process.
        unsafe { libc::kill(-group, libc::SIGKILL) };
    }
}

/// Waits until a signal ends this process.
pub(crate) fn pause() -> ! {
    loop {
        // SAFETY: touches no memory.
        unsafe { syscall0(libc::SYS_pause) };
    }
}

/// Allows this process `count` descriptors.
pub(crate) fn raise_descriptor_limit(count: u64) -> Result<()> {
    let limit = libc::rlimit { rlim_cur: count, rlim_max: count };
    // SAFETY: reads one structure, which is there.
    check_library("setrlimit", unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) }).map(|_| ())
}
