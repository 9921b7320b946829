//! Out of memory: one process is ended so that the others live.
//!
//! The choice is Linux's (`oom_badness`): the process that holds most memory, corrected by its `oom_score_adj`. Nothing
//! is reclaimed first but what CPUs have cached, because no page in memory has another copy yet. Choosing takes no memory: there is none.

use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use hal::PAGE_SIZE;
use hal::sync::Once;
use smallvec::SmallVec;

use super::physical::buddy_allocator;

/// The name of a process, kept without an allocation.
pub type Name = SmallVec<[u8; 16]>;

/// A process that could be ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Its id.
    pub pid: i32,
    /// Its name.
    pub name: Name,
    /// The user that owns it.
    pub uid: u32,
    /// Pages that it has mapped.
    pub total_pages: usize,
    /// Pages that it holds in memory: its own, of files, of shared memory.
    pub pages: [usize; 3],
    /// Frames of its page tables.
    pub table_pages: usize,
    /// `oom_score_adj`, -1000 to 1000.
    pub score_adj: i32,
    /// It is ending already.
    pub is_ending: bool,
    /// Its end would be the system's: process 1.
    pub is_vital: bool,
}

impl Candidate {
    /// Returns the pages that it holds in memory.
    fn resident_pages(&self) -> usize {
        self.pages.iter().sum()
    }
}

/// What the process area does for this module.
pub trait Victims: Send + Sync {
    /// Returns the user process with memory of the smallest id above `after`.
    fn next(&self, after: i32) -> Option<Candidate>;
    /// Ends a process with `SIGKILL`.
    fn kill(&self, pid: i32);
}

hal::machine_static! {
    /// Processes that have been ended for their memory.
    static KILLS: AtomicUsize = AtomicUsize::new(0);
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
    super::flush_this_cpu();
    if buddy_allocator::has_user_frame() || recall() {
        return Outcome::Enough;
    }
    let Some(victims) = Once::get(&VICTIMS) else { return Outcome::Nobody };
    let candidates = core::iter::successors(victims.next(0), |last| victims.next(last.pid));
    let total = buddy_allocator::total_bytes() / PAGE_SIZE;
    match choose(candidates, total) {
        Choice::Wait(pid) => Outcome::Ending(pid),
        Choice::Kill(victim) => {
            let kib = |pages: usize| pages * (PAGE_SIZE / 1024);
            log::error!(
                "Out of memory: Killed process {} ({}) total-vm:{}kB, anon-rss:{}kB, file-rss:{}kB, shmem-rss:{}kB, UID:{} pgtables:{}kB oom_score_adj:{}",
                victim.pid,
                victim.name.escape_ascii(),
                kib(victim.total_pages),
                kib(victim.pages[0]),
                kib(victim.pages[1]),
                kib(victim.pages[2]),
                victim.uid,
                kib(victim.table_pages),
                victim.score_adj
            );
            victims.kill(victim.pid);
            KILLS.fetch_add(1, Relaxed);
            Outcome::Killed(victim.pid)
        }
        Choice::Nobody => {
            log::error!("Out of memory and no killable processes...");
            Outcome::Nobody
        }
    }
}

/// Returns how many processes have been ended for their memory.
pub fn kills() -> usize {
    KILLS.load(Relaxed)
}

/// Times that [`recall`] looks.
const LOOKS: usize = 10_000;

/// Has CPUs that do nothing give back what they have cached ([`tend`](super::tend)); tells whether a program can get a
/// frame then. A CPU that works gives back when it next allocates or frees.
fn recall() -> bool {
    let here = hal::cpu::id();
    let mut holders = hal::cpu::all().filter(|&cpu| cpu != here && buddy_allocator::cached_frames(cpu) != 0);
    let mut asked = false;
    for cpu in &mut holders {
        hal::cpu::send_reschedule(cpu);
        asked = true;
    }
    asked
        && (0..LOOKS).any(|_| {
            hal::cpu::relax();
            buddy_allocator::has_user_frame()
        })
}

enum Choice {
    Wait(i32),
    Kill(Candidate),
    Nobody,
}

/// Chooses; one victim at a time.
fn choose(candidates: impl Iterator<Item = Candidate>, total_pages: usize) -> Choice {
    let mut worst: Option<Candidate> = None;
    for candidate in candidates {
        if candidate.is_ending && candidate.resident_pages() != 0 {
            return Choice::Wait(candidate.pid);
        }
        let is_eligible = !candidate.is_vital && !candidate.is_ending && candidate.score_adj > -1000;
        let is_worse = worst
            .as_ref()
            .is_none_or(|worst| badness(&candidate, total_pages) >= badness(worst, total_pages));
        if is_eligible && is_worse {
            worst = Some(candidate);
        }
    }
    worst.map_or(Choice::Nobody, Choice::Kill)
}

/// Returns how much would be gained by ending a process, in pages, corrected by its wish.
pub fn badness(candidate: &Candidate, total_pages: usize) -> i64 {
    let held = candidate.resident_pages() + candidate.table_pages;
    held as i64 + i64::from(candidate.score_adj) * total_pages as i64 / 1000
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(pid: i32, resident_pages: usize, score_adj: i32) -> Candidate {
        Candidate {
            pid,
            name: Name::from_slice(b"x"),
            uid: 0,
            total_pages: resident_pages,
            pages: [resident_pages, 0, 0],
            table_pages: 0,
            score_adj,
            is_ending: false,
            is_vital: pid == 1,
        }
    }

    fn killed(candidates: &[Candidate]) -> Option<i32> {
        match choose(candidates.iter().cloned(), 10_000) {
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
        assert!(matches!(choose(all.into_iter(), 10_000), Choice::Wait(3)));
    }
}
