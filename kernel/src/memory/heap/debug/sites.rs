//! Who allocates: chains of calls, each with what it holds.

use core::fmt;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use hal::Error;
use hal::backtrace;
use hal::sync::{Once, SpinLock};

use crate::lock_order;

/// Different chains that are told apart; all beyond are one.
const SITES: usize = 2048;
/// Calls of a chain.
const DEPTH: usize = 10;
/// Words of a site: allocations that live, their bytes, all allocations ever, calls.
const WORDS: usize = 3 + DEPTH;
/// Sites that are written.
const SHOWN: usize = 40;

hal::machine_static! {
    static TABLE: Once<&'static [AtomicUsize]> = Once::new();
    /// Held while a site is looked up and its numbers change.
    static LOCK: SpinLock<()> = SpinLock::new(lock_order::HEAP, ());
}

/// The number of a chain of calls. Number 0 is what the table had no room for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Site(usize);

impl Site {
    pub(super) fn new(number: u64) -> Self {
        Self(usize::try_from(number).unwrap_or(0) % SITES)
    }

    pub(super) fn number(self) -> u64 {
        self.0 as u64
    }

    fn words(self) -> &'static [AtomicUsize] {
        let table = Once::get(&TABLE).copied().unwrap_or_default();
        table.get(self.0 * WORDS..(self.0 + 1) * WORDS).unwrap_or_default()
    }

    fn has_calls(self, calls: &[usize; DEPTH]) -> bool {
        self.words().iter().skip(3).zip(calls).all(|(word, &call)| word.load(Relaxed) == call)
    }

    fn is_new(self) -> bool {
        self.words().get(2).is_none_or(|ever| ever.load(Relaxed) == 0)
    }

    /// Finds or makes the site of the calls that led here.
    fn of_caller() -> Site {
        let mut calls = [0; DEPTH];
        backtrace::capture(&mut calls);
        let hash = calls.iter().fold(0usize, |hash, call| (hash ^ call).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let start = hash >> 40;
        // A short search keeps the cost bounded when the table is full.
        let candidates = (0..32).map(|step| Site((start + step) % SITES)).filter(|site| site.0 != 0);
        for site in candidates {
            if site.is_new() {
                site.words().iter().skip(3).zip(calls).for_each(|(word, call)| word.store(call, Relaxed));
                return site;
            }
            if site.has_calls(&calls) {
                return site;
            }
        }
        Site(0)
    }

    fn add(self, allocations: usize, bytes: usize, ever: usize) {
        for (word, by) in self.words().iter().zip([allocations, bytes, ever]) {
            word.store(word.load(Relaxed).wrapping_add(by), Relaxed);
        }
    }
}

/// The calls of a site, to be written.
pub(super) struct Calls(pub(super) Site);

impl fmt::Display for Calls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let calls =
            self.0.words().iter().skip(3).map(|word| word.load(Relaxed)).take_while(|&call| call != 0);
        calls.into_iter().try_for_each(|call| {
            f.write_str(" < ")?;
            backtrace::write_place(f, call)
        })
    }
}

/// Takes the table's memory; to be called before the frame allocator starts.
pub(super) fn init() -> Result<(), Error> {
    let table = hal::boot::static_slice(SITES * WORDS).ok_or(Error::OutOfMemory)?;
    TABLE.set(table).map_err(|_| Error::InUse)
}

/// Counts an allocation for the caller.
pub(super) fn note_allocation(size: usize) -> Site {
    let _guard = LOCK.lock();
    let site = Site::of_caller();
    site.add(1, size, 1);
    site
}

/// Counts that an allocation of a site is gone; returns the site of the caller.
pub(super) fn note_free(site: Site, size: usize) -> Site {
    let _guard = LOCK.lock();
    site.add(usize::MAX, size.wrapping_neg(), 0);
    let freed = Site::of_caller();
    freed.add(0, 0, 1);
    freed
}

/// Writes the sites that hold most.
pub(super) fn write(out: &mut dyn fmt::Write) -> fmt::Result {
    let numbers = |site: Site| {
        let word = |at: usize| site.words().get(at).map_or(0, |word| word.load(Relaxed));
        (word(1), word(0), site.0)
    };
    let mut last = (usize::MAX, usize::MAX, usize::MAX);
    for _ in 0..SHOWN {
        // The largest below the last one: no memory is needed to sort.
        let next =
            (0..SITES).map(|site| numbers(Site(site))).filter(|&site| site < last && site.0 != 0).max();
        let Some(next) = next else { break };
        let (bytes, allocations, number) = next;
        writeln!(out, "{bytes} bytes in {allocations} allocations by{}", Calls(Site(number)))?;
        last = next;
    }
    Ok(())
}
