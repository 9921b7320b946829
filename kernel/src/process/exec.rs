//! Loading a program into the calling process (execve(2)).
//!
//! Everything that can fail is done on a new address space beside the old one; [`commit`] is the point of no return,
//! after which nothing fails.
//!
//! The stack a program starts with, from the stack pointer upwards (System V ABI, x86-64 supplement, 3.4.1):
//! ```text
//! argc | argv[0..argc] | NULL | envp[..] | NULL | auxv pairs | padding | platform, random bytes, strings, path
//! ```

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::Ordering;

use hal::PAGE_SIZE;
use hal::task::UserRegs;
use hal::user::UserPtr;
use linux_abi::auxv;
use linux_abi::errno::Errno;
use linux_abi::limits::MAX_ARG_STRLEN;
use linux_abi::resource::RLIMIT_STACK;

use super::credentials::Credentials;
use super::{Image, Process, exit, signal, tree};
use crate::fs::vfs::{Base, Caller, MountOptions, OpenFile, Path};
use crate::memory::address_space::AddressSpace;
use crate::random;
use crate::scheduler::Thread;
use crate::syscall::Context;

mod loader;
mod script;
pub mod vdso;

use loader::Loaded;

/// Interpreters (`#!`) may name interpreters, this deep.
const MAX_SCRIPT_DEPTH: usize = 5;
/// Bytes of the file that decide its format (`BINPRM_BUF_SIZE`).
const HEAD_LEN: usize = 256;

/// Argument or environment strings, each without its NUL.
pub type Strings = Vec<Vec<u8>>;

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
    /// Its name for `/proc/PID/comm`.
    pub comm: Vec<u8>,
    /// What `/proc` shows of it.
    pub image: Image,
}

/// Loads the program `file` names, following `#!` lines, without touching the caller.
///
/// `path` is the name as the caller gave it (for `AT_EXECFN` and scripts), `file` what it led to; `process` lends its
/// limits.
///
/// # Errors
/// - `ENOEXEC`: neither ELF nor a script. `ELOOP`: scripts nested too deep.
/// - `EACCES`: not executable, or on a `noexec` mount. `ENOENT`: the file or its interpreter is missing.
/// - `E2BIG`: arguments and environment exceed a quarter of the stack limit. `ENOMEM`: no memory.
pub fn prepare(
    caller: &Caller<'_>,
    process: &Process,
    path: &[u8],
    file: Arc<OpenFile>,
    arguments: Strings,
    environment: Strings,
) -> Result<Prepared, Errno> {
    let mut arguments = arguments;
    if arguments.is_empty() {
        arguments.push(Vec::new());
    }
    let mut name = path.to_vec();
    let comm = path.rsplit(|&byte| byte == b'/').next().unwrap_or(path).to_vec();
    let mut executable = file;
    let mut depth = 0;
    let head = loop {
        let head = loader::read_head(&executable)?;
        let Some(line) = script::parse(&head) else { break head };
        let (interpreter, option) = line?;
        depth += 1;
        if depth > MAX_SCRIPT_DEPTH {
            return Err(Errno::ELOOP);
        }
        arguments[0] = name;
        if let Some(option) = option {
            arguments.insert(0, option);
        }
        arguments.insert(0, interpreter.clone());
        executable = caller.open_program(Base::WorkingDirectory, &interpreter, true)?;
        name = interpreter;
    };
    check_string_space(process, &arguments, &environment)?;

    let location = executable.place();
    let (set_uid, set_gid) = set_id_owner(&location);
    let (credentials, is_secure) = caller.credentials.after_exec(set_uid, set_gid);
    let space = AddressSpace::new()?;
    let loaded = loader::load(&space, &executable, &head, |interpreter| {
        caller.open_program(Base::WorkingDirectory, interpreter, true)
    })?;
    let start =
        build_stack(&space, process, &loaded, path, &arguments, &environment, &credentials, is_secure)?;
    let image = Image {
        executable: Some(location),
        arguments: start.arguments,
        environment: start.environment,
        auxv: start.auxv,
    };
    let regs = UserRegs::start(loaded.entry, start.stack_pointer);
    Ok(Prepared { space, regs, credentials, is_secure, comm, image })
}

/// Replaces the program of the calling process by the one `file` names.
///
/// # Errors
/// Those of [`prepare`]; `EAGAIN`: another thread of the process is at it already.
pub fn exec(
    cx: &Context,
    regs: &mut UserRegs,
    path: &[u8],
    file: Arc<OpenFile>,
    arguments: Strings,
    environment: Strings,
) -> Result<(), Errno> {
    let (fs, credentials) = (cx.fs(), cx.credentials());
    let caller = Caller { fs: &fs, credentials: &credentials };
    let prepared = prepare(&caller, cx.process(), path, file, arguments, environment)?;
    let start = prepared.regs;
    commit(cx, prepared)?;
    *regs = start;
    Ok(())
}

/// Copies a NULL-terminated array of string pointers from user memory; a null array is empty.
///
/// # Errors
/// `EFAULT`: not readable. `E2BIG`: a string of more than `MAX_ARG_STRLEN` bytes, or more than `limit` bytes in all.
pub fn copy_strings(array: usize, limit: usize) -> Result<Strings, Errno> {
    let mut strings = Vec::new();
    if array == 0 {
        return Ok(strings);
    }
    let mut total = 0usize;
    for index in 0.. {
        let pointer = UserPtr::<u64>::new(array.wrapping_add(index * 8)).read()? as usize;
        if pointer == 0 {
            break;
        }
        let string = copy_string(pointer)?;
        total = total.saturating_add(string.len() + 1 + 8);
        if total > limit {
            return Err(Errno::E2BIG);
        }
        strings.push(string);
    }
    Ok(strings)
}

fn copy_string(addr: usize) -> Result<Vec<u8>, Errno> {
    let mut short = [0u8; 128];
    if let Some(len) = hal::user::read_cstr(addr, &mut short)? {
        return Ok(short[..len].to_vec());
    }
    let mut string = Vec::new();
    let mut chunk = [0u8; 1024];
    loop {
        match hal::user::read_cstr(addr.wrapping_add(string.len()), &mut chunk)? {
            Some(len) => {
                string.extend_from_slice(&chunk[..len]);
                return Ok(string);
            }
            None => string.extend_from_slice(&chunk),
        }
        if string.len() >= MAX_ARG_STRLEN {
            return Err(Errno::E2BIG);
        }
    }
}

/// Most bytes of argument and environment strings: a quarter of the stack limit, between 128 KiB and 6 MiB.
pub fn string_limit(process: &Process) -> usize {
    (process.limit(RLIMIT_STACK) / 4).clamp(128 << 10, 6 << 20) as usize
}

fn check_string_space(process: &Process, arguments: &Strings, environment: &Strings) -> Result<(), Errno> {
    let bytes: usize = arguments.iter().chain(environment).map(|string| string.len() + 1 + 8).sum();
    if bytes > string_limit(process) { Err(Errno::E2BIG) } else { Ok(()) }
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

/// Where the program starts, and what `/proc` shows of its stack.
struct Start {
    stack_pointer: usize,
    arguments: (usize, usize),
    environment: (usize, usize),
    auxv: Vec<u8>,
}

#[expect(clippy::too_many_arguments, reason = "the stack shows all of it")]
fn build_stack(
    space: &AddressSpace,
    process: &Process,
    loaded: &Loaded,
    path: &[u8],
    arguments: &Strings,
    environment: &Strings,
    credentials: &Credentials,
    is_secure: bool,
) -> Result<Start, Errno> {
    let top = space.map_stack(process.limit(RLIMIT_STACK))?;
    let vdso = vdso::map(space)?;
    let mut strings = Downward { space, at: top - 8 };
    let execfn = strings.put_string(path)?;
    let environment_end = strings.at;
    let env_pointers = strings.put_strings(environment)?;
    let environment_start = strings.at;
    let arg_pointers = strings.put_strings(arguments)?;
    let arguments_start = strings.at;
    let platform = strings.put_string(b"x86_64")?;
    strings.at &= !15;
    let random_bytes = strings.put(&random::bytes::<16>())?;

    let (hwcap, hwcap2) = hal::cpu::user_features();
    let mut pairs: Vec<(u64, u64)> = Vec::with_capacity(21);
    pairs.extend(vdso.map(|vdso| (auxv::AT_SYSINFO_EHDR, vdso as u64)));
    pairs.extend([
        (auxv::AT_MINSIGSTKSZ, signal::frame::max_size() as u64),
        (auxv::AT_HWCAP, hwcap),
        (auxv::AT_PAGESZ, PAGE_SIZE as u64),
        (auxv::AT_CLKTCK, 100),
        (auxv::AT_PHDR, loaded.phdr_addr as u64),
        (auxv::AT_PHENT, 56),
        (auxv::AT_PHNUM, loaded.phdr_count as u64),
        (auxv::AT_BASE, loaded.interpreter_base as u64),
        (auxv::AT_FLAGS, 0),
        (auxv::AT_ENTRY, loaded.program_entry as u64),
        (auxv::AT_UID, u64::from(credentials.uid.real)),
        (auxv::AT_EUID, u64::from(credentials.uid.effective)),
        (auxv::AT_GID, u64::from(credentials.gid.real)),
        (auxv::AT_EGID, u64::from(credentials.gid.effective)),
        (auxv::AT_SECURE, u64::from(is_secure)),
        (auxv::AT_RANDOM, random_bytes as u64),
        (auxv::AT_HWCAP2, hwcap2),
        (auxv::AT_EXECFN, execfn as u64),
        (auxv::AT_PLATFORM, platform as u64),
        (auxv::AT_NULL, 0),
    ]);
    let auxv: Vec<u8> =
        pairs.iter().flat_map(|&(key, value)| [key, value]).flat_map(u64::to_ne_bytes).collect();

    let mut words: Vec<u64> = Vec::with_capacity(arg_pointers.len() + env_pointers.len() + 3);
    words.push(arguments.len() as u64);
    words.extend(arg_pointers.iter().map(|&pointer| pointer as u64));
    words.push(0);
    words.extend(env_pointers.iter().map(|&pointer| pointer as u64));
    words.push(0);
    let mut table: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
    table.extend_from_slice(&auxv);
    let stack_pointer = (strings.at - table.len()) & !15;
    space.write_remote(stack_pointer, &table)?;
    Ok(Start {
        stack_pointer,
        arguments: (arguments_start, environment_start),
        environment: (environment_start, environment_end),
        auxv,
    })
}

/// Writes strings below each other into a stack that is not in use yet.
struct Downward<'a> {
    space: &'a AddressSpace,
    at: usize,
}

impl Downward<'_> {
    fn put(&mut self, bytes: &[u8]) -> Result<usize, Errno> {
        let at = self.at.checked_sub(bytes.len()).ok_or(Errno::E2BIG)?;
        self.space.write_remote(at, bytes)?;
        self.at = at;
        Ok(at)
    }

    fn put_string(&mut self, string: &[u8]) -> Result<usize, Errno> {
        self.put(&[0])?;
        self.put(string)
    }

    /// Puts the strings so that the first has the lowest address, one after another, in as few writes as it takes.
    fn put_strings(&mut self, strings: &Strings) -> Result<Vec<usize>, Errno> {
        let mut block = Vec::with_capacity(strings.iter().map(|string| string.len() + 1).sum());
        for string in strings {
            block.extend_from_slice(string);
            block.push(0);
        }
        let mut at = self.put(&block)?;
        let mut pointers = Vec::with_capacity(strings.len());
        for string in strings {
            pointers.push(at);
            at += string.len() + 1;
        }
        Ok(pointers)
    }
}

/// The point of no return: ends the process's other threads and gives it the new address space, credentials and name.
///
/// # Errors
/// `EAGAIN`: another thread of the process is in execve, or the process is ending; nothing has changed.
fn commit(cx: &Context, prepared: Prepared) -> Result<(), Errno> {
    let Prepared { space, credentials, is_secure, comm, image, .. } = prepared;
    let process = cx.process();
    let thread = cx.thread();
    end_other_threads(process, thread)?;

    let user = cx.user();
    exit::release_user_memory(user);
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
    hal::task::reset_fpu_current();
    thread.task.set_fs_base(0)?;
    thread.task.set_gs_base(0)?;
    user.set_credentials(credentials);
    process.is_dumpable.store(!is_secure, Ordering::Relaxed);
    process.has_execed.store(true, Ordering::Relaxed);
    process.exit_signal.store(linux_abi::signal::Signal::SIGCHLD.number() as i32, Ordering::Relaxed);
    if is_secure {
        process.parent_death_signal.store(0, Ordering::Relaxed);
    }
    process.signals.lock().actions.after_exec();
    user.signals.lock().alternate_stack =
        linux_abi::signal::StackT { ss_flags: linux_abi::signal::SS_DISABLE, ..Default::default() };
    process.timers.after_exec(process);
    // A table shared with another process (CLONE_FILES) stays as it is for that one.
    let files = user.files();
    let files = if Arc::strong_count(&files) > 2 { files.duplicate()? } else { files };
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
    for other in process.threads() {
        if other.tid() != thread.tid() {
            exit::end_thread(&other);
        }
    }
    let alone = process.thread_event.wait_killable(|| (process.thread_count() == 1).then_some(()));
    process.signals.lock().exec_running = false;
    alone?;
    if thread.tid() != process.pid {
        let old = thread.tid();
        thread.set_tid(process.pid);
        let ended_leader = tree::lock().rename_thread(old, process.pid);
        drop(ended_leader);
        process.set_remains(None);
    }
    Ok(())
}
