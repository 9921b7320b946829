//! The ranges locked in one file: a pure data structure.

use alloc::vec::Vec;

use linux_abi::errno::Errno;

use super::LockKind;

/// Ranges in one file beyond which `ENOLCK` is the answer.
const MAX_RANGES: usize = 65_536;

/// Who holds a range.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Owner {
    /// A process, by the address of its descriptor table.
    Process(usize),
    /// An open file, by its address.
    OpenFile(usize),
}

/// A locked range.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RangeLock {
    /// Who holds it.
    pub owner: Owner,
    /// What `F_GETLK` says of the holder: a process id, or -1.
    pub pid: i32,
    /// Whether others may hold it too.
    pub kind: LockKind,
    /// First byte.
    pub start: u64,
    /// Last byte; `i64::MAX`: to the end, wherever that is.
    pub last: u64,
}

impl RangeLock {
    fn overlaps(&self, start: u64, last: u64) -> bool {
        self.start <= last && start <= self.last
    }

    fn conflicts(&self, other: &Self) -> bool {
        self.owner != other.owner
            && self.overlaps(other.start, other.last)
            && (self.kind == LockKind::Exclusive || other.kind == LockKind::Exclusive)
    }
}

/// Locked ranges, in the order of their first bytes.
#[derive(Default)]
pub(super) struct Ranges {
    locks: Vec<RangeLock>,
}

impl Ranges {
    /// Returns the first range of somebody else that conflicts with `wanted`.
    pub(super) fn conflicting(&self, wanted: &RangeLock) -> Option<&RangeLock> {
        self.locks.iter().find(|held| held.conflicts(wanted))
    }

    /// Enters `wanted`, which conflicts with nothing, instead of what its owner has within; answers whether that
    /// makes something less exclusive.
    ///
    /// # Errors
    /// `ENOLCK`: too many ranges; nothing has changed.
    pub(super) fn set(&mut self, wanted: RangeLock) -> Result<bool, Errno> {
        let downgraded = wanted.kind == LockKind::Shared
            && self.locks.iter().any(|held| {
                held.owner == wanted.owner
                    && held.kind == LockKind::Exclusive
                    && held.overlaps(wanted.start, wanted.last)
            });
        self.clear(wanted.owner, wanted.start, wanted.last)?;
        // Neighbours of the same kind become part of it.
        let mut new = wanted;
        self.locks.retain(|held| {
            let same = held.owner == new.owner && held.kind == new.kind;
            let touches = same
                && (held.last.checked_add(1) == Some(new.start)
                    || new.last.checked_add(1) == Some(held.start));
            if touches {
                new.start = new.start.min(held.start);
                new.last = new.last.max(held.last);
            }
            !touches
        });
        let index = self.locks.partition_point(|held| held.start < new.start);
        self.locks.insert(index, new);
        Ok(downgraded)
    }

    /// Removes what `owner` has of `start..=last`. Room for one more range is left.
    ///
    /// # Errors
    /// `ENOLCK`: too many ranges; nothing has changed.
    pub(super) fn clear(&mut self, owner: Owner, start: u64, last: u64) -> Result<(), Errno> {
        // At most one range is split, and the caller may add one.
        if self.locks.len() + 2 > MAX_RANGES || self.locks.try_reserve(2).is_err() {
            return Err(Errno::ENOLCK);
        }
        let mut split = None;
        self.locks.retain_mut(|held| {
            if held.owner != owner || !held.overlaps(start, last) {
                return true;
            }
            let (keeps_left, keeps_right) = (held.start < start, held.last > last);
            match (keeps_left, keeps_right) {
                (false, false) => return false,
                (true, false) => held.last = start - 1,
                (false, true) => held.start = last + 1,
                (true, true) => {
                    split = Some(RangeLock { start: last + 1, ..*held });
                    held.last = start - 1;
                }
            }
            true
        });
        self.locks.extend(split);
        self.locks.sort_unstable_by_key(|held| held.start);
        Ok(())
    }

    /// Removes all that `owner` has; answers whether there was something.
    pub(super) fn clear_all(&mut self, owner: Owner) -> bool {
        let before = self.locks.len();
        self.locks.retain(|held| held.owner != owner);
        self.locks.len() != before
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &RangeLock> {
        self.locks.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SIZE: usize = 24;
    const OWNERS: usize = 3;

    fn range(owner: usize, kind: LockKind, start: u64, last: u64) -> RangeLock {
        RangeLock { owner: Owner::Process(owner), pid: owner as i32, kind, start, last }
    }

    proptest! {
        /// Against one cell for each byte and owner.
        #[test]
        fn ranges_agree_with_a_lock_per_byte(
            steps in prop::collection::vec((0..OWNERS, 0..3u8, 0..SIZE as u64, 0..SIZE as u64), 0..60)
        ) {
            let mut ranges = Ranges::default();
            let mut model = [[None; SIZE]; OWNERS];
            for (owner, action, a, b) in steps {
                let (start, last) = (a.min(b), a.max(b));
                let cells = start as usize..=last as usize;
                let kind = match action {
                    0 => {
                        ranges.clear(Owner::Process(owner), start, last).unwrap();
                        model[owner][cells].fill(None);
                        continue;
                    }
                    1 => LockKind::Shared,
                    _ => LockKind::Exclusive,
                };
                let wanted = range(owner, kind, start, last);
                let conflict = (0..OWNERS).filter(|&other| other != owner).any(|other| {
                    model[other][cells.clone()].iter().flatten().any(|&held| {
                        held == LockKind::Exclusive || kind == LockKind::Exclusive
                    })
                });
                prop_assert_eq!(ranges.conflicting(&wanted).is_some(), conflict);
                if !conflict {
                    ranges.set(wanted).unwrap();
                    model[owner][cells].fill(Some(kind));
                }
            }
            let mut cells = [[None; SIZE]; OWNERS];
            let mut previous: Vec<RangeLock> = Vec::new();
            for lock in ranges.iter() {
                let Owner::Process(owner) = lock.owner else { unreachable!() };
                for cell in &mut cells[owner][lock.start as usize..=lock.last as usize] {
                    prop_assert_eq!(cell.replace(lock.kind), None, "ranges of one owner overlap");
                }
                let split = previous.iter().any(|p| p.owner == lock.owner && p.kind == lock.kind && p.last + 1 == lock.start);
                prop_assert!(!split, "neighbours are not joined");
                previous.push(*lock);
            }
            prop_assert_eq!(cells, model);
        }
    }

    #[test]
    fn the_last_byte_of_all_is_no_overflow() {
        let mut ranges = Ranges::default();
        let end = i64::MAX as u64;
        ranges.set(range(0, LockKind::Exclusive, 0, end)).unwrap();
        ranges.clear(Owner::Process(0), 5, end).unwrap();
        assert_eq!(ranges.iter().copied().collect::<Vec<_>>(), [range(0, LockKind::Exclusive, 0, 4)]);
    }
}
