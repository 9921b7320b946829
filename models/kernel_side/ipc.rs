//! The table of those who wait at futexes.

#[path = "../../kernel/src/ipc/futex/table.rs"]
pub(crate) mod table;

#[path = "../checks/futexes.rs"]
mod checks;

mod key {
    /// The identity of a futex word.
    #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
    pub struct Key {
        pub(super) owner: usize,
        pub(super) place: usize,
    }

    impl Key {
        pub(crate) const fn new(place: usize) -> Self {
            Self { owner: 1, place }
        }
        /// Every word has a bucket of its own.
        pub(super) fn bucket(self, count: usize) -> usize {
            self.place % count
        }
    }
}

pub(crate) use key::Key;
