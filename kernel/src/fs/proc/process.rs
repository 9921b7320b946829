//! The directory of a process or thread: `/proc/PID`, `/proc/PID/task/TID`.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt::Write;
use core::ops::ControlFlow;
use core::sync::atomic::Ordering::Relaxed;

use linux_abi::cap::{CAP_AUDIT_CONTROL, CAP_SYS_NICE, CAP_SYS_RESOURCE};
use linux_abi::errno::Errno;
use linux_abi::resource::RLIMIT_NICE;

use super::descriptors::Descriptors;
use super::file::{PIECE, parse_number};
use super::memory::{MemoryInode, View};
use super::node::{Common, Content, Directory, Entry, Topic};
use super::{stat, status, system};
use crate::fs::vfs::mount;
use crate::fs::vfs::text::Text;
use crate::fs::vfs::{
    DirectoryEntry, DirectorySink, FIRST_ENTRY, FileType, Inode, InodeState, LinkTarget, Metadata, Mount,
    Path,
};
use crate::memory::address_space::Body;
use crate::process::inspect::{Identity, may_inspect};
use crate::process::login::NOBODY;
use crate::process::{Pid, Process, autogroup, tree};
use crate::scheduler;
use crate::scheduler::Thread;

/// A process, or one of its threads.
#[derive(Clone)]
pub(super) struct Subject {
    pub(super) process: Arc<Process>,
    /// The process's id when the subject is the process, or its first thread.
    pub(super) tid: Pid,
    /// Whether it is looked at as one of the threads in the process's `task` directory.
    pub(super) in_task: bool,
}

impl Topic for Subject {
    const IS_LASTING: bool = false;
    const NOT_WRITABLE: Errno = Errno::EINVAL;

    /// Effective user and group; root's are the files of a process that has more rights than who started it.
    fn owner(&self) -> (u32, u32) {
        if !self.process.is_dumpable.load(Relaxed) {
            return (0, 0);
        }
        self.thread()
            .and_then(|thread| thread.user.as_ref().map(|user| user.credentials()))
            .or_else(|| self.process.credentials())
            .map_or((0, 0), |credentials| (credentials.uid.effective, credentials.gid.effective))
    }

    fn check(&self) -> Result<(), Errno> {
        let exists = tree::find_process(self.process.pid).is_some_and(|it| Arc::ptr_eq(&it, &self.process));
        if exists && (self.is_process() || self.thread().is_some()) { Ok(()) } else { Err(Errno::ESRCH) }
    }

    fn entry_number(directory: u64, index: usize) -> u64 {
        directory + 1 + index as u64
    }
}

/// Inode numbers that belong to one process or thread.
pub(super) const NUMBERS: u64 = 1 << 26;
/// Where, among those, the numbers of the entries of `fd` and `fdinfo` start.
pub(super) const DESCRIPTOR_NUMBERS: [u64; 2] = [1 << 24, 2 << 24];

/// The inode number of the directory of a process, or of one of its threads in its `task` directory.
fn directory_number(tid: Pid, in_task: bool) -> u64 {
    (tid as u64 * 2 + u64::from(in_task) + 1) * NUMBERS
}

impl Subject {
    /// The process with this id.
    pub(super) fn process(pid: Pid) -> Option<Self> {
        let process = tree::find_process(pid)?;
        Some(Self { process, tid: pid, in_task: false })
    }

    /// A thread of the process.
    fn thread_of(&self, tid: Pid) -> Option<Self> {
        let subject = Self { process: self.process.clone(), tid, in_task: true };
        let exists = self.process.find_thread(|thread| thread.tid() == tid).is_some();
        (exists || subject.is_process() && subject.check().is_ok()).then_some(subject)
    }

    /// Whether this is the process, or its first thread, which is there as long as the process is.
    pub(super) fn is_process(&self) -> bool {
        self.tid == self.process.pid
    }

    /// Its name.
    pub(super) fn name(&self) -> Vec<u8> {
        let name = self.thread().map_or_else(|| self.process.name(), |thread| thread.name());
        name.as_bytes().to_vec()
    }

    /// The thread, while it lives.
    pub(super) fn thread(&self) -> Option<Arc<Thread>> {
        self.process.find_thread(|thread| thread.tid() == self.tid)
    }

    /// The number of threads; the first one counts as long as the process is there.
    pub(super) fn thread_count(&self) -> usize {
        let has_leader = self.process.leader().is_some();
        self.process.thread_count() + usize::from(!has_leader)
    }

    /// Runs `f` on the address space, while there is one.
    pub(super) fn with_space<R>(&self, f: impl FnOnce(&Body) -> R) -> Option<R> {
        self.process.look_at_memory().map(|space| f(&space))
    }

    /// Lets only those look who could trace the process (ptrace(2), "access mode checking").
    ///
    /// # Errors
    /// `EACCES`: the caller could not.
    pub(super) fn check_inspect(&self) -> Result<(), Errno> {
        let current = scheduler::current();
        let Some(user) = current.user.as_ref() else { return Ok(()) };
        if may_inspect(user, &self.process, Identity::FileSystem) { Ok(()) } else { Err(Errno::EACCES) }
    }
}

/// Makes `/proc/PID`.
pub(super) fn directory(subject: Subject) -> Arc<dyn Inode> {
    directory_of(subject, &ENTRIES[..ENTRIES.len() - 1])
}

fn directory_of(subject: Subject, entries: &'static [Entry<Subject>]) -> Arc<dyn Inode> {
    let number = directory_number(subject.tid, subject.in_task);
    let common = Common::new(number, FileType::Directory, 0o555, subject.owner());
    Directory::new(common, subject, entries)
}

/// A file about the memory of a process.
const fn memory(
    name: &'static str,
    permissions: u32,
    make: fn(&Subject, Common) -> Arc<dyn Inode>,
) -> Entry<Subject> {
    Entry::new(name, permissions, Content::Other(FileType::Regular, make))
}

/// What is in the directory of a process but for the last, and in that of a thread but for the first two.
static ENTRIES: [Entry<Subject>; 34] = [
    Entry::new("task", 0o555, Content::Other(FileType::Directory, Tasks::make)),
    Entry::setting("autogroup", show_autogroup, store_autogroup),
    Entry::new("fd", 0o500, Content::Other(FileType::Directory, Descriptors::links)),
    Entry::new("fdinfo", 0o555, Content::Other(FileType::Directory, Descriptors::infos)),
    memory("environ", 0o400, |subject, common| MemoryInode::inode(common, subject, View::Environment)),
    memory("auxv", 0o400, |subject, common| MemoryInode::inode(common, subject, View::AuxiliaryVector)),
    Entry::text("status", 0o444, status::status),
    Entry::text("personality", 0o400, status::personality),
    Entry::text("limits", 0o444, status::limits),
    Entry::text("sched", 0o644, status::sched),
    Entry::setting("comm", show_name, store_name),
    memory("cmdline", 0o444, |subject, common| MemoryInode::inode(common, subject, View::Arguments)),
    Entry::text("stat", 0o444, stat::stat),
    Entry::text("statm", 0o444, stat::statm),
    memory("maps", 0o444, |subject, common| MemoryInode::inode(common, subject, View::Mappings)),
    memory("mem", 0o600, |subject, common| MemoryInode::inode(common, subject, View::Memory)),
    Entry::new("cwd", 0o777, Content::Link(|subject| jump(subject, working_directory))),
    Entry::new("root", 0o777, Content::Link(|subject| jump(subject, root))),
    Entry::new("exe", 0o777, Content::Link(|subject| jump(subject, executable))),
    Entry::new("net", 0o555, Content::Other(FileType::Directory, |_, common| system::network(common))),
    Entry::new("mounts", 0o444, Content::Pieces(mounts)),
    Entry::new("mountinfo", 0o444, Content::Pieces(mountinfo)),
    memory("smaps", 0o444, |subject, common| MemoryInode::inode(common, subject, View::DetailedMappings)),
    memory("smaps_rollup", 0o444, |subject, common| MemoryInode::inode(common, subject, View::SumOfMappings)),
    Entry::new("clear_refs", 0o200, Content::Setting(|_, _| Err(Errno::EINVAL), clear_references)),
    memory("pagemap", 0o400, |subject, common| MemoryInode::inode(common, subject, View::PageMap)),
    Entry::text("wchan", 0o444, status::wchan),
    Entry::text("schedstat", 0o444, status::schedstat),
    Entry::text("cgroup", 0o444, status::cgroup),
    Entry::text("oom_score", 0o444, status::oom_score),
    Entry::setting("oom_score_adj", show_oom_adjustment, store_oom_adjustment),
    Entry::setting("loginuid", show_login, store_login),
    Entry::text("sessionid", 0o444, show_login_session),
    Entry::text("children", 0o444, show_children),
];

fn show_name(subject: &Subject, text: &mut Text) -> Result<(), Errno> {
    text.push(&subject.name());
    text.push(b"\n");
    Ok(())
}

/// Renames a thread of the caller's own process.
fn store_name(subject: &Subject, value: &[u8]) -> Result<(), Errno> {
    let caller = scheduler::current();
    let is_own = caller.user.as_ref().is_some_and(|user| user.process.pid == subject.process.pid);
    if !is_own {
        return Err(Errno::EINVAL);
    }
    let end = value.iter().position(|&byte| byte == 0).unwrap_or(value.len());
    subject.thread().ok_or(Errno::ESRCH)?.set_name(&value[..end]);
    Ok(())
}

fn show_oom_adjustment(subject: &Subject, text: &mut Text) -> Result<(), Errno> {
    let _ = writeln!(text, "{}", subject.process.oom_score_adj.load(Relaxed));
    Ok(())
}

fn store_oom_adjustment(subject: &Subject, value: &[u8]) -> Result<(), Errno> {
    let score = i32::try_from(parse_number(value.trim_ascii())?).map_err(|_| Errno::EINVAL)?;
    if !(-1000..=1000).contains(&score) {
        return Err(Errno::EINVAL);
    }
    let caller = scheduler::current();
    let may_lower = caller.user.as_ref().is_none_or(|user| user.credentials().has(CAP_SYS_RESOURCE));
    if score < subject.process.oom_score_adj.load(Relaxed) && !may_lower {
        return Err(Errno::EACCES);
    }
    subject.process.oom_score_adj.store(score, Relaxed);
    Ok(())
}

fn show_autogroup(subject: &Subject, text: &mut Text) -> Result<(), Errno> {
    if let Some((number, nice)) = subject.process.autogroup.get() {
        let _ = writeln!(text, "/autogroup-{number} nice {nice}");
    }
    Ok(())
}

fn store_autogroup(subject: &Subject, value: &[u8]) -> Result<(), Errno> {
    let nice = i8::try_from(parse_number(value.trim_ascii())?).ok().filter(|nice| (-20..=19).contains(nice));
    let nice = nice.ok_or(Errno::EINVAL)?;
    let caller = scheduler::current();
    let user = caller.user.as_ref().ok_or(Errno::EPERM)?;
    if nice < 0 && 20 - i64::from(nice) > user.process.limit(RLIMIT_NICE) as i64 {
        user.credentials().require(CAP_SYS_NICE)?;
    }
    autogroup::set_nice(&subject.process, nice);
    Ok(())
}

fn show_login(subject: &Subject, text: &mut Text) -> Result<(), Errno> {
    let _ = write!(text, "{}", subject.process.login.uid());
    Ok(())
}

fn show_login_session(subject: &Subject, text: &mut Text) -> Result<(), Errno> {
    let _ = write!(text, "{}", subject.process.login.session());
    Ok(())
}

/// Notes who logged in: a process for itself; to change it later takes a capability.
fn store_login(subject: &Subject, value: &[u8]) -> Result<(), Errno> {
    let caller = scheduler::current();
    let user = caller.user.as_ref().filter(|user| user.process.pid == subject.process.pid);
    let user = user.ok_or(Errno::EPERM)?;
    let text = core::str::from_utf8(value).map_err(|_| Errno::EINVAL)?;
    let uid = text.strip_suffix('\n').unwrap_or(text).parse().map_err(|_| Errno::EINVAL)?;
    let login = &subject.process.login;
    if login.uid() != NOBODY && !user.credentials().has(CAP_AUDIT_CONTROL) {
        return Err(Errno::EPERM);
    }
    login.set(uid);
    Ok(())
}

/// Lets those who may look into the process go where a link of it leads.
fn jump(subject: &Subject, place: fn(&Subject) -> Result<Path, Errno>) -> Result<LinkTarget, Errno> {
    subject.check_inspect()?;
    place(subject).map(LinkTarget::Jump)
}

fn working_directory(subject: &Subject) -> Result<Path, Errno> {
    let thread = subject.thread().ok_or(Errno::ENOENT)?;
    thread.user.as_ref().map(|user| user.fs().working_directory()).ok_or(Errno::ENOENT)
}

fn root(subject: &Subject) -> Result<Path, Errno> {
    let thread = subject.thread().ok_or(Errno::ENOENT)?;
    thread.user.as_ref().map(|user| user.fs().root()).ok_or(Errno::ENOENT)
}

fn executable(subject: &Subject) -> Result<Path, Errno> {
    subject.with_space(|_| ()).ok_or(Errno::ENOENT)?;
    subject.process.image().executable.map(|file| file.place()).ok_or(Errno::ENOENT)
}

/// The root as the reader sees it, for paths in texts.
pub(super) fn reader_root() -> Option<Path> {
    let current = scheduler::current();
    current.user.as_ref().map(|user| user.fs().root())
}

fn mounts(subject: &Subject, from: u64, text: &mut Text) -> Result<Option<u64>, Errno> {
    mount_lines(subject, from, text, Mount::write_mounts_line)
}

fn mountinfo(subject: &Subject, from: u64, text: &mut Text) -> Result<Option<u64>, Errno> {
    mount_lines(subject, from, text, Mount::write_mountinfo_line)
}

/// Writes a line for each mount below the subject's root; a piece starts at a place in the list of mounts.
fn mount_lines(
    subject: &Subject,
    from: u64,
    text: &mut Text,
    write_line: fn(&Arc<Mount>, &Path, &mut Text),
) -> Result<Option<u64>, Errno> {
    scheduler::cond_resched();
    let root = root(subject).map_err(|_| Errno::EINVAL)?;
    let start = usize::try_from(from).unwrap_or(usize::MAX);
    for (index, mount) in mount::all().enumerate().skip(start) {
        if text.len() >= PIECE {
            return Ok(Some(index as u64));
        }
        write_line(&mount, &root, text);
    }
    Ok(None)
}

/// Forgets which pages were accessed (1; 2: its own; 3: of files), or how many were in memory at most (5). Which have
/// changed since (4) is not kept.
fn clear_references(subject: &Subject, value: &[u8]) -> Result<(), Errno> {
    let which = parse_number(value)?;
    if !matches!(which, 1 | 2 | 3 | 5) {
        return Err(Errno::EINVAL);
    }
    let act = |space: &Body| match which {
        5 => {
            space.reset_peak();
            Ok(())
        }
        _ => space.forget_accesses(which != 3, which != 2),
    };
    subject.with_space(act).ok_or(Errno::ESRCH)?
}

/// The children of a process, at its first thread: which one made them is not kept.
fn show_children(subject: &Subject, text: &mut Text) -> Result<(), Errno> {
    if subject.is_process() {
        for child in tree::lock().children(subject.tid) {
            // A text that has become too long says so itself.
            let _ = write!(text, "{} ", child.process.pid);
        }
    }
    Ok(())
}

/// `/proc/PID/task`: a directory for each thread.
struct Tasks {
    common: Common,
    subject: Subject,
}

impl Tasks {
    fn make(subject: &Subject, common: Common) -> Arc<dyn Inode> {
        Arc::new(Self { common, subject: subject.clone() })
    }

    /// The ids of the threads; the first one is there as long as the process is.
    fn ids(&self) -> Result<Vec<Pid>, Errno> {
        if self.subject.check().is_ok() { self.subject.process.thread_ids() } else { Ok(Vec::new()) }
    }
}

impl Inode for Tasks {
    fn metadata(&self) -> Metadata {
        let mut metadata = self.common.metadata();
        let is_there = self.subject.check().is_ok();
        metadata.link_count = 2 + if is_there { self.subject.thread_count() as u32 } else { 0 };
        metadata
    }

    fn state(&self) -> &InodeState {
        self.common.state()
    }

    fn lookup(&self, name: &[u8]) -> Result<Arc<dyn Inode>, Errno> {
        let tid = parse_id(name).ok_or(Errno::ENOENT)?;
        let subject = self.subject.thread_of(tid).ok_or(Errno::ENOENT)?;
        Ok(directory_of(subject, &ENTRIES[2..]))
    }

    fn read_dir(&self, from: u64, sink: &mut DirectorySink<'_>) -> Result<(), Errno> {
        self.subject.check().map_err(|_| Errno::ENOENT)?;
        // The position of an entry is its id, so that it stays valid while threads come and go.
        let _ = report_ids(self.ids()?, from, FIRST_ENTRY, true, sink);
        Ok(())
    }

    fn is_volatile(&self) -> bool {
        true
    }

    fn is_closed(&self) -> bool {
        true
    }

    fn is_cacheable(&self) -> bool {
        false
    }
}

/// Reports directories named by ids, ascending; an entry's position is `base` plus its id. `in_task`: those of threads in
/// their process's directory.
pub(super) fn report_ids(
    ids: impl IntoIterator<Item = Pid>,
    from: u64,
    base: u64,
    in_task: bool,
    sink: &mut DirectorySink<'_>,
) -> ControlFlow<()> {
    for id in ids {
        let position = base + id as u64;
        if position < from {
            continue;
        }
        let name = alloc::format!("{id}");
        sink(&DirectoryEntry {
            name: name.as_bytes(),
            inode_number: directory_number(id, in_task),
            file_type: FileType::Directory,
            next: position + 1,
        })?;
    }
    ControlFlow::Continue(())
}

/// Reads a name as an id: digits without a leading zero.
pub(super) fn parse_id(name: &[u8]) -> Option<Pid> {
    if name.first() == Some(&b'0') || !name.iter().all(u8::is_ascii_digit) {
        return None;
    }
    core::str::from_utf8(name).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use linux_abi::limits::NR_OPEN_MAX;

    #[test]
    fn only_plain_numbers_are_ids() {
        assert_eq!(parse_id(b"12"), Some(12));
        for bad in [&b"0"[..], b"01", b"1a", b"", b"99999999999", b"-1", b"self"] {
            assert_eq!(parse_id(bad), None);
        }
    }

    #[test]
    fn inode_numbers_of_processes_and_threads_do_not_meet() {
        let numbers =
            [(1, false), (1, true), (2, false)].map(|(tid, in_task)| directory_number(tid, in_task));
        assert!(numbers.is_sorted_by(|a, b| a + NUMBERS <= *b));
        assert!(DESCRIPTOR_NUMBERS[0] + NR_OPEN_MAX < DESCRIPTOR_NUMBERS[1]);
        assert!(DESCRIPTOR_NUMBERS[1] + NR_OPEN_MAX < NUMBERS);
        assert_eq!(directory_number(Pid::MAX, true) >> 60, 0);
    }
}
