//! Lock ranks and their check.
//!
//! The check is on in debug builds and on the host, where it follows the thread; on the PC it follows the CPU and sees
//! spin locks only, because a thread that holds a mutex may move.

#[cfg(any(debug_assertions, not(target_os = "none")))]
use crate::arch;

/// The place of a lock in the order in which locks are taken.
#[derive(Clone, Copy, Debug)]
pub struct LockRank {
    level: u16,
    name: &'static str,
    #[cfg_attr(
        not(any(debug_assertions, not(target_os = "none"))),
        expect(dead_code, reason = "the check is off")
    )]
    nests: bool,
}

impl LockRank {
    /// Makes a rank: locks of a higher `level` are taken inside those of a lower one. `name` appears in panics.
    pub const fn new(level: u16, name: &'static str) -> Self {
        Self { level, name, nests: false }
    }

    /// Makes a rank of which several locks may be held at once; the order among them (an ascending key) is the
    /// caller's duty and is documented with the rank.
    pub const fn nesting(level: u16, name: &'static str) -> Self {
        Self { level, name, nests: true }
    }

    /// Returns the level.
    pub const fn level(self) -> u16 {
        self.level
    }

    /// Returns the name.
    pub const fn name(self) -> &'static str {
        self.name
    }
}

/// How a lock waits, which decides where it may be taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    Spin,
    SpinIrq,
    Sleep,
}

/// Panics where blocking would be a bug: in interrupt context, with interrupts off, or under a spin lock. Opens every
/// function that can block. Costs nothing in a release build for the PC.
#[inline]
#[track_caller]
pub fn might_sleep() {
    #[cfg(any(debug_assertions, not(target_os = "none")))]
    {
        assert!(!arch::irq::in_interrupt(), "would block in interrupt context");
        assert!(arch::irq::enabled(), "would block with interrupts off");
        check::assert_no_spin_lock();
    }
}

#[cfg(any(debug_assertions, not(target_os = "none")))]
pub(super) mod check {
    use core::cell::RefCell;

    use arrayvec::ArrayVec;

    use super::{Kind, LockRank};
    use crate::arch;

    /// Locks held, in the order of acquisition.
    pub(super) type Held = RefCell<ArrayVec<(LockRank, Kind), 32>>;

    #[cfg(not(target_os = "none"))]
    fn with_held<R>(f: impl FnOnce(&Held) -> R) -> Option<R> {
        std::thread_local! {
            static HELD: Held = const { RefCell::new(ArrayVec::new_const()) };
        }
        // During a thread's destruction nothing is tracked.
        HELD.try_with(f).ok()
    }

    #[cfg(target_os = "none")]
    fn with_held<R>(f: impl FnOnce(&Held) -> R) -> Option<R> {
        struct ThisCpu(Held);
        // SAFETY: `with_held` is the only user, each CPU reaches its own copy alone, and interrupts are off meanwhile.
        unsafe impl Sync for ThisCpu {}
        crate::per_cpu! {
            static HELD: ThisCpu = ThisCpu(RefCell::new(ArrayVec::new_const()));
        }
        crate::irq::disabled(|| Some(f(&HELD.get().0)))
    }

    #[cfg(target_os = "none")]
    fn is_tracked(kind: Kind) -> bool {
        kind != Kind::Sleep
    }

    #[cfg(not(target_os = "none"))]
    fn is_tracked(_: Kind) -> bool {
        true
    }

    /// Notes that a lock is about to be taken. `tries`: without waiting, which any order allows.
    #[track_caller]
    pub(in crate::sync) fn acquire(rank: LockRank, kind: Kind, tries: bool) {
        if kind != Kind::SpinIrq {
            assert!(!arch::irq::in_interrupt(), "lock {} taken in interrupt context", rank.name);
        }
        if !is_tracked(kind) {
            return;
        }
        let breach = with_held(|held| {
            let mut held = held.borrow_mut();
            let last = held.iter().max_by_key(|(rank, _)| rank.level).copied();
            let breach = last.filter(|(last, last_kind)| {
                let order = last.level > rank.level || (last.level == rank.level && !rank.nests);
                // A sleeping lock inside a spinning one is wrong whatever the ranks say.
                !tries && (order || (kind == Kind::Sleep && *last_kind != Kind::Sleep))
            });
            if breach.is_none() {
                // More than the array holds are not tracked, which is no reason to stop a debug kernel.
                let _ = held.try_push((rank, kind));
            }
            breach
        });
        if let Some(Some((last, _))) = breach {
            panic!(
                "lock order: {} (rank {}) is taken while {} (rank {}) is held",
                rank.name, rank.level, last.name, last.level
            );
        }
    }

    /// Notes that a lock has been released, or was not got.
    pub(in crate::sync) fn release(rank: LockRank, kind: Kind) {
        if !is_tracked(kind) {
            return;
        }
        with_held(|held| {
            let mut held = held.borrow_mut();
            if let Some(i) = held.iter().rposition(|(r, k)| r.level == rank.level && *k == kind) {
                held.remove(i);
            }
        });
    }

    #[track_caller]
    pub(super) fn assert_no_spin_lock() {
        let found = with_held(|held| held.borrow().iter().find(|(_, kind)| *kind != Kind::Sleep).copied());
        if let Some(Some((rank, _))) = found {
            panic!("would block while spin lock {} is held", rank.name);
        }
    }
}

/// The rank of a lock where it is checked, nothing elsewhere: a spin lock is just its atomic then.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rank {
    #[cfg(any(debug_assertions, not(target_os = "none")))]
    rank: LockRank,
}

impl Rank {
    pub(super) const fn new(rank: LockRank) -> Self {
        #[cfg(any(debug_assertions, not(target_os = "none")))]
        return Self { rank };
        #[cfg(not(any(debug_assertions, not(target_os = "none"))))]
        {
            let _ = rank;
            Self {}
        }
    }

    #[inline(always)]
    #[track_caller]
    pub(super) fn acquire(self, kind: Kind, tries: bool) {
        #[cfg(any(debug_assertions, not(target_os = "none")))]
        check::acquire(self.rank, kind, tries);
        #[cfg(not(any(debug_assertions, not(target_os = "none"))))]
        let _ = (kind, tries);
    }

    #[inline(always)]
    pub(super) fn release(self, kind: Kind) {
        #[cfg(any(debug_assertions, not(target_os = "none")))]
        check::release(self.rank, kind);
        #[cfg(not(any(debug_assertions, not(target_os = "none"))))]
        let _ = kind;
    }
}
