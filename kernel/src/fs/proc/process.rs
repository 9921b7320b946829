//! The directory of a process or thread: `/proc/PID`, `/proc/PID/task/TID`.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::ControlFlow;

use linux_abi::errno::Errno;

use super::descriptors::Descriptors;
use super::node::{Common, Directory, Link, TextInode, inode_number};
use super::status;
use crate::fs::vfs::mount;
use crate::fs::vfs::{
    DirectoryEntry, DirectorySink, FIRST_ENTRY, FileType, Inode, InodeState, LinkTarget, Metadata, Path,
};
use crate::process::{Pid, Process, tree};
use crate::scheduler;
use crate::scheduler::Thread;

/// A process, and which of its threads a file is about; `thread` is `None` once it has ended.
#[derive(Clone)]
pub(super) struct Subject {
    pub(super) process: Arc<Process>,
    pub(super) tid: Pid,
}

impl Subject {
    /// The process with this id.
    pub(super) fn process(pid: Pid) -> Option<Self> {
        let process = tree::find_process(pid)?;
        Some(Self { process, tid: pid })
    }

    /// A thread of the process.
    fn thread_of(&self, tid: Pid) -> Option<Self> {
        let thread = tree::find_thread(tid)?;
        let is_ours = thread.user.as_ref().is_some_and(|user| user.process.pid == self.process.pid);
        is_ours.then(|| Self { process: self.process.clone(), tid })
    }

    /// The thread, while it lives; for a process whose first thread has ended, another.
    pub(super) fn thread(&self) -> Option<Arc<Thread>> {
        let threads = self.process.threads();
        threads.iter().find(|thread| thread.tid() == self.tid).or_else(|| threads.first()).cloned()
    }

    /// Effective user and group, which own the files here.
    fn owner(&self) -> (u32, u32) {
        if !self.process.is_dumpable.load(core::sync::atomic::Ordering::Relaxed) {
            return (0, 0);
        }
        self.thread()
            .and_then(|thread| thread.user.as_ref().map(|user| user.credentials()))
            .map_or((0, 0), |credentials| (credentials.uid.effective, credentials.gid.effective))
    }

    /// Lets only those look who could trace the process (ptrace(2), "access mode checking").
    ///
    /// # Errors
    /// `EACCES`: the caller could not.
    pub(super) fn check_inspect(&self) -> Result<(), Errno> {
        let current = scheduler::current();
        let Some(user) = current.user.as_ref() else { return Ok(()) };
        if user.process.pid == self.process.pid {
            return Ok(());
        }
        let target = self.process.with_leader(|leader| leader.credentials()).ok_or(Errno::ESRCH)?;
        let caller = user.credentials();
        let is_dumpable = self.process.is_dumpable.load(core::sync::atomic::Ordering::Relaxed);
        let may = caller.may_inspect(&target) && (is_dumpable || caller.has(linux_abi::cap::CAP_SYS_PTRACE));
        if may { Ok(()) } else { Err(Errno::EACCES) }
    }

    fn common(&self, index: u64, file_type: FileType, permissions: u32) -> Common {
        let number = inode_number((self.process.pid as u64) << 20 | self.tid as u64, index);
        Common::new(number, file_type, permissions, self.owner())
    }

    fn text(
        &self,
        index: u64,
        permissions: u32,
        show: fn(&Self, &mut String) -> Result<(), Errno>,
    ) -> Option<Arc<dyn Inode>> {
        let subject = self.clone();
        Some(TextInode::new(self.common(index, FileType::Regular, permissions), move |text| {
            show(&subject, text)
        }))
    }

    fn link(&self, index: u64, place: fn(&Self) -> Result<Path, Errno>) -> Option<Arc<dyn Inode>> {
        let subject = self.clone();
        Some(Link::new(self.common(index, FileType::Symlink, 0o777), move || {
            subject.check_inspect()?;
            place(&subject).map(LinkTarget::Jump)
        }))
    }
}

/// Makes `/proc/PID`.
pub(super) fn directory(subject: Subject) -> Arc<dyn Inode> {
    let with_task = subject.clone();
    let table = entries(&subject, 0);
    let table = table.with("task", FileType::Directory, move || {
        let common = with_task.common(60, FileType::Directory, 0o555);
        Some(Arc::new(Tasks { common, subject: with_task.clone() }))
    });
    Arc::new(table)
}

/// The files every process and thread has.
fn entries(subject: &Subject, base: u64) -> Directory {
    type Text = fn(&Subject, &mut String) -> Result<(), Errno>;
    type Place = fn(&Subject) -> Result<Path, Errno>;
    const TEXTS: [(&str, u32, Text); 17] = [
        ("auxv", 0o400, status::auxv),
        ("cgroup", 0o444, status::cgroup),
        ("cmdline", 0o444, status::cmdline),
        ("environ", 0o400, status::environ),
        ("limits", 0o444, status::limits),
        ("maps", 0o444, status::maps),
        ("mountinfo", 0o444, status::mountinfo),
        ("mounts", 0o444, status::mounts),
        ("oom_score", 0o444, status::oom_score),
        ("personality", 0o400, status::personality),
        ("sched", 0o444, status::sched),
        ("schedstat", 0o444, status::schedstat),
        ("smaps", 0o444, status::smaps),
        ("stat", 0o444, status::stat),
        ("statm", 0o444, status::statm),
        ("status", 0o444, status::status),
        ("wchan", 0o444, status::wchan),
    ];
    const LINKS: [(&str, Place); 3] = [("cwd", working_directory), ("exe", executable), ("root", root)];

    let mut table = Directory::new(subject.common(base, FileType::Directory, 0o555));
    for (index, (name, permissions, show)) in TEXTS.into_iter().enumerate() {
        let subject = subject.clone();
        table =
            table.with(name, FileType::Regular, move || subject.text(1 + index as u64, permissions, show));
    }
    for (index, (name, place)) in LINKS.into_iter().enumerate() {
        let subject = subject.clone();
        table = table.with(name, FileType::Symlink, move || subject.link(30 + index as u64, place));
    }
    let (comm, adjust) = (subject.clone(), subject.clone());
    let (fd, fdinfo) = (subject.clone(), subject.clone());
    table
        .with("comm", FileType::Regular, move || Some(comm_file(&comm)))
        .with("oom_score_adj", FileType::Regular, move || Some(oom_score_adj_file(&adjust)))
        .with("fd", FileType::Directory, move || {
            Some(Descriptors::links(fd.common(50, FileType::Directory, 0o500), fd.clone()))
        })
        .with("fdinfo", FileType::Directory, move || {
            Some(Descriptors::infos(fdinfo.common(51, FileType::Directory, 0o555), fdinfo.clone()))
        })
}

fn comm_file(subject: &Subject) -> Arc<dyn Inode> {
    let (reader, writer) = (subject.clone(), subject.clone());
    let show = move |text: &mut String| {
        let thread = reader.thread().ok_or(Errno::ESRCH)?;
        text.push_str(&String::from_utf8_lossy(thread.name().as_bytes()));
        text.push('\n');
        Ok(())
    };
    let store = move |value: &[u8]| {
        let caller = scheduler::current();
        let is_own = caller.user.as_ref().is_some_and(|user| user.process.pid == writer.process.pid);
        if !is_own {
            return Err(Errno::EINVAL);
        }
        let end = value.iter().position(|&byte| byte == b'\n').unwrap_or(value.len());
        writer.thread().ok_or(Errno::ESRCH)?.set_name(&value[..end]);
        Ok(())
    };
    TextInode::writable(subject.common(40, FileType::Regular, 0o644), show, store)
}

fn oom_score_adj_file(subject: &Subject) -> Arc<dyn Inode> {
    use core::sync::atomic::Ordering::Relaxed;

    let (reader, writer) = (subject.clone(), subject.clone());
    let show = move |text: &mut String| {
        text.push_str(&alloc::format!("{}\n", reader.process.oom_score_adj.load(Relaxed)));
        Ok(())
    };
    let store = move |value: &[u8]| {
        let text = core::str::from_utf8(value).map_err(|_| Errno::EINVAL)?.trim();
        let score: i32 = text.parse().map_err(|_| Errno::EINVAL)?;
        if !(-1000..=1000).contains(&score) {
            return Err(Errno::EINVAL);
        }
        let caller = scheduler::current();
        let may_lower =
            caller.user.as_ref().is_none_or(|user| user.credentials().has(linux_abi::cap::CAP_SYS_RESOURCE));
        if score < writer.process.oom_score_adj.load(Relaxed) && !may_lower {
            return Err(Errno::EACCES);
        }
        writer.process.oom_score_adj.store(score, Relaxed);
        Ok(())
    };
    TextInode::writable(subject.common(41, FileType::Regular, 0o644), show, store)
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
    subject.process.try_address_space().ok_or(Errno::ENOENT)?;
    subject.process.image().executable.ok_or(Errno::ENOENT)
}

/// The root as the reader sees it, for paths in texts.
pub(super) fn reader_root() -> Option<Path> {
    let current = scheduler::current();
    current.user.as_ref().map(|user| user.fs().root())
}

/// The mounts below the subject's root.
pub(super) fn write_mounts(subject: &Subject, text: &mut String, long: bool) -> Result<(), Errno> {
    let root = root(subject)?;
    let outcome = if long { mount::write_mountinfo(&root, text) } else { mount::write_mounts(&root, text) };
    outcome.map_err(|_| Errno::EINVAL)
}

/// `/proc/PID/task`: a directory for each thread.
struct Tasks {
    common: Common,
    subject: Subject,
}

impl Inode for Tasks {
    fn metadata(&self) -> Metadata {
        let mut metadata = self.common.metadata();
        metadata.link_count = 2 + self.subject.process.thread_count() as u32;
        metadata
    }

    fn state(&self) -> &InodeState {
        self.common.state()
    }

    fn lookup(&self, name: &[u8]) -> Result<Arc<dyn Inode>, Errno> {
        let tid = parse_id(name).ok_or(Errno::ENOENT)?;
        let subject = self.subject.thread_of(tid).ok_or(Errno::ENOENT)?;
        Ok(Arc::new(entries(&subject, 61)))
    }

    fn read_dir(&self, from: u64, sink: &mut DirectorySink<'_>) -> Result<(), Errno> {
        let mut ids: Vec<Pid> = self.subject.process.threads().iter().map(|thread| thread.tid()).collect();
        ids.sort_unstable();
        // The position of an entry is its id, so that it stays valid while threads come and go.
        let _ = report_ids(&ids, from, FIRST_ENTRY, sink);
        Ok(())
    }

    fn is_volatile(&self) -> bool {
        true
    }

    fn is_cacheable(&self) -> bool {
        false
    }
}

/// Reports directories named by ids, ascending; an entry's position is `base` plus its id.
pub(super) fn report_ids(ids: &[Pid], from: u64, base: u64, sink: &mut DirectorySink<'_>) -> ControlFlow<()> {
    for &id in ids {
        let position = base + id as u64;
        if position < from {
            continue;
        }
        let name = alloc::format!("{id}");
        sink(&DirectoryEntry {
            name: name.as_bytes(),
            inode_number: inode_number((id as u64) << 20 | id as u64, 0),
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

    #[test]
    fn only_plain_numbers_are_ids() {
        assert_eq!(parse_id(b"12"), Some(12));
        for bad in [&b"0"[..], b"01", b"1a", b"", b"99999999999", b"-1", b"self"] {
            assert_eq!(parse_id(bad), None);
        }
    }
}
