//! Out of memory: one process is ended so that the others live.
//!
//! The choice is Linux's (`oom_badness`): the process that holds most memory, corrected by its `oom_score_adj`. Nothing
//! is reclaimed first, because no page in memory has another copy yet.

use alloc::vec::Vec;

use hal::PAGE_SIZE;
use hal::sync::Once;

use super::physical::buddy_allocator;

/// A process that could be ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Its id.
    pub pid: i32,
    /// Its name.
    pub name: Vec<u8>,
    /// The user that owns it.
    pub uid: u32,
    /// Pages that it has mapped.
    pub total_pages: usize,
    /// Pages that it holds in memory.
    pub resident_pages: usize,
    /// `oom_score_adj`, -1000 to 1000.
    pub score_adj: i32,
    /// It is ending already.
    pub is_ending: bool,
    /// Its end would be the system's: process 1.
    pub is_vital: bool,
}

/// What the process area does for this module.
pub trait Victims: Send + Sync {
    /// Lists all user processes.
    fn candidates(&self) -> Vec<Candidate>;
    /// Ends a process with `SIGKILL`.
    fn kill(&self, pid: i32);
}

hal::machine_static! {
    static VICTIMS: Once<&'static dyn Victims> = Once::new();
}

/// Tells this module how to find and end processes; the first call counts.
pub fn register(victims: &'static dyn Victims) {
    // A second registration changes nothing.
    let _ = VICTIMS.set(victims);
}

/// What came of an attempt to make room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Memory is free already: try again.
    Enough,
    /// This process has been told to end.
    Killed(i32),
    /// This process is ending; wait for it.
    Ending(i32),
    /// There is nobody to end.
    Nobody,
}

/// Makes room after an allocation for a program failed.
pub fn make_room() -> Outcome {
    if buddy_allocator::has_user_frame() {
        return Outcome::Enough;
    }
    let Some(victims) = Once::get(&VICTIMS) else { return Outcome::Nobody };
    let candidates = victims.candidates();
    let total = buddy_allocator::total_bytes() / PAGE_SIZE;
    match choose(&candidates, total) {
        Choice::Wait(pid) => Outcome::Ending(pid),
        Choice::Kill(victim) => {
            let kib = |pages: usize| pages * (PAGE_SIZE / 1024);
            log::error!(
                "Out of memory: Killed process {} ({}) total-vm:{}kB, rss:{}kB, UID:{} oom_score_adj:{}",
                victim.pid,
                victim.name.escape_ascii(),
                kib(victim.total_pages),
                kib(victim.resident_pages),
                victim.uid,
                victim.score_adj
            );
            victims.kill(victim.pid);
            Outcome::Killed(victim.pid)
        }
        Choice::Nobody => {
            log::error!("Out of memory and no killable processes...");
            Outcome::Nobody
        }
    }
}

enum Choice<'a> {
    Wait(i32),
    Kill(&'a Candidate),
    Nobody,
}

/// Chooses; one victim at a time.
fn choose(candidates: &[Candidate], total_pages: usize) -> Choice<'_> {
    if let Some(ending) =
        candidates.iter().find(|candidate| candidate.is_ending && candidate.resident_pages != 0)
    {
        return Choice::Wait(ending.pid);
    }
    let eligible = candidates.iter().filter(|c| !c.is_vital && !c.is_ending && c.score_adj > -1000);
    match eligible.max_by_key(|candidate| badness(candidate, total_pages)) {
        Some(victim) => Choice::Kill(victim),
        None => Choice::Nobody,
    }
}

/// Returns how much would be gained by ending a process, in pages, corrected by its wish.
pub fn badness(candidate: &Candidate, total_pages: usize) -> i64 {
    candidate.resident_pages as i64 + i64::from(candidate.score_adj) * total_pages as i64 / 1000
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(pid: i32, resident_pages: usize, score_adj: i32) -> Candidate {
        Candidate {
            pid,
            name: b"x".to_vec(),
            uid: 0,
            total_pages: resident_pages,
            resident_pages,
            score_adj,
            is_ending: false,
            is_vital: pid == 1,
        }
    }

    fn killed(candidates: &[Candidate]) -> Option<i32> {
        match choose(candidates, 10_000) {
            Choice::Kill(victim) => Some(victim.pid),
            _ => None,
        }
    }

    #[test]
    fn the_largest_process_goes_but_never_the_first() {
        let all = [candidate(1, 9000, 0), candidate(2, 100, 0), candidate(3, 500, 0)];
        assert_eq!(killed(&all), Some(3));
        assert_eq!(killed(&all[..1]), None);
    }

    #[test]
    fn the_adjustment_counts_in_thousandths_of_memory() {
        let all = [candidate(2, 900, 0), candidate(3, 500, 50), candidate(4, 9999, -1000)];
        assert_eq!(killed(&all), Some(3));
    }

    #[test]
    fn nobody_else_goes_while_one_is_ending() {
        let mut all = [candidate(2, 900, 0), candidate(3, 500, 0)];
        all[1].is_ending = true;
        assert!(matches!(choose(&all, 10_000), Choice::Wait(3)));
    }
}
