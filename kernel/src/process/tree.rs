//! The process tree: ids, parents and children, process groups, sessions, controlling terminals.
//!
//! One lock guards all of it. Links are ids, not pointers, so no cycle of handles can keep a process alive; what is
//! in [`Tree::nodes`] exists, a zombie included, until its parent takes its status.

use alloc::sync::Arc;
use alloc::vec::Vec;

use hal::sync::{SpinLock, SpinLockGuard};
use hashbrown::HashMap;
use linux_abi::errno::Errno;
use linux_abi::signal::Signal;

use super::signal::send;
use super::{Pid, Process, Times};
use crate::lock_order;
use crate::scheduler::Thread;

/// Ids run from 1 to this, then start again above [`FIRST_RECYCLED`], as on Linux.
pub const PID_MAX: Pid = 32_768;
const FIRST_RECYCLED: Pid = 300;

/// What a session may have as its controlling terminal. The terminal knows its session by id; the tree holds the
/// other direction.
pub trait ControllingTerminal: Send + Sync {
    /// Device number, for `/proc/PID/stat`.
    fn device(&self) -> u64;
    /// The foreground process group, 0 for none.
    fn foreground_group(&self) -> Pid;
    /// Cuts the terminal off from its session, because the session's leader ended or gave it up.
    fn disconnect(&self);
    /// Hangs up: files that are open end, the session's leader gets SIGHUP and the session loses the terminal.
    fn hang_up(&self);
}

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
    /// Its children, oldest first.
    pub children: Vec<Pid>,
    /// Set once every thread has ended.
    pub exit: Option<ExitRecord>,
}

struct Group {
    session: Pid,
    members: Vec<Pid>,
}

#[derive(Default)]
struct Session {
    groups: usize,
    terminal: Option<Arc<dyn ControllingTerminal>>,
    /// The foreground group when the terminal was hung up; 0 for none.
    lost_foreground: Pid,
}

/// All processes and how they relate.
pub struct Tree {
    nodes: Option<HashMap<Pid, Node>>,
    threads: Option<HashMap<Pid, Arc<Thread>>>,
    groups: Option<HashMap<Pid, Group>>,
    sessions: Option<HashMap<Pid, Session>>,
    /// Nodes that have ended.
    zombies: usize,
    last_pid: Pid,
    forks: u64,
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
    let tree = lock();
    let next =
        tree.iter_nodes().filter(|node| node.process.pid > after).min_by_key(|node| node.process.pid)?;
    Some(next.process.clone())
}

/// The thread with this id.
pub fn find_thread(tid: Pid) -> Option<Arc<Thread>> {
    lock().thread(tid)
}

/// Every process, zombies included, in ascending order of id.
pub fn all_processes() -> Vec<Arc<Process>> {
    let mut all: Vec<_> = lock().iter_nodes().map(|node| node.process.clone()).collect();
    all.sort_unstable_by_key(|process| process.pid);
    all
}

/// The members of a process group, zombies included.
pub fn group_members(group: Pid) -> Vec<Arc<Process>> {
    lock().group_members(group)
}

/// How the process ended, if it is a zombie.
pub fn exit_record(pid: Pid) -> Option<ExitRecord> {
    lock().node(pid).and_then(|node| node.exit)
}

/// The controlling terminal of a session.
pub fn terminal_of_session(session: Pid) -> Option<Arc<dyn ControllingTerminal>> {
    lock().sessions.as_ref()?.get(&session)?.terminal.clone()
}

/// Whether a session has been given a controlling terminal by this call: it fails with `EPERM` when the session has
/// one already.
pub fn set_terminal(session: Pid, terminal: Arc<dyn ControllingTerminal>) -> Result<(), Errno> {
    let mut tree = lock();
    let session = tree.sessions_mut().get_mut(&session).ok_or(Errno::EPERM)?;
    if session.terminal.is_some() {
        return Err(Errno::EPERM);
    }
    session.terminal = Some(terminal);
    Ok(())
}

/// Takes the controlling terminal away from a session and returns it.
pub fn clear_terminal(session: Pid) -> Option<Arc<dyn ControllingTerminal>> {
    lock().sessions_mut().get_mut(&session)?.terminal.take()
}

/// Takes the controlling terminal, which has been hung up, away from a session and returns it. `foreground`, its
/// foreground group, hears of that when the session's leader ends.
pub fn lose_terminal(session: Pid, foreground: Pid) -> Option<Arc<dyn ControllingTerminal>> {
    let mut tree = lock();
    let session = tree.sessions_mut().get_mut(&session)?;
    session.lost_foreground = foreground;
    session.terminal.take()
}

/// The foreground group that [`lose_terminal`] left behind, once; 0 for none.
pub fn take_lost_foreground(session: Pid) -> Pid {
    lock().sessions_mut().get_mut(&session).map_or(0, |session| core::mem::take(&mut session.lost_foreground))
}

/// Whether a process group is orphaned: no member has a parent in another group of the same session (POSIX).
pub fn is_orphaned(group: Pid) -> bool {
    lock().is_orphaned_group(group, None)
}

impl Tree {
    const fn new() -> Self {
        Self { nodes: None, threads: None, groups: None, sessions: None, zombies: 0, last_pid: 0, forks: 0 }
    }

    fn nodes_mut(&mut self) -> &mut HashMap<Pid, Node> {
        self.nodes.get_or_insert_default()
    }

    fn groups_mut(&mut self) -> &mut HashMap<Pid, Group> {
        self.groups.get_or_insert_default()
    }

    fn sessions_mut(&mut self) -> &mut HashMap<Pid, Session> {
        self.sessions.get_or_insert_default()
    }

    /// The node of a process.
    pub fn node(&self, pid: Pid) -> Option<&Node> {
        self.nodes.as_ref()?.get(&pid)
    }

    fn node_mut(&mut self, pid: Pid) -> Option<&mut Node> {
        self.nodes_mut().get_mut(&pid)
    }

    /// Every node, in no order.
    pub fn iter_nodes(&self) -> impl Iterator<Item = &Node> {
        self.nodes.iter().flat_map(HashMap::values)
    }

    /// The thread with this id.
    pub fn thread(&self, tid: Pid) -> Option<Arc<Thread>> {
        self.threads.as_ref()?.get(&tid).cloned()
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
        self.threads.as_ref().map_or(0, HashMap::len)
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
            || self.threads.as_ref().is_some_and(|threads| threads.contains_key(&id))
            || self.groups.as_ref().is_some_and(|groups| groups.contains_key(&id))
            || self.sessions.as_ref().is_some_and(|sessions| sessions.contains_key(&id))
    }

    /// Adds a process as a child of `parent`, in its parent's group and session; without a parent it leads its own.
    pub fn insert_process(&mut self, process: Arc<Process>, parent: Option<&Arc<Process>>) {
        let pid = process.pid;
        let (parent_pid, group, session) =
            parent.map_or((0, pid, pid), |parent| (parent.pid, parent.group_id(), parent.session_id()));
        process.set_parent(parent);
        self.nodes_mut().insert(pid, Node { process: process.clone(), children: Vec::new(), exit: None });
        if let Some(node) = self.node_mut(parent_pid) {
            node.children.push(pid);
        }
        self.join_group(&process, group, session);
    }

    /// Adds a thread to the id table.
    pub fn insert_thread(&mut self, tid: Pid, thread: Arc<Thread>) {
        self.forks += 1;
        self.threads.get_or_insert_default().insert(tid, thread);
    }

    /// Takes a thread out of the id table. The caller drops the handle after unlocking.
    pub fn remove_thread(&mut self, tid: Pid) -> Option<Arc<Thread>> {
        self.threads.get_or_insert_default().remove(&tid)
    }

    /// Gives a thread of a process the process's own id (execve by a thread that is not the first). Returns the thread
    /// that carried it, which the caller drops after unlocking.
    pub fn rename_thread(&mut self, old: Pid, new: Pid) -> Option<Arc<Thread>> {
        let threads = self.threads.get_or_insert_default();
        let thread = threads.remove(&old)?;
        threads.insert(new, thread)
    }

    /// The members of a process group, zombies included.
    pub fn group_members(&self, group: Pid) -> Vec<Arc<Process>> {
        let members = self
            .groups
            .as_ref()
            .and_then(|groups| groups.get(&group))
            .map_or(&[][..], |group| &group.members);
        members.iter().filter_map(|&pid| self.node(pid)).map(|node| node.process.clone()).collect()
    }

    /// The session a group belongs to.
    pub fn session_of_group(&self, group: Pid) -> Option<Pid> {
        Some(self.groups.as_ref()?.get(&group)?.session)
    }

    /// setpgid(2), called by a member of `caller`.
    ///
    /// # Errors
    /// - `ESRCH`: `pid` is neither the caller nor a child of it.
    /// - `EACCES`: the child has called execve.
    /// - `EPERM`: a session leader, a child in another session, or a group of another session.
    /// - `EINVAL`: a negative group.
    pub fn set_group(&mut self, caller: &Process, pid: Pid, group: Pid) -> Result<(), Errno> {
        use core::sync::atomic::Ordering::Relaxed;

        if group < 0 {
            return Err(Errno::EINVAL);
        }
        let pid = if pid == 0 { caller.pid } else { pid };
        let group = if group == 0 { pid } else { group };
        let target = self.node(pid).ok_or(Errno::ESRCH)?.process.clone();
        if target.pid != caller.pid {
            if target.parent_pid() != caller.pid {
                return Err(Errno::ESRCH);
            }
            if target.session_id() != caller.session_id() {
                return Err(Errno::EPERM);
            }
            if target.has_execed.load(Relaxed) {
                return Err(Errno::EACCES);
            }
        }
        if target.is_session_leader() {
            return Err(Errno::EPERM);
        }
        let session = target.session_id();
        if group != pid && self.session_of_group(group) != Some(session) {
            return Err(Errno::EPERM);
        }
        self.leave_group(&target);
        self.join_group(&target, group, session);
        Ok(())
    }

    /// setsid(2): the process leads a new session and a new group, without a terminal.
    ///
    /// # Errors
    /// `EPERM`: it leads a group already.
    pub fn new_session(&mut self, process: &Arc<Process>) -> Result<Pid, Errno> {
        let pid = process.pid;
        if self.groups.as_ref().is_some_and(|groups| groups.contains_key(&pid)) {
            return Err(Errno::EPERM);
        }
        self.leave_group(process);
        self.join_group(process, pid, pid);
        Ok(pid)
    }

    fn join_group(&mut self, process: &Process, group: Pid, session: Pid) {
        use core::sync::atomic::Ordering::Relaxed;

        let is_new = !self.groups_mut().contains_key(&group);
        self.groups_mut()
            .entry(group)
            .or_insert(Group { session, members: Vec::new() })
            .members
            .push(process.pid);
        if is_new {
            self.sessions_mut().entry(session).or_default().groups += 1;
        }
        process.group_id.store(group, Relaxed);
        process.session_id.store(session, Relaxed);
    }

    fn leave_group(&mut self, process: &Process) {
        let id = process.group_id();
        let Some(group) = self.groups_mut().get_mut(&id) else { return };
        group.members.retain(|&pid| pid != process.pid);
        if !group.members.is_empty() {
            return;
        }
        let session_id = group.session;
        self.groups_mut().remove(&id);
        if let Some(session) = self.sessions_mut().get_mut(&session_id) {
            session.groups -= 1;
            if session.groups == 0 {
                self.sessions_mut().remove(&session_id);
            }
        }
    }

    /// Whether a group would be orphaned if `leaving` did not count.
    pub fn is_orphaned_group(&self, group: Pid, leaving: Option<Pid>) -> bool {
        let Some(entry) = self.groups.as_ref().and_then(|groups| groups.get(&group)) else { return true };
        !entry.members.iter().any(|&pid| {
            let Some(node) = self.node(pid) else { return false };
            if Some(pid) == leaving || node.exit.is_some() {
                return false;
            }
            let Some(parent) = self.node(node.process.parent_pid()) else { return false };
            parent.process.session_id() == entry.session && parent.process.group_id() != group
        })
    }

    /// Hangs up a group that has just become orphaned while a member was stopped (POSIX; exit(3)).
    fn hang_up_if_newly_orphaned(&self, group: Pid, leaving: Pid) {
        if !self.is_orphaned_group(group, Some(leaving)) {
            return;
        }
        let members = self.group_members(group);
        if members.iter().any(|process| process.signals.lock().stopped_by.is_some()) {
            for process in &members {
                send::send_kernel_signal(process, Signal::SIGHUP);
                send::send_kernel_signal(process, Signal::SIGCONT);
            }
        }
    }

    /// Turns a process whose last thread has ended into a zombie: its children go to the nearest subreaper or to
    /// process 1, groups left orphaned are hung up, its parent is told. A process whose parent does not want to know
    /// disappears at once. Returns what the caller must drop after unlocking.
    pub fn finish(&mut self, process: &Arc<Process>, record: ExitRecord) -> Option<Node> {
        let pid = process.pid;
        let heir = self.heir_of(process);
        let children = self.node_mut(pid).map(|node| core::mem::take(&mut node.children)).unwrap_or_default();
        let mut unwanted = None;
        for &child in &children {
            self.adopt(child, process, &heir);
        }
        let own_group = process.group_id();
        for &child in &children {
            if let Some(group) = self.node(child).map(|node| node.process.group_id())
                && group != own_group
            {
                self.hang_up_if_newly_orphaned(group, pid);
            }
        }
        let parent = self.node(process.parent_pid()).map(|node| node.process.clone());
        if let Some(node) = self.node_mut(pid) {
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
        if let Some(node) = self.node_mut(heir.pid) {
            node.children.push(child);
        }
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
        let node = self.nodes_mut().remove(&pid)?;
        self.zombies -= usize::from(node.exit.is_some());
        if let Some(parent) = self.node_mut(node.process.parent_pid()) {
            parent.children.retain(|&child| child != pid);
        }
        self.leave_group(&node.process);
        Some(node)
    }
}
