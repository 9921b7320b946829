//! Fair shares between groups of threads: each session gets the share of one thread, whatever it starts (autogroup).
//!
//! A run queue counts the weight of the threads of each group that run or wait there. Virtual time of a thread with
//! a group advances faster by what its group weighs in all, so the threads of a group share among them what one thread of
//! the group's own weight would get. Picking knows nothing of groups.
//!
//! Groups are counted in [`SLOTS`] slots by number: those whose numbers meet in one slot share one share. Slot 0 is for
//! threads without a group, which each have a share of their own.

use super::entity::Entity;

/// Slots for groups, the first for threads without one.
pub const SLOTS: usize = 128;

/// The slot of the group with this number; 0 stands for no group.
pub const fn slot_of(number: u32) -> u8 {
    if number == 0 { 0 } else { ((number - 1) % (SLOTS as u32 - 1) + 1) as u8 }
}

/// What the groups on one CPU weigh.
pub(super) struct Groups {
    weights: [u32; SLOTS],
    is_on: bool,
}

impl Groups {
    pub(super) const fn new() -> Self {
        Self { weights: [0; SLOTS], is_on: true }
    }

    pub(super) fn set_on(&mut self, is_on: bool) {
        self.is_on = is_on;
    }

    /// Counts a thread that runs or waits here, as it is now.
    #[inline]
    pub(super) fn join(&mut self, entity: &Entity) {
        let (share, counted) = (entity.share(), entity.counted());
        if counted != share {
            if counted != 0 {
                self.leave(entity);
            }
            *self.weight(share) += share as u32;
            entity.set_counted(share);
        }
    }

    /// Does not count a thread any more.
    #[inline]
    pub(super) fn leave(&mut self, entity: &Entity) {
        let counted = entity.counted();
        *self.weight(counted) -= counted as u32;
        entity.set_counted(0);
    }

    /// What the threads of the group in `share` weigh here.
    #[inline]
    fn weight(&mut self, share: u64) -> &mut u32 {
        &mut self.weights[(share >> 32) as usize % SLOTS]
    }

    /// The virtual time that `run_ns` of running are for a thread that is counted here.
    #[inline]
    pub(super) fn to_virtual(&self, entity: &Entity, run_ns: u64) -> u64 {
        let counted = entity.counted();
        let slot = (counted >> 32) as usize % SLOTS;
        if slot == 0 || !self.is_on {
            return entity.to_virtual(run_ns);
        }
        let (own, all) = (counted as u32, self.weights[slot]);
        if all <= own {
            // Alone: it has the group's share, whatever its own.
            return entity.to_group_virtual(run_ns);
        }
        entity.to_group_virtual(entity.to_virtual(run_ns).saturating_mul(u64::from(all)) >> 10)
    }
}

#[cfg(test)]
mod tests {
    use super::super::policy::Attributes;
    use super::*;

    #[test]
    fn numbers_fill_all_slots_but_that_of_no_group() {
        assert_eq!(slot_of(0), 0);
        let slots: alloc::collections::BTreeSet<_> = (1..SLOTS as u32).map(slot_of).collect();
        assert_eq!((slots.len(), slots.contains(&0)), (SLOTS - 1, false));
        assert_eq!(slot_of(SLOTS as u32), slot_of(1));
        assert!(usize::from(slot_of(u32::MAX)) < SLOTS);
    }

    #[test]
    fn a_group_of_three_advances_three_times_as_fast() {
        let mut groups = Groups::new();
        let threads: alloc::vec::Vec<_> = (0..3).map(|_| Entity::new(Attributes::DEFAULT, 1)).collect();
        for thread in &threads {
            thread.set_group(5, 0);
            groups.join(thread);
            groups.join(thread);
        }
        assert_eq!(groups.to_virtual(&threads[0], 1_000), 3_000);
        threads[0].set_group(5, -20);
        assert!((30..40).contains(&groups.to_virtual(&threads[0], 1_000)));
        groups.leave(&threads[1]);
        groups.leave(&threads[1]);
        assert_eq!(groups.to_virtual(&threads[2], 1_000), 2_000);
        groups.set_on(false);
        assert_eq!(groups.to_virtual(&threads[2], 1_000), 1_000);
        threads[2].set_group(0, 0);
        groups.join(&threads[2]);
        assert_eq!(groups.to_virtual(&threads[2], 1_000), 1_000);
        assert_eq!(groups.weights[5], 1024);
    }
}
