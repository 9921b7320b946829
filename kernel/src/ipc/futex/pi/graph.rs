//! Who waits for whose lock, and how urgent that makes whom. Pure decisions.
//!
//! # Terms
//! A thread's *own* rank is its real-time priority, 0 for a thread with a share. Its *rank* is the highest of its own and
//! those of all that wait for a lock it owns: so rank is passed on along chains of owners that wait themselves.
//!
//! # Invariants
//! 1. A thread waits for one lock at most, and no chain of waiting and owning comes back to where it began.
//! 2. A lock is here while somebody waits for it, or while its new owner has not been [settled](Graph::settle).
//! 3. A thread is here while it waits, or owns a lock that is here.

use alloc::collections::BTreeMap;
use alloc::collections::btree_map::Entry;
use alloc::vec::Vec;
use core::cmp::Reverse;

/// The graph; `L` names locks, `T` threads.
pub(super) struct Graph<L, T> {
    locks: BTreeMap<L, Lock<T>>,
    threads: BTreeMap<T, Member<L>>,
    /// Waiters so far, which numbers them.
    arrivals: u64,
}

/// The highest rank first, then who came first.
type Turn = (Reverse<u8>, u64);

struct Lock<T> {
    owner: T,
    waiters: BTreeMap<Turn, T>,
    is_settled: bool,
}

struct Member<L> {
    own: u8,
    rank: u8,
    owns: Vec<L>,
    waits: Option<(L, Turn)>,
}

/// A thread that would wait for itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Deadlock;

impl<L: Ord + Copy, T: Ord + Clone> Graph<L, T> {
    pub(super) const fn new() -> Self {
        Self { locks: BTreeMap::new(), threads: BTreeMap::new(), arrivals: 0 }
    }

    /// Who owns a lock that is here.
    pub(super) fn owner(&self, lock: L) -> Option<&T> {
        self.locks.get(&lock).map(|lock| &lock.owner)
    }

    /// Whether the owner of a lock has yet to be settled.
    pub(super) fn is_unsettled(&self, lock: L) -> bool {
        self.locks.get(&lock).is_some_and(|lock| !lock.is_settled)
    }

    /// Whose turn it is next.
    pub(super) fn next(&self, lock: L) -> Option<&T> {
        self.locks.get(&lock)?.waiters.first_key_value().map(|(_, thread)| thread)
    }

    /// The locks here that a thread owns.
    pub(super) fn owned_by(&self, thread: &T) -> &[L] {
        self.threads.get(thread).map_or(&[], |member| &member.owns)
    }

    /// Lets `waiter` wait for `lock`, which `owner` owns; both with their own rank. `tell` learns of each thread whose
    /// rank changes, here and below.
    ///
    /// # Errors
    /// [`Deadlock`]: the owner waits for the waiter; nothing has changed.
    pub(super) fn block(
        &mut self,
        lock: L,
        (waiter, waiter_rank): (&T, u8),
        (owner, owner_rank): (&T, u8),
        tell: &mut impl FnMut(&T, u8),
    ) -> Result<(), Deadlock> {
        if self.leads_to(owner, waiter) {
            return Err(Deadlock);
        }
        if let Entry::Vacant(vacant) = self.locks.entry(lock) {
            vacant.insert(Lock { owner: owner.clone(), waiters: BTreeMap::new(), is_settled: true });
            self.member(owner, owner_rank).owns.push(lock);
        }
        self.arrivals += 1;
        let arrival = self.arrivals;
        let member = self.member(waiter, waiter_rank);
        let turn = (Reverse(member.rank), arrival);
        member.waits = Some((lock, turn));
        if let Some(lock) = self.locks.get_mut(&lock) {
            lock.waiters.insert(turn, waiter.clone());
        }
        self.update(owner, tell);
        Ok(())
    }

    /// A thread stops waiting without the lock.
    pub(super) fn unblock(&mut self, waiter: &T, tell: &mut impl FnMut(&T, u8)) {
        let waits = self.threads.get_mut(waiter).and_then(|member| member.waits.take());
        self.update(waiter, tell);
        let Some((name, turn)) = waits else { return };
        let Some(lock) = self.locks.get_mut(&name) else { return };
        lock.waiters.remove(&turn);
        let owner = lock.owner.clone();
        self.forget_unused(name);
        self.update(&owner, tell);
    }

    /// Gives a lock to whose turn it is, and answers who that is; without waiters it is forgotten. `is_settled`: the new
    /// owner need not be told apart from others that claim the lock.
    pub(super) fn hand_over(
        &mut self,
        name: L,
        is_settled: bool,
        tell: &mut impl FnMut(&T, u8),
    ) -> Option<T> {
        let lock = self.locks.get_mut(&name)?;
        let next = lock.waiters.pop_first().map(|(_, thread)| thread);
        lock.is_settled = is_settled || next.is_none();
        let old = lock.owner.clone();
        if let Some(next) = &next {
            lock.owner = next.clone();
        }
        if let Some(member) = self.threads.get_mut(&old) {
            member.owns.retain(|owned| *owned != name);
        }
        if let Some(member) = next.as_ref().and_then(|next| self.threads.get_mut(next)) {
            member.waits = None;
            member.owns.push(name);
        }
        self.forget_unused(name);
        self.update(&old, tell);
        if let Some(next) = &next {
            self.update(next, tell);
        }
        next
    }

    /// Notes that everybody can see who owns a lock.
    pub(super) fn settle(&mut self, name: L, tell: &mut impl FnMut(&T, u8)) {
        let Some(lock) = self.locks.get_mut(&name) else { return };
        lock.is_settled = true;
        let owner = lock.owner.clone();
        self.forget_unused(name);
        self.update(&owner, tell);
    }

    /// Changes a thread's own rank.
    pub(super) fn set_own_rank(&mut self, thread: &T, own: u8, tell: &mut impl FnMut(&T, u8)) {
        if let Some(member) = self.threads.get_mut(thread) {
            member.own = own;
            self.update(thread, tell);
        }
    }

    fn member(&mut self, thread: &T, own: u8) -> &mut Member<L> {
        let fresh = || Member { own, rank: own, owns: Vec::new(), waits: None };
        self.threads.entry(thread.clone()).or_insert_with(fresh)
    }

    /// Whether the chain of owners from `thread` on leads to `target`.
    fn leads_to(&self, thread: &T, target: &T) -> bool {
        let mut cursor = thread;
        while cursor != target {
            let waits = self.threads.get(cursor).and_then(|member| member.waits);
            match waits.and_then(|(lock, _)| self.locks.get(&lock)) {
                Some(lock) => cursor = &lock.owner,
                None => return false,
            }
        }
        true
    }

    /// Forgets a settled lock that nobody waits for.
    fn forget_unused(&mut self, name: L) {
        let is_unused = |lock: &Lock<T>| lock.is_settled && lock.waiters.is_empty();
        if self.locks.get(&name).is_some_and(is_unused)
            && let Some(lock) = self.locks.remove(&name)
            && let Some(owner) = self.threads.get_mut(&lock.owner)
        {
            owner.owns.retain(|owned| *owned != name);
        }
    }

    /// Computes a thread's rank anew, and as long as that changes something, that of whoever it waits for. Forgets
    /// threads that have nothing to do here any more.
    fn update(&mut self, thread: &T, tell: &mut impl FnMut(&T, u8)) {
        let mut cursor = thread.clone();
        while let Some(member) = self.threads.get(&cursor) {
            let first = |lock| self.locks.get(lock)?.waiters.first_key_value();
            let inherited = member.owns.iter().filter_map(first).map(|((Reverse(rank), _), _)| *rank).max();
            let rank = inherited.unwrap_or(0).max(member.own);
            let has_changed = rank != member.rank;
            if has_changed {
                tell(&cursor, rank);
            }
            let waits = member.waits;
            if member.owns.is_empty() && waits.is_none() {
                self.threads.remove(&cursor);
                return;
            }
            let Some((name, old_turn)) = waits.filter(|_| has_changed) else {
                if let Some(member) = self.threads.get_mut(&cursor) {
                    member.rank = rank;
                }
                return;
            };
            let turn = (Reverse(rank), old_turn.1);
            if let Some(member) = self.threads.get_mut(&cursor) {
                member.rank = rank;
                member.waits = Some((name, turn));
            }
            let Some(lock) = self.locks.get_mut(&name) else { return };
            lock.waiters.remove(&old_turn);
            lock.waiters.insert(turn, cursor);
            cursor = lock.owner.clone();
        }
    }
}

#[cfg(test)]
#[path = "graph_tests.rs"]
mod tests;
