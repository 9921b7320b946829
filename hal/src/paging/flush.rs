//! Batched invalidation: what must not be reused before every CPU has forgotten it.

use arrayvec::ArrayVec;

use crate::frame::Frame;

use super::entry::Entry;
use super::share::Share;
use super::space::SpaceRef;

/// Pages invalidated one by one; beyond that the whole space is flushed.
const MAX_PAGES: usize = 32;
/// Frames, and shares of tables, kept back before the flush is done early.
const MAX_FRAMES: usize = 128;
const MAX_SHARES: usize = 16;

/// Translations to be flushed and the frames behind them.
///
/// [`finish`](Self::finish), or the drop, invalidates them on this CPU and on all others that use the space, and only
/// then drops the frames. One flush may serve several changes; a change of another space finishes the former first.
#[must_use = "dropping it flushes at once"]
#[derive(Debug, Default)]
pub struct TlbFlush {
    space: Option<SpaceRef>,
    pages: ArrayVec<usize, MAX_PAGES>,
    all: bool,
    frames: ArrayVec<Frame, MAX_FRAMES>,
    shares: ArrayVec<Share, MAX_SHARES>,
}

impl TlbFlush {
    /// Makes an empty batch.
    #[inline]
    pub fn new() -> Self {
        // Not the constant `new_const`: that one would be stored, element by element.
        let (pages, frames, shares) = (ArrayVec::new(), ArrayVec::new(), ArrayVec::new());
        Self { space: None, pages, all: false, frames, shares }
    }

    /// Flushes everything collected and drops the frames. The batch is empty and usable again.
    pub fn finish(&mut self) {
        if let Some(space) = self.space.take()
            && (self.all || !self.pages.is_empty())
        {
            space.invalidate(if self.all { &[] } else { &self.pages });
        }
        self.pages.clear();
        self.all = false;
        self.frames.clear();
        self.shares.clear();
    }

    /// Starts collecting for a space.
    pub(super) fn begin(&mut self, space: &SpaceRef) {
        if self.space.as_ref() != Some(space) {
            self.finish();
            self.space = Some(space.clone());
        }
    }

    /// Adds a page whose entry had this value.
    #[inline]
    pub(super) fn page(&mut self, page: usize, old: Entry) {
        if old.may_be_cached() && !self.all && self.pages.try_push(page).is_err() {
            self.all = true;
        }
    }

    /// Adds a frame that an entry owned. The entry has been changed and its page added already.
    #[inline]
    pub(super) fn frame(&mut self, frame: Frame) {
        if let Err(refused) = self.frames.try_push(frame) {
            let space = self.space.clone();
            self.finish();
            self.space = space;
            self.frames.push(refused.element());
        }
    }

    /// Adds everything.
    pub(super) fn everything(&mut self) {
        self.all = true;
    }

    /// Adds a share of a table that has been detached. The pages that are not mapped as before have been added already.
    pub(super) fn share(&mut self, page: usize, share: Share) {
        self.path(page);
        if let Err(refused) = self.shares.try_push(share) {
            let space = self.space.clone();
            self.finish();
            self.space = space;
            self.shares.push(refused.element());
        }
    }

    /// Adds an intermediate table that has been detached.
    pub(super) fn table(&mut self, page: usize, table: Frame) {
        self.path(page);
        self.frame(table);
    }

    /// Adds the entries above level 0 for a page. CPUs cache such entries too; any invalidation drops them all
    /// (SDM 4.10.4.1).
    fn path(&mut self, page: usize) {
        if !self.all && self.pages.is_empty() {
            self.pages.push(page);
        }
    }
}

impl Drop for TlbFlush {
    fn drop(&mut self) {
        self.finish();
    }
}
