//! Process groups, sessions and their controlling terminals.

use alloc::collections::BTreeSet;
use alloc::sync::Arc;
use core::ops::Bound::{Excluded, Unbounded};

use linux_abi::errno::Errno;
use linux_abi::signal::Signal;

use super::{Node, Tree, lock};
use crate::process::signal::send;
use crate::process::{Pid, Process};

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

/// A process group.
pub(super) struct Group {
    session: Pid,
    members: BTreeSet<Pid>,
}

/// A session.
#[derive(Default)]
pub(super) struct Session {
    groups: usize,
    terminal: Option<Arc<dyn ControllingTerminal>>,
    /// The foreground group when the terminal was hung up; 0 for none.
    lost_foreground: Pid,
}

/// Iterates over the members of a process group, zombies included, in ascending order of id. The lock is taken for each.
pub fn members(group: Pid) -> impl Iterator<Item = Arc<Process>> {
    let next = move |after: Pid| {
        let tree = lock();
        let pid = *tree.groups.get(&group)?.members.range((Excluded(after), Unbounded)).next()?;
        Some(tree.node(pid)?.process.clone())
    };
    core::iter::successors(next(0), move |last| next(last.pid))
}

/// The controlling terminal of a session.
pub fn terminal_of_session(session: Pid) -> Option<Arc<dyn ControllingTerminal>> {
    lock().sessions.get(&session)?.terminal.clone()
}

/// Whether a session has been given a controlling terminal by this call: it fails with `EPERM` when the session has
/// one already.
pub fn set_terminal(session: Pid, terminal: Arc<dyn ControllingTerminal>) -> Result<(), Errno> {
    let mut tree = lock();
    let session = tree.sessions.get_mut(&session).ok_or(Errno::EPERM)?;
    if session.terminal.is_some() {
        return Err(Errno::EPERM);
    }
    session.terminal = Some(terminal);
    Ok(())
}

/// Takes the controlling terminal away from a session and returns it.
pub fn clear_terminal(session: Pid) -> Option<Arc<dyn ControllingTerminal>> {
    lock().sessions.get_mut(&session)?.terminal.take()
}

/// Takes the controlling terminal, which has been hung up, away from a session and returns it. `foreground`, its
/// foreground group, hears of that when the session's leader ends.
pub fn lose_terminal(session: Pid, foreground: Pid) -> Option<Arc<dyn ControllingTerminal>> {
    let mut tree = lock();
    let session = tree.sessions.get_mut(&session)?;
    session.lost_foreground = foreground;
    session.terminal.take()
}

/// The foreground group that [`lose_terminal`] left behind, once; 0 for none.
pub fn take_lost_foreground(session: Pid) -> Pid {
    lock().sessions.get_mut(&session).map_or(0, |session| core::mem::take(&mut session.lost_foreground))
}

/// Whether a process group is orphaned: no member has a parent in another group of the same session (POSIX).
pub fn is_orphaned(group: Pid) -> bool {
    lock().is_orphaned_group(group, None)
}

impl Tree {
    /// The nodes of the members of a process group, zombies included.
    fn members(&self, group: Pid) -> impl Iterator<Item = &Node> {
        let members = self.groups.get(&group).into_iter().flat_map(|group| &group.members);
        members.filter_map(|&pid| self.node(pid))
    }

    /// The session a group belongs to.
    pub fn session_of_group(&self, group: Pid) -> Option<Pid> {
        Some(self.groups.get(&group)?.session)
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
        if self.groups.contains_key(&pid) {
            return Err(Errno::EPERM);
        }
        self.leave_group(process);
        self.join_group(process, pid, pid);
        Ok(pid)
    }

    pub(super) fn join_group(&mut self, process: &Process, group: Pid, session: Pid) {
        use core::sync::atomic::Ordering::Relaxed;

        let entry = self.groups.entry(group).or_insert_with(|| {
            self.sessions.entry(session).or_default().groups += 1;
            Group { session, members: BTreeSet::new() }
        });
        entry.members.insert(process.pid);
        process.group_id.store(group, Relaxed);
        process.session_id.store(session, Relaxed);
    }

    pub(super) fn leave_group(&mut self, process: &Process) {
        let id = process.group_id();
        let Some(group) = self.groups.get_mut(&id) else { return };
        group.members.remove(&process.pid);
        if !group.members.is_empty() {
            return;
        }
        let session_id = group.session;
        self.groups.remove(&id);
        if let Some(session) = self.sessions.get_mut(&session_id) {
            session.groups -= 1;
            if session.groups == 0 {
                self.sessions.remove(&session_id);
            }
        }
    }

    /// Whether a group would be orphaned if `leaving` did not count.
    pub fn is_orphaned_group(&self, group: Pid, leaving: Option<Pid>) -> bool {
        let Some(entry) = self.groups.get(&group) else { return true };
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
    pub(super) fn hang_up_if_newly_orphaned(&self, group: Pid, leaving: Pid) {
        if !self.is_orphaned_group(group, Some(leaving)) {
            return;
        }
        if self.members(group).any(|node| node.process.signals.lock().stopped_by.is_some()) {
            for node in self.members(group) {
                send::send_kernel_signal(&node.process, Signal::SIGHUP);
                send::send_kernel_signal(&node.process, Signal::SIGCONT);
            }
        }
    }
}
