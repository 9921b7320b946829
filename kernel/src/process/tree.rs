//! The process tree: ids, parents and children, process groups, sessions, controlling terminals.
//!
//! One lock guards all of it. Links are ids, not pointers, so no cycle of handles can keep a process alive; what is
//! in [`Tree::nodes`] exists, a zombie included, until its parent takes its status. The tables are trees of small nodes:
//! however many processes there are, none of them needs a long piece of memory.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use core::ops::Bound::{Excluded, Unbounded};

use hal::sync::{SpinLock, SpinLockGuard};
use linux_abi::errno::Errno;
use linux_abi::signal::Signal;

use super::signal::send;
use super::{Pid, Process, Times};
use crate::lock_order;
use crate::scheduler::Thread;

mod groups;

pub use groups::{
    ControllingTerminal, clear_terminal, is_orphaned, lose_terminal, members, set_terminal,
    take_lost_foreground, terminal_of_session,
};
use groups::{Group, Session};

/// Ids run from 1 to this, then start again above [`FIRST_RECYCLED`], as on Linux.
pub const PID_MAX: Pid = 32_768;
const FIRST_RECYCLED: Pid = 300;

/// How a process ended, kept until its parent waits for it.
#[derive(Clone, Copy, Debug)]
pub struct ExitRecord {
    /// Wait status, as wait4(2) stores it.
    pub status: i32,
    /// Real user id, for `SIGCHLD` and waitid(2).
    pub uid: u32,
    /// Its own CPU time with that of the children it waited for.
    pub times: Times,
}

/// A process's place in the tree.
pub struct Node {
    /// The process.
    pub process: Arc<Process>,
    /// Its children in the order in which they came.
    children: BTreeMap<u64, Pid>,
    /// Its place among the children of its parent.
    order: u64,
    /// Set once every thread has ended.
    pub exit: Option<ExitRecord>,
}

/// All processes and how they relate.
pub struct Tree {
    nodes: BTreeMap<Pid, Node>,
    threads: BTreeMap<Pid, Arc<Thread>>,
    groups: BTreeMap<Pid, Group>,
    sessions: BTreeMap<Pid, Session>,
    /// Nodes that have ended.
    zombies: usize,
    last_pid: Pid,
    forks: u64,
    /// Children that processes have got so far.
    last_order: u64,
    /// Page faults of threads that have ended: served without I/O, and with.
    ended_faults: (u64, u64),
}

static TREE: SpinLock<Tree> = SpinLock::new(lock_order::PROCESS_TREE, Tree::new());

/// Locks the tree.
pub fn lock() -> SpinLockGuard<'static, Tree> {
    TREE.lock()
}

/// The process with this id, a zombie included.
pub fn find_process(pid: Pid) -> Option<Arc<Process>> {
    lock().node(pid).map(|node| node.process.clone())
}

/// The process with the smallest id above `after`, a zombie included. A walk over all of them needs no list.
pub fn next_process(after: Pid) -> Option<Arc<Process>> {
    lock().nodes.range((Excluded(after), Unbounded)).next().map(|(_, node)| node.process.clone())
}

/// Iterates over all processes, zombies included, in ascending order of id. The lock is taken for each.
pub fn processes() -> impl Iterator<Item = Arc<Process>> {
    core::iter::successors(next_process(0), |last| next_process(last.pid))
}

/// The thread with this id.
pub fn find_thread(tid: Pid) -> Option<Arc<Thread>> {
    lock().thread(tid)
}

/// How the process ended, if it is a zombie.
pub fn exit_record(pid: Pid) -> Option<ExitRecord> {
    lock().node(pid).and_then(|node| node.exit)
}

impl Tree {
    const fn new() -> Self {
        Self {
            nodes: BTreeMap::new(),
            threads: BTreeMap::new(),
            groups: BTreeMap::new(),
            sessions: BTreeMap::new(),
            zombies: 0,
            last_pid: 0,
            forks: 0,
            last_order: 0,
            ended_faults: (0, 0),
        }
    }

    /// The node of a process.
    pub fn node(&self, pid: Pid) -> Option<&Node> {
        self.nodes.get(&pid)
    }

    /// Every node, in ascending order of id.
    pub fn iter_nodes(&self) -> impl Iterator<Item = &Node> {
        self.nodes.values()
    }

    /// The nodes of the children of a process, oldest first.
    pub fn children(&self, pid: Pid) -> impl Iterator<Item = &Node> {
        let children = self.node(pid).into_iter().flat_map(|node| node.children.values());
        children.filter_map(|&child| self.node(child))
    }

    /// The thread with this id.
    pub fn thread(&self, tid: Pid) -> Option<Arc<Thread>> {
        self.threads.get(&tid).cloned()
    }

    /// The id given out last (`/proc/loadavg`).
    pub fn last_pid(&self) -> Pid {
        self.last_pid
    }

    /// Threads and processes made since boot (`processes` in `/proc/stat`).
    pub fn forks(&self) -> u64 {
        self.forks
    }

    /// Number of threads that exist.
    pub fn thread_count(&self) -> usize {
        self.threads.len()
    }

    /// Processes whose real user is `uid`, for `RLIMIT_NPROC`: threads count, and zombies, as on Linux.
    pub fn threads_of_user(&self, uid: u32) -> usize {
        let owned = self.iter_nodes().filter(|node| match node.exit {
            Some(exit) => exit.uid == uid,
            None => node.process.real_uid() == uid,
        });
        // A process counts until it is waited for, also when its last thread has just ended.
        owned.map(|node| node.process.thread_count().max(1)).sum()
    }

    /// Threads of all users, zombies among them, for the limit on all.
    pub fn total_threads(&self) -> usize {
        self.thread_count() + self.zombies
    }

    /// Takes an id that no process, thread, group or session carries.
    ///
    /// # Errors
    /// `EAGAIN`: there is none.
    pub fn allocate_pid(&mut self) -> Result<Pid, Errno> {
        for _ in 0..PID_MAX {
            let next = if self.last_pid >= PID_MAX - 1 { FIRST_RECYCLED } else { self.last_pid + 1 };
            self.last_pid = next;
            if !self.is_taken(next) {
                return Ok(next);
            }
        }
        Err(Errno::EAGAIN)
    }

    fn is_taken(&self, id: Pid) -> bool {
        self.node(id).is_some()
            || self.threads.contains_key(&id)
            || self.groups.contains_key(&id)
            || self.sessions.contains_key(&id)
    }

    /// Adds a process as a child of `parent`, in its parent's group and session; without a parent it leads its own.
    pub fn insert_process(&mut self, process: Arc<Process>, parent: Option<&Arc<Process>>) {
        let pid = process.pid;
        let (parent_pid, group, session) =
            parent.map_or((0, pid, pid), |parent| (parent.pid, parent.group_id(), parent.session_id()));
        process.set_parent(parent);
        let node = Node { process: process.clone(), children: BTreeMap::new(), order: 0, exit: None };
        self.nodes.insert(pid, node);
        self.add_child(parent_pid, pid);
        self.join_group(&process, group, session);
    }

    /// Makes a process the youngest child of another.
    fn add_child(&mut self, parent: Pid, child: Pid) {
        self.last_order += 1;
        let order = self.last_order;
        if let Some(node) = self.nodes.get_mut(&parent) {
            node.children.insert(order, child);
        }
        if let Some(node) = self.nodes.get_mut(&child) {
            node.order = order;
        }
    }

    /// Adds a thread to the id table.
    pub fn insert_thread(&mut self, tid: Pid, thread: Arc<Thread>) {
        self.forks += 1;
        self.threads.insert(tid, thread);
    }

    /// Takes a thread out of the id table. The caller drops the handle after unlocking.
    pub fn remove_thread(&mut self, tid: Pid) -> Option<Arc<Thread>> {
        let thread = self.threads.remove(&tid);
        self.note_end(thread.as_ref());
        thread
    }

    fn note_end(&mut self, thread: Option<&Arc<Thread>>) {
        let (minor, major) = thread.map_or((0, 0), |thread| thread.faults());
        self.ended_faults.0 += minor;
        self.ended_faults.1 += major;
    }

    /// Page faults of all threads since boot: served without I/O, and with.
    pub fn faults(&self) -> (u64, u64) {
        let add = |sum: (u64, u64), faults: (u64, u64)| (sum.0 + faults.0, sum.1 + faults.1);
        self.threads.values().map(|thread| thread.faults()).fold(self.ended_faults, add)
    }

    /// Gives a thread of a process the process's own id (execve by a thread that is not the first). Returns the thread
    /// that carried it, which the caller drops after unlocking.
    pub fn rename_thread(&mut self, old: Pid, new: Pid) -> Option<Arc<Thread>> {
        let thread = self.threads.remove(&old)?;
        let ended = self.threads.insert(new, thread);
        self.note_end(ended.as_ref());
        ended
    }

    /// Turns a process whose last thread has ended into a zombie: its children go to the nearest subreaper or to
    /// process 1, groups left orphaned are hung up, its parent is told. A process whose parent does not want to know
    /// disappears at once. Returns what the caller must drop after unlocking.
    pub fn finish(&mut self, process: &Arc<Process>, record: ExitRecord) -> Option<Node> {
        let pid = process.pid;
        let heir = self.heir_of(process);
        let children =
            self.nodes.get_mut(&pid).map(|node| core::mem::take(&mut node.children)).unwrap_or_default();
        let mut unwanted = None;
        for &child in children.values() {
            self.adopt(child, process, &heir);
        }
        let own_group = process.group_id();
        for &child in children.values() {
            if let Some(group) = self.node(child).map(|node| node.process.group_id())
                && group != own_group
            {
                self.hang_up_if_newly_orphaned(group, pid);
            }
        }
        let parent = self.node(process.parent_pid()).map(|node| node.process.clone());
        if let Some(node) = self.nodes.get_mut(&pid) {
            node.exit = Some(record);
            self.zombies += 1;
        }
        if parent.as_ref().is_none_or(|parent| parent.group_id() != own_group) {
            self.hang_up_if_newly_orphaned(own_group, pid);
        }
        match parent {
            Some(parent) => {
                if send::notify_parent_of_exit(&parent, process, &record) {
                    unwanted = self.reap(pid);
                }
                parent.child_event.wake_all();
            }
            None => unwanted = self.reap(pid),
        }
        unwanted
    }

    /// The process that inherits the children of `process`.
    fn heir_of(&self, process: &Process) -> Option<Arc<Process>> {
        use core::sync::atomic::Ordering::Relaxed;

        let mut ancestor = process.parent_pid();
        while let Some(node) = self.node(ancestor) {
            if node.exit.is_none() && (node.process.is_subreaper.load(Relaxed) || node.process.pid == 1) {
                return Some(node.process.clone());
            }
            ancestor = node.process.parent_pid();
        }
        self.node(1).filter(|node| node.process.pid != process.pid).map(|node| node.process.clone())
    }

    fn adopt(&mut self, child: Pid, old_parent: &Process, heir: &Option<Arc<Process>>) {
        use core::sync::atomic::Ordering::Relaxed;

        let Some(node) = self.node(child) else { return };
        let (orphan, exit) = (node.process.clone(), node.exit);
        orphan.set_parent(heir.as_ref());
        let death_signal = orphan.parent_death_signal.load(Relaxed);
        if let Some(signal) = send::signal_from(death_signal)
            && exit.is_none()
        {
            send::send_kernel_signal(&orphan, signal);
        }
        let Some(heir) = heir else { return };
        debug_assert_ne!(heir.pid, old_parent.pid);
        self.add_child(heir.pid, child);
        orphan.exit_signal.store(Signal::SIGCHLD.number() as i32, Relaxed);
        if let Some(record) = exit {
            if send::notify_parent_of_exit(heir, &orphan, &record) {
                drop(self.reap(child));
            }
            heir.child_event.wake_all();
        }
    }

    /// Removes a zombie and frees its id. The caller drops what is returned after unlocking.
    pub fn reap(&mut self, pid: Pid) -> Option<Node> {
        let node = self.nodes.remove(&pid)?;
        self.zombies -= usize::from(node.exit.is_some());
        if let Some(parent) = self.nodes.get_mut(&node.process.parent_pid()) {
            parent.children.remove(&node.order);
        }
        self.leave_group(&node.process);
        Some(node)
    }
}
