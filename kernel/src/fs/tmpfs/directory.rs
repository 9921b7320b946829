//! The entries of one directory.
//!
//! Readers see the newest entry first, as on Linux. Each entry has a position of its own, given out in descending
//! order and never again, so a reader that comes back with a position goes on behind the entry it had, whatever came
//! and went meanwhile.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;

use hashbrown::HashTable;
use linux_abi::errno::Errno;

use super::Node;
use crate::fs::vfs::FIRST_ENTRY;
use crate::fs::vfs::name::{Name, hash_name};

/// The position of the first entry ever made: below the largest `off_t`, and far above all others.
const HIGHEST: u64 = 1 << 62;

/// A name and the node it leads to.
pub(super) struct Entry {
    pub(super) name: Name,
    pub(super) node: Arc<Node>,
}

/// Entries by name and by position.
pub(super) struct Directory {
    entries: BTreeMap<u64, Entry>,
    by_name: HashTable<(u64, u64)>,
    next_position: u64,
}

impl Directory {
    pub(super) const fn new() -> Self {
        Self { entries: BTreeMap::new(), by_name: HashTable::new(), next_position: HIGHEST }
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn position_of(&self, name: &[u8], hash: u64) -> Option<u64> {
        let is_it = |&(other, position): &(u64, u64)| {
            other == hash && self.entries.get(&position).is_some_and(|entry| *entry.name == *name)
        };
        self.by_name.find(hash, is_it).map(|found| found.1)
    }

    pub(super) fn get(&self, name: &[u8]) -> Option<&Arc<Node>> {
        let position = self.position_of(name, hash_name(name))?;
        self.entries.get(&position).map(|entry| &entry.node)
    }

    /// Makes sure that the table has room for one more entry.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub(super) fn make_room(&mut self) -> Result<(), Errno> {
        self.by_name.try_reserve(1, |known| known.0).map_err(|_| Errno::ENOMEM)
    }

    /// Adds an entry, for which there is [room](Self::make_room), in front of all others, and returns the node that had the name.
    pub(super) fn insert(&mut self, name: &[u8], node: Arc<Node>) -> Option<Arc<Node>> {
        let old = self.remove(name);
        let position = self.next_position;
        debug_assert!(position > FIRST_ENTRY, "2^62 entries cannot have been made");
        self.next_position -= 1;
        let hash = hash_name(name);
        self.by_name.insert_unique(hash, (hash, position), |known| known.0);
        self.entries.insert(position, Entry { name: Name::from_slice(name), node });
        old
    }

    pub(super) fn remove(&mut self, name: &[u8]) -> Option<Arc<Node>> {
        let hash = hash_name(name);
        let position = self.position_of(name, hash)?;
        if let Ok(found) = self.by_name.find_entry(hash, |known| *known == (hash, position)) {
            found.remove();
        }
        self.entries.remove(&position).map(|entry| entry.node)
    }

    /// Returns the entries at or behind `position`, each with its own position.
    pub(super) fn entries_from(&self, position: u64) -> impl Iterator<Item = (u64, &Entry)> {
        self.entries.range(position..).map(|(&position, entry)| (position, entry))
    }

    /// Takes all entries out.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = Arc<Node>> + use<> {
        self.by_name.clear();
        core::mem::take(&mut self.entries).into_values().map(|entry| entry.node)
    }
}
