//! Which address spaces a CPU's TLB keeps apart by tags (PCID), and how much of what it remembers is still true.
//!
//! An address space has a number that is never used again, and a *generation*. Who changes mappings so that a CPU may
//! remember something wrong makes a *request*: it raises the generation first, then looks which CPUs have the space
//! loaded, and has those obey. A CPU adds itself to those before it reads the generation and enters, so either it sees the
//! new generation or the request comes to it. It serves no request between reading the generation and having loaded
//! the space.
//!
//! For each tag a CPU notes the space and a generation. Invariants:
//! 1. What the TLB has under a tag belongs to the noted space and was true when that had the noted generation, or later.
//! 2. While the space is loaded every request is obeyed before whoever made it goes on.
//! 3. A space that is not loaded is not told: when it is entered again with another generation, its tag is emptied.
//!
//! A CPU without tags is one with a single tag, which every load empties.
//!
//! The fields are atomics because a request may come as an interrupt while the CPU serves another; nobody else writes
//! them, and every access is relaxed.
#![no_std]
#![forbid(unsafe_code)]

use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

/// Tags that a CPU uses at most: the spaces of a few programs that take turns.
pub const MAX_TAGS: usize = 6;
/// No space is loaded.
const NONE: usize = usize::MAX;

/// What one CPU knows about its TLB. Zeroes are a CPU that has not loaded a space yet.
#[derive(Debug)]
pub struct Tags {
    tags: [Tag; MAX_TAGS],
    current: AtomicUsize,
    /// The tag that the next new space gets.
    next: AtomicUsize,
}

#[derive(Debug)]
struct Tag {
    /// The number of the space, 0 if it has none yet.
    space: AtomicU64,
    generation: AtomicU64,
}

/// How a space is to be loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Load {
    /// The tag: not 0, which is left to whom has no space, and at most [`MAX_TAGS`].
    pub tag: u16,
    /// What the TLB has under the tag is true; otherwise it is to be emptied.
    pub keep: bool,
}

/// A request to forget: of which space, and the generation that it made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// The number of the space.
    pub space: u64,
    /// Its generation, which this request has made.
    pub generation: u64,
}

/// What a CPU has to do to obey.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forget {
    /// It has the space not loaded, or has forgotten already.
    Nothing,
    /// Forget what the request lists.
    Listed,
    /// Forget all that it has under the current tag.
    All,
}

impl Tags {
    /// Makes the notes of a CPU that has not loaded a space.
    pub const fn new() -> Self {
        Self {
            tags: [const { Tag { space: AtomicU64::new(0), generation: AtomicU64::new(0) } }; MAX_TAGS],
            current: AtomicUsize::new(NONE),
            next: AtomicUsize::new(0),
        }
    }

    /// Chooses the tag of a space, which is loaded now, among `count`. Its number is not 0, and `generation` was read after
    /// the CPU had added itself to those that have the space loaded.
    #[inline]
    pub fn enter(&self, count: usize, space: u64, generation: u64) -> Load {
        if count <= 1 {
            // One tag, emptied by every load: nothing to look for.
            self.tags[0].space.store(space, Relaxed);
            self.tags[0].generation.store(generation, Relaxed);
            self.current.store(0, Relaxed);
            return Load { tag: 1, keep: false };
        }
        let tags = &self.tags[..count.min(MAX_TAGS)];
        let known = tags.iter().position(|tag| tag.space.load(Relaxed) == space);
        let at = known.unwrap_or_else(|| self.take_oldest(tags.len()));
        let tag = &tags[at];
        let is_true = known.is_some() && tag.generation.load(Relaxed) == generation;
        tag.space.store(space, Relaxed);
        tag.generation.store(generation, Relaxed);
        self.current.store(at, Relaxed);
        Load { tag: at as u16 + 1, keep: is_true }
    }

    /// Notes that no space is loaded now.
    pub fn leave(&self) {
        self.current.store(NONE, Relaxed);
    }

    /// Tells what the CPU has to do about a request, and notes that it has been done.
    #[inline]
    pub fn obey(&self, request: Request) -> Forget {
        let current = self.tags.get(self.current.load(Relaxed));
        let Some(tag) = current.filter(|tag| tag.space.load(Relaxed) == request.space) else {
            return Forget::Nothing;
        };
        let known = tag.generation.load(Relaxed);
        if known >= request.generation {
            return Forget::Nothing;
        }
        tag.generation.store(request.generation, Relaxed);
        // Requests may overtake each other. Who forgets all now has obeyed those before as well.
        if known + 1 == request.generation { Forget::Listed } else { Forget::All }
    }

    /// Chooses the tag that was given away longest ago, but not the current one.
    fn take_oldest(&self, count: usize) -> usize {
        let mut at = self.next.load(Relaxed) % count;
        if at == self.current.load(Relaxed) {
            at = (at + 1) % count;
        }
        self.next.store(at + 1, Relaxed);
        at
    }
}

impl Default for Tags {
    fn default() -> Self {
        Self::new()
    }
}
