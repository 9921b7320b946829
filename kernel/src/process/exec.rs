//! Loading a program into the calling process (execve(2)).
//!
//! Everything that can fail is done on a new address space beside the old one; [`commit`] is the point of no return,
//! after which nothing fails. On Linux that point lies before the segments are mapped: a program whose segments cannot be
//! ends the caller. Here the caller would still be there, but must not notice (see [`Failure`]).

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::Ordering;

use hal::task::UserRegs;
use linux_abi::errno::Errno;
use linux_abi::personality::{ADDR_NO_RANDOMIZE, PER_CLEAR_ON_SETID};
use linux_abi::resource::RLIMIT_STACK;
use linux_abi::signal::Signal;
use linux_abi::wait;

use super::credentials::Credentials;
use super::{Image, Process, exit, ptrace, tree, watch};
use crate::fs::vfs::{Base, Caller, MountOptions, OpenFile, Path};
use crate::memory::address_space::AddressSpace;
use crate::scheduler::Thread;
use crate::syscall::Context;

mod loader;
mod script;
mod stack;
mod strings;
pub mod vdso;

use loader::Program;
pub use strings::Strings;

/// Interpreters (`#!`) may name interpreters, this deep.
const MAX_SCRIPT_DEPTH: usize = 5;
/// Bytes of the file that decide its format (`BINPRM_BUF_SIZE`).
const HEAD_LEN: usize = 256;

/// A program loaded beside the running one, ready to take its place.
pub struct Prepared {
    /// Its address space, stack included.
    pub space: Arc<AddressSpace>,
    /// The registers it starts with.
    pub regs: UserRegs,
    /// Its credentials.
    pub credentials: Credentials,
    /// Whether it runs with more privilege than its caller (`AT_SECURE`).
    pub is_secure: bool,
    /// Whether others of its user may look into it.
    pub is_dumpable: bool,
    /// Its personality(2).
    pub personality: u64,
    /// Its name for `/proc/PID/comm`.
    pub comm: Vec<u8>,
    /// What `/proc` shows of it.
    pub image: Image,
}

/// What a program is called.
pub struct Name {
    /// As the caller gave it, or the place under `/dev/fd` of the descriptor that names it (for `AT_EXECFN`, scripts).
    pub path: Vec<u8>,
    /// Whether the program itself will not find it under this name, because the descriptor is closed on execve.
    pub is_inaccessible: bool,
}

/// Why a program was not started.
#[derive(Clone, Copy, Debug)]
pub enum Failure {
    /// It is refused; the caller goes on.
    Refused(Errno),
    /// It is one that is run, and cannot be: the caller is gone by then and ends with SIGSEGV.
    Broken(Errno),
}

impl From<Errno> for Failure {
    fn from(errno: Errno) -> Self {
        Self::Refused(errno)
    }
}

impl Failure {
    /// The cause.
    pub fn errno(self) -> Errno {
        match self {
            Self::Refused(errno) | Self::Broken(errno) => errno,
        }
    }
}

/// Loads the program `file` names, following `#!` lines, without touching the caller.
///
/// `name` is what it was called, `file` what that led to; `process` lends its limits.
///
/// # Errors
/// - `ENOEXEC`: neither ELF nor a script. `ELOOP`: scripts nested too deep. `ELIBBAD`: a bad interpreter.
/// - `EACCES`: not executable, or on a `noexec` mount. `ENOENT`: the file or its interpreter is missing.
/// - `E2BIG`: arguments and environment exceed a quarter of the stack limit. `ENOMEM`: no memory.
pub fn prepare(
    caller: &Caller<'_>,
    process: &Process,
    name: &Name,
    file: Arc<OpenFile>,
    mut arguments: Strings,
    environment: Strings,
) -> Result<Prepared, Failure> {
    if arguments.is_empty() {
        arguments.push(b"")?;
    }
    check_string_space(process, &arguments, &environment)?;
    let path = &name.path;
    let comm = path.rsplit(|&byte| byte == b'/').next().unwrap_or(path).to_vec();
    let (executable, head) = follow_scripts(caller, name, file, &mut arguments)?;
    check_string_space(process, &arguments, &environment)?;
    let open = |interpreter: &[u8]| caller.open_program(Base::WorkingDirectory, interpreter, true);
    let program = Program::open(executable.clone(), &head, open)?;

    let (set_uid, set_gid) = set_id_owner(&executable.place());
    let (credentials, is_secure) = caller.credentials.after_exec(set_uid, set_gid);
    // Who cannot read a program must not get at it through its process.
    let is_dumpable = credentials.has_own_ids() && program.files().all(|file| caller.may_read(file));
    let mut personality = process.personality.load(Ordering::Relaxed);
    if set_uid.is_some() || set_gid.is_some() {
        personality &= !u64::from(PER_CLEAR_ON_SETID);
    }
    let is_fixed = personality & u64::from(ADDR_NO_RANDOMIZE) != 0;
    let space = if is_fixed { AddressSpace::new_fixed()? } else { AddressSpace::new()? };
    process.pass_limits(&space);
    let loaded = program.map(&space, is_fixed).map_err(Failure::Broken)?;
    let contents = stack::Contents {
        loaded: &loaded,
        path,
        arguments: &arguments,
        environment: &environment,
        credentials: &credentials,
        is_secure,
    };
    let start = stack::build(&space, process.limit(RLIMIT_STACK), &contents).map_err(Failure::Broken)?;
    let image = Image {
        executable: Some(executable),
        arguments: start.arguments,
        environment: start.environment,
        auxv: start.auxv,
    };
    let regs = UserRegs::start(loaded.entry, start.stack_pointer);
    Ok(Prepared { space, regs, credentials, is_secure, is_dumpable, personality, comm, image })
}

/// Goes from a script to its interpreter until that is none, putting the arguments in front that each adds. Answers the
/// file to be run and its first bytes.
fn follow_scripts(
    caller: &Caller<'_>,
    name: &Name,
    mut executable: Arc<OpenFile>,
    arguments: &mut Strings,
) -> Result<(Arc<OpenFile>, Vec<u8>), Errno> {
    let mut path = name.path.clone();
    for depth in 0.. {
        let head = loader::read_head(&executable)?;
        let Some(line) = script::parse(&head) else { return Ok((executable, head)) };
        let (interpreter, option) = line?;
        if name.is_inaccessible {
            return Err(Errno::ENOENT);
        }
        if interpreter.is_empty() {
            // Linux takes the empty name for the working directory, which is no program.
            return Err(Errno::EACCES);
        }
        if depth == MAX_SCRIPT_DEPTH {
            break;
        }
        arguments.drop_first();
        arguments.push_front(path);
        if let Some(option) = option {
            arguments.push_front(option);
        }
        arguments.push_front(interpreter.clone());
        executable = caller.open_program(Base::WorkingDirectory, &interpreter, true)?;
        path = interpreter;
    }
    Err(Errno::ELOOP)
}

/// Replaces the program of the calling process by the one `file` names. A program that is broken ends the process.
///
/// # Errors
/// Those of [`prepare`]; `EAGAIN`: another thread of the process is at it already.
pub fn exec(
    cx: &Context,
    regs: &mut UserRegs,
    name: &Name,
    file: Arc<OpenFile>,
    arguments: Strings,
    environment: Strings,
) -> Result<(), Errno> {
    let (fs, credentials) = (cx.fs(), cx.credentials());
    let caller = Caller { fs: &fs, credentials: &credentials };
    let prepared = match prepare(&caller, cx.process(), name, file, arguments, environment) {
        Ok(prepared) => prepared,
        Err(Failure::Refused(errno)) => return Err(errno),
        Err(Failure::Broken(errno)) => {
            exit::begin_group_exit(cx.process(), wait::status_killed(Signal::SIGSEGV, false));
            return Err(errno);
        }
    };
    let start = prepared.regs;
    commit(cx, prepared)?;
    *regs = start;
    Ok(())
}

/// Most bytes of argument and environment strings: a quarter of the stack limit, between 128 KiB and 6 MiB.
pub fn string_limit(process: &Process) -> usize {
    (process.limit(RLIMIT_STACK) / 4).clamp(128 << 10, 6 << 20) as usize
}

fn check_string_space(process: &Process, arguments: &Strings, environment: &Strings) -> Result<(), Errno> {
    let space = arguments.space() + environment.space();
    if space > string_limit(process) { Err(Errno::E2BIG) } else { Ok(()) }
}

/// The user and group a program at `place` runs as by its set-id bits; a mount can forbid them.
fn set_id_owner(place: &Path) -> (Option<u32>, Option<u32>) {
    const SET_UID: u32 = 0o4000;
    const SET_GID_EXECUTABLE: u32 = 0o2010;

    if place.mount.options().contains(MountOptions::NO_SUID) {
        return (None, None);
    }
    let file = place.inode().ownership();
    let permissions = file.mode.permissions();
    let uid = (permissions & SET_UID != 0).then_some(file.uid);
    let gid = (permissions & SET_GID_EXECUTABLE == SET_GID_EXECUTABLE).then_some(file.gid);
    (uid, gid)
}

/// The point of no return: ends the process's other threads and gives it the new address space, credentials and name.
///
/// # Errors
/// `EAGAIN`: another thread of the process is in execve, or the process is ending. `ENOMEM`. The program is the old one
/// then.
fn commit(cx: &Context, prepared: Prepared) -> Result<(), Errno> {
    let Prepared { space, credentials, is_secure, is_dumpable, personality, comm, image, .. } = prepared;
    let process = cx.process();
    let thread = cx.thread();
    end_other_threads(process, thread)?;
    let user = cx.user();
    // A table shared with another process (CLONE_FILES) stays as it is for that one.
    let files = user.files();
    let files = if Arc::strong_count(&files) > 2 { files.duplicate()? } else { files };

    exit::release_user_memory(thread, user, false);
    user.rseq.forget(thread);
    process.barriers.store(0, Ordering::Relaxed);
    let old_image = process.image();
    thread.task.set_space(Some(space.space()));
    let old_space = process.set_address_space(Some(space));
    if let Some(space) = &old_space {
        process.note_peak_of(space);
    }
    process.set_image(image);
    exit::release_vfork_parent(process);
    drop((old_space, old_image));

    thread.set_name(&comm);
    watch::selection::consider(thread);
    hal::task::reset_fpu_current();
    thread.task.set_fs_base(0)?;
    thread.task.set_gs_base(0)?;
    user.set_credentials(credentials);
    process.is_dumpable.store(is_dumpable, Ordering::Relaxed);
    process.personality.store(personality, Ordering::Relaxed);
    process.has_execed.store(true, Ordering::Relaxed);
    process.exit_signal.store(Signal::SIGCHLD.number() as i32, Ordering::Relaxed);
    if is_secure {
        process.parent_death_signal.store(0, Ordering::Relaxed);
    }
    process.signals.lock().actions.after_exec();
    user.signals.lock().alternate_stack =
        linux_abi::signal::StackT { ss_flags: linux_abi::signal::SS_DISABLE, ..Default::default() };
    process.timers.after_exec(process);
    files.remove_close_on_exec(drop);
    drop(user.set_files(files));
    Ok(())
}

/// Ends every thread of the process but the caller, and gives the caller the process's id as its own.
fn end_other_threads(process: &Arc<Process>, thread: &Thread) -> Result<(), Errno> {
    if process.thread_count() == 1 {
        return Ok(());
    }
    {
        let mut shared = process.signals.lock();
        if shared.exec_running || shared.group_exit.is_some() {
            return Err(Errno::EAGAIN);
        }
        shared.exec_running = true;
    }
    process.for_each_thread(|other| {
        if other.tid() != thread.tid() {
            exit::end_thread(other);
        }
    });
    let alone = process.thread_event.wait_killable(|| (process.thread_count() == 1).then_some(()));
    process.signals.lock().exec_running = false;
    alone?;
    if thread.tid() != process.pid {
        let old = thread.tid();
        thread.set_tid(process.pid);
        let ended_leader = tree::lock().rename_thread(old, process.pid);
        drop(ended_leader);
        if let Some(tracer) = process.take_leader_tracer() {
            ptrace::tell_nothing(&tracer, process, process.pid);
        }
        process.set_remains(None);
    }
    Ok(())
}
