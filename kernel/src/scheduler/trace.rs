//! A record of what the scheduler did, to be looked at later: switches, wake-ups, migrations, with the time stamp counter.
//!
//! Each CPU writes to a ring of its own, without a lock: what is older than the ring is long is overwritten. Readers
//! take an event only if its number was the same before and after they looked. While the trace is off, which it is from
//! boot on, an event costs a load and a branch that is never taken.
//!
//! `exo.trace=EVENTS` on the command line turns it on, with room for so many events for each CPU; writing a number to
//! `/proc/exo/trace` as well, 0 turns it off. `cargo xtask trace` makes a picture of it.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use core::sync::atomic::{AtomicBool, AtomicU64};

use hal::cpu::CpuId;
use hal::sync::Once;
use linux_abi::errno::Errno;

use super::thread::state::State;
use super::thread::thread::{Thread, ThreadName};

/// Events that a ring may have room for.
const SIZES: core::ops::RangeInclusive<usize> = 64..=1 << 18;

/// Words of an event: its number plus one, the time, what happened and to whom, two for a name.
const WORDS: usize = 6;

type Slot = [AtomicU64; WORDS];

/// The events of one CPU. Written by that CPU only, interrupts off.
struct Ring {
    slots: Once<Box<[Slot]>>,
    /// Number of the next event.
    next: AtomicU64,
    /// Number of the first event since the trace was turned on.
    first: AtomicU64,
}

hal::per_cpu! {
    static RINGS: Ring = Ring { slots: Once::new(), next: AtomicU64::new(0), first: AtomicU64::new(0) };
}

hal::machine_static! {
    static IS_ON: AtomicBool = AtomicBool::new(false);
}

/// What happened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum What {
    /// The CPU left the thread `previous`, which was in `state`, for the thread `next`.
    Switch {
        /// Its id; 0 for the idle thread.
        previous: i32,
        /// In which state it was left.
        state: State,
        /// The id of the one that runs now.
        next: i32,
        /// Its name.
        name: ThreadName,
    },
    /// The thread became ready on a CPU.
    Wake {
        /// Its id.
        thread: i32,
        /// The CPU.
        cpu: u32,
    },
    /// The thread went from one CPU's queue to another's.
    Migrate {
        /// Its id.
        thread: i32,
        /// Where it was.
        from: u32,
        /// Where it is.
        to: u32,
    },
}

/// An event of the trace.
#[derive(Clone, Copy, Debug)]
pub struct Event {
    /// The time stamp counter.
    pub tsc: u64,
    /// What happened.
    pub what: What,
}

const SWITCH: u64 = 1;
const WAKE: u64 = 2;
const MIGRATE: u64 = 3;

/// Turns the trace on, with room for about `events` events for each CPU the first time; what was recorded before is gone.
/// 0 turns it off.
///
/// # Errors
/// `ENOMEM`: no memory for the rings.
pub fn turn(events: usize) -> Result<(), Errno> {
    IS_ON.store(false, Relaxed);
    if events == 0 {
        return Ok(());
    }
    let len = events.clamp(*SIZES.start(), *SIZES.end()).next_power_of_two();
    for ring in RINGS.iter() {
        if ring.slots.get().is_none() {
            let mut slots: Vec<Slot> = Vec::new();
            slots.try_reserve_exact(len).map_err(|_| Errno::ENOMEM)?;
            slots.resize_with(len, || [const { AtomicU64::new(0) }; WORDS]);
            // Who loses a race takes what the winner made.
            let _ = ring.slots.set(slots.into_boxed_slice());
        }
        ring.first.store(ring.next.load(Relaxed), Relaxed);
    }
    // Release pairs with the acquire in `Ring::record`: the slots are there.
    IS_ON.store(true, Release);
    Ok(())
}

/// Whether the trace is on.
#[inline]
pub fn is_on() -> bool {
    IS_ON.load(Relaxed)
}

/// Records that this CPU goes from one thread to another.
#[inline]
pub(super) fn switch(previous: &Thread, next: &Thread) {
    if is_on() {
        record(What::Switch {
            previous: previous.tid(),
            state: previous.state(),
            next: next.tid(),
            name: next.name(),
        });
    }
}

/// Records that a thread becomes ready on CPU `cpu`.
#[inline]
pub(super) fn wake(thread: &Thread, cpu: usize) {
    if is_on() {
        record(What::Wake { thread: thread.tid(), cpu: cpu as u32 });
    }
}

/// Records that a thread goes to another CPU's queue.
#[inline]
pub(super) fn migrate(thread: &Thread, from: usize, to: usize) {
    if is_on() {
        record(What::Migrate { thread: thread.tid(), from: from as u32, to: to as u32 });
    }
}

#[cold]
#[inline(never)]
fn record(what: What) {
    hal::irq::disabled(|| RINGS.get().record(hal::time::tsc(), what));
}

/// Calls `visit` for each event of a CPU that is still there, the oldest first; answers how many are lost. Events that
/// are overwritten meanwhile are lost.
pub fn for_each(cpu: CpuId, visit: impl FnMut(Event)) -> u64 {
    RINGS.on(cpu).for_each(visit)
}

impl Ring {
    fn record(&self, tsc: u64, what: What) {
        let Some(slots) = self.slots.get() else { return };
        let number = self.next.load(Relaxed);
        // The length is a power of two.
        let slot = &slots[number as usize & (slots.len() - 1)];
        let pair = |high: u32, low: i32| u64::from(high) << 32 | u64::from(low.cast_unsigned());
        let (kind, who, name) = match what {
            What::Switch { previous, state, next, name } => {
                (pair(state.bits(), previous) | SWITCH << 60, pair(0, next), name.to_words())
            }
            What::Wake { thread, cpu } => (pair(0, thread) | WAKE << 60, pair(cpu, 0), [0; 2]),
            What::Migrate { thread, from, to } => (pair(from, thread) | MIGRATE << 60, pair(to, 0), [0; 2]),
        };
        // Not to be taken for whole from here on. Each store releases, so that a reader that sees a later one sees this.
        slot[0].store(0, Relaxed);
        for (place, word) in slot[1..].iter().zip([tsc, kind, who, name[0], name[1]]) {
            place.store(word, Release);
        }
        slot[0].store(number + 1, Release);
        self.next.store(number + 1, Release);
    }

    fn for_each(&self, mut visit: impl FnMut(Event)) -> u64 {
        let Some(slots) = self.slots.get() else { return 0 };
        let (first, next) = (self.first.load(Relaxed), self.next.load(Acquire));
        let kept = next.saturating_sub(slots.len() as u64).max(first);
        let mut lost = kept - first;
        for number in kept..next {
            match Self::read(&slots[number as usize & (slots.len() - 1)], number) {
                Some(event) => visit(event),
                None => lost += 1,
            }
        }
        lost
    }

    /// The event with this number, if the slot has it.
    fn read(slot: &Slot, number: u64) -> Option<Event> {
        let is_it = || slot[0].load(Acquire) == number + 1;
        if !is_it() {
            return None;
        }
        let [tsc, kind, who, name @ ..] = [1, 2, 3, 4, 5].map(|word: usize| slot[word].load(Acquire));
        if !is_it() {
            return None;
        }
        let high = |word: u64| (word >> 32) as u32 & 0x0fff_ffff;
        let low = |word: u64| (word as u32).cast_signed();
        let what = match kind >> 60 {
            SWITCH => What::Switch {
                previous: low(kind),
                state: State::from_bits(high(kind)),
                next: low(who),
                name: ThreadName::from_words(name),
            },
            WAKE => What::Wake { thread: low(kind), cpu: high(who) },
            MIGRATE => What::Migrate { thread: low(kind), from: high(kind), to: high(who) },
            _ => return None,
        };
        Some(Event { tsc, what })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ring(len: usize) -> Ring {
        let slots: Vec<Slot> = (0..len).map(|_| [const { AtomicU64::new(0) }; WORDS]).collect();
        let ring = Ring { slots: Once::new(), next: AtomicU64::new(0), first: AtomicU64::new(0) };
        assert!(ring.slots.set(slots.into_boxed_slice()).is_ok());
        ring
    }

    fn events(ring: &Ring) -> (Vec<(u64, What)>, u64) {
        let mut all = Vec::new();
        let lost = ring.for_each(|event| all.push((event.tsc, event.what)));
        (all, lost)
    }

    #[test]
    fn events_come_out_as_they_went_in() {
        let ring = ring(4);
        let all = [
            What::Switch {
                previous: 7,
                state: State::INTERRUPTIBLE,
                next: i32::MAX,
                name: ThreadName::new(b"a name of 15 by"),
            },
            What::Wake { thread: 7, cpu: 63 },
            What::Migrate { thread: 7, from: 63, to: 1 },
        ];
        for (tsc, &what) in all.iter().enumerate() {
            ring.record(tsc as u64, what);
        }
        assert_eq!(events(&ring), ((0..).zip(all).collect(), 0));
    }

    #[test]
    fn the_oldest_are_overwritten_and_counted() {
        let ring = ring(4);
        for tsc in 0..11 {
            ring.record(tsc, What::Wake { thread: tsc as i32, cpu: 0 });
        }
        let (all, lost) = events(&ring);
        assert_eq!(
            (all.iter().map(|(tsc, _)| *tsc).collect::<Vec<_>>(), lost),
            (alloc::vec![7, 8, 9, 10], 7)
        );
        ring.first.store(10, Relaxed);
        assert_eq!(events(&ring).0.len(), 1);
    }

    #[test]
    fn a_slot_that_is_being_written_is_left_out() {
        let ring = ring(4);
        ring.record(1, What::Wake { thread: 1, cpu: 0 });
        ring.record(2, What::Wake { thread: 2, cpu: 0 });
        ring.slots.get().unwrap()[0][0].store(0, Relaxed);
        let (all, lost) = events(&ring);
        assert_eq!((all.len(), lost), (1, 1));
    }
}
