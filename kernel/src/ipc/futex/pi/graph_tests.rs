//! The graph against a naive model: every rank computed from scratch after every step.

use alloc::vec::Vec;

use proptest::prelude::*;

use super::*;

const THREADS: u8 = 8;
const LOCKS: u8 = 5;

/// The same, without an index.
#[derive(Default)]
struct Model {
    own: [u8; THREADS as usize],
    /// Lock, thread, number of arrival.
    waits: Vec<(u8, u8, u64)>,
    owner: [Option<u8>; LOCKS as usize],
}

impl Model {
    fn rank(&self, thread: u8) -> u8 {
        let inherited = self
            .waits
            .iter()
            .filter(|(lock, ..)| self.owner[usize::from(*lock)] == Some(thread))
            .map(|(_, waiter, _)| self.rank(*waiter))
            .max();
        inherited.unwrap_or(0).max(self.own[usize::from(thread)])
    }

    fn lock_of(&self, thread: u8) -> Option<u8> {
        self.waits.iter().find(|(_, waiter, _)| *waiter == thread).map(|(lock, ..)| *lock)
    }

    fn leads_to(&self, mut thread: u8, target: u8) -> bool {
        while thread != target {
            match self.lock_of(thread).and_then(|lock| self.owner[usize::from(lock)]) {
                Some(owner) => thread = owner,
                None => return false,
            }
        }
        true
    }

    fn next(&self, lock: u8) -> Option<u8> {
        let waiters = self.waits.iter().filter(|(at, ..)| *at == lock);
        waiters
            .min_by_key(|(_, waiter, arrival)| (Reverse(self.rank(*waiter)), *arrival))
            .map(|found| found.1)
    }
}

proptest! {
    #[test]
    fn ranks_and_turns_are_those_of_the_model(
        steps in prop::collection::vec((0u8..5, 0..THREADS, 0..LOCKS, 0u8..100), 1..120),
    ) {
        let mut model = Model::default();
        let mut graph = Graph::new();
        let mut told = [0; THREADS as usize];
        for (step, thread, lock, rank) in steps {
            let at = usize::from(lock);
            let mut tell = |thread: &u8, rank: u8| told[usize::from(*thread)] = rank;
            match step {
                0 | 1 if model.lock_of(thread).is_none() && model.owner[at] != Some(thread) => {
                    // A lock without an owner here belongs, as far as its word says, to any thread.
                    let owner = model.owner[at].unwrap_or((thread + 1) % THREADS);
                    let own = model.own[usize::from(thread)];
                    let result =
                        graph.block(lock, (&thread, own), (&owner, model.own[usize::from(owner)]), &mut tell);
                    prop_assert_eq!(result.is_err(), model.leads_to(owner, thread));
                    if result.is_ok() {
                        model.owner[at] = Some(owner);
                        model.waits.push((lock, thread, graph.arrivals));
                    }
                }
                2 if model.lock_of(thread).is_some() => {
                    graph.unblock(&thread, &mut tell);
                    model.waits.retain(|(_, waiter, _)| *waiter != thread);
                }
                3 if model.owner[at].is_some() => {
                    let next = graph.hand_over(lock, rank % 2 == 0, &mut tell);
                    prop_assert_eq!(next, model.next(lock));
                    if let Some(next) = next {
                        model.waits.retain(|(_, waiter, _)| *waiter != next);
                        model.owner[at] = Some(next);
                        prop_assert_eq!(graph.is_unsettled(lock), rank % 2 == 1);
                        graph.settle(lock, &mut tell);
                    }
                }
                4 => {
                    model.own[usize::from(thread)] = rank;
                    if !graph.threads.contains_key(&thread) {
                        tell(&thread, rank);
                    }
                    graph.set_own_rank(&thread, rank, &mut tell);
                }
                _ => {}
            }
            for lock in 0..LOCKS {
                if model.next(lock).is_none() {
                    model.owner[usize::from(lock)] = None;
                }
                prop_assert_eq!(graph.owner(lock).copied(), model.owner[usize::from(lock)]);
                prop_assert_eq!(graph.next(lock).copied(), model.next(lock));
            }
            for thread in 0..THREADS {
                prop_assert_eq!(told[usize::from(thread)], model.rank(thread), "rank of {}", thread);
                let owned = model.owner.iter().filter(|owner| **owner == Some(thread)).count();
                prop_assert_eq!(graph.owned_by(&thread).len(), owned);
                let is_here = owned > 0 || model.lock_of(thread).is_some();
                prop_assert_eq!(graph.threads.contains_key(&thread), is_here);
            }
        }
    }
}

#[test]
fn rank_is_passed_along_a_chain_and_taken_back() {
    let mut ranks = [0; 5];
    let mut graph = Graph::new();
    let mut tell = |thread: &usize, rank: u8| ranks[*thread] = rank;
    for thread in 1..4 {
        graph.block(thread, (&thread, 0), (&(thread - 1), 0), &mut tell).unwrap();
    }
    graph.block(4, (&4, 50), (&3, 0), &mut tell).unwrap();
    assert_eq!(graph.block(9, (&0, 0), (&4, 50), &mut tell), Err(Deadlock));
    graph.set_own_rank(&4, 70, &mut tell);
    assert_eq!(ranks[..4], [70; 4]);
    let mut tell = |thread: &usize, rank: u8| ranks[*thread] = rank;
    graph.unblock(&4, &mut tell);
    assert_eq!(ranks[..4], [0; 4]);
}
