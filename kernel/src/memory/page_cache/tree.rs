//! Frames by page number: a radix tree that is as deep as the largest number asks for.
//!
//! A leaf holds 64 frames in 256 bytes, an inner node 64 children. A subtree that a removal empties goes with it.

use alloc::boxed::Box;
use core::ops::Range;

use hal::frame::Frame;
use smallvec::SmallVec;

const BITS: u32 = 6;
const FANOUT: usize = 1 << BITS;

#[derive(Debug)]
enum Node {
    Inner(Box<[Option<Node>; FANOUT]>),
    Leaf(Box<[Option<Frame>; FANOUT]>),
}

impl Node {
    fn new(level: u32) -> Self {
        if level == 0 {
            Self::Leaf(Box::new([const { None }; FANOUT]))
        } else {
            Self::Inner(Box::new([const { None }; FANOUT]))
        }
    }

    fn count(&self) -> usize {
        match self {
            Self::Inner(children) => children.iter().flatten().map(Node::count).sum(),
            Self::Leaf(frames) => frames.iter().flatten().count(),
        }
    }
}

/// What a removal took out. Dropping it is the costly part, to be done without a lock.
#[derive(Debug, Default)]
pub(super) struct Removed {
    nodes: SmallVec<[Node; 4]>,
    frames: SmallVec<[Frame; 8]>,
    /// Number of frames.
    pub(super) pages: usize,
}

/// Frames by page number.
#[derive(Debug, Default)]
pub(super) struct Tree {
    root: Option<Node>,
    /// Level of the root; leaves are of level 0.
    level: u32,
    pages: usize,
}

/// Returns the slot, at this level, on the way to a page.
fn slot(index: u64, level: u32) -> usize {
    (index >> (BITS * level)) as usize % FANOUT
}

/// Returns the number of pages below a node of this level; saturates.
fn span(level: u32) -> u64 {
    1u64.checked_shl(BITS * (level + 1)).unwrap_or(u64::MAX)
}

impl Tree {
    pub(super) const fn new() -> Self {
        Self { root: None, level: 0, pages: 0 }
    }

    /// Returns the number of frames.
    pub(super) fn len(&self) -> usize {
        self.pages
    }

    /// Returns the frame of a page.
    #[inline]
    pub(super) fn get(&self, index: u64) -> Option<&Frame> {
        if index >= span(self.level) {
            return None;
        }
        let mut node = self.root.as_ref()?;
        let mut level = self.level;
        loop {
            match node {
                Node::Inner(children) => node = children[slot(index, level)].as_ref()?,
                Node::Leaf(frames) => return frames[slot(index, 0)].as_ref(),
            }
            level -= 1;
        }
    }

    /// Sets the frame of a page that has none.
    pub(super) fn insert(&mut self, index: u64, frame: Frame) {
        while index >= span(self.level) {
            self.level += 1;
            if let Some(old) = self.root.take() {
                let mut children = Box::new([const { None }; FANOUT]);
                children[0] = Some(old);
                self.root = Some(Node::Inner(children));
            }
        }
        let mut level = self.level;
        let mut node = self.root.get_or_insert_with(|| Node::new(level));
        loop {
            match node {
                Node::Inner(children) => {
                    node = children[slot(index, level)].get_or_insert_with(|| Node::new(level - 1));
                }
                Node::Leaf(frames) => {
                    let place = &mut frames[slot(index, 0)];
                    debug_assert!(place.is_none());
                    *place = Some(frame);
                    self.pages += 1;
                    return;
                }
            }
            level -= 1;
        }
    }

    /// Takes out all frames of a range of pages.
    pub(super) fn remove(&mut self, range: Range<u64>) -> Removed {
        let mut removed = Removed::default();
        if let Some(root) = &mut self.root
            && range.start < range.end
        {
            if range.start == 0 && range.end >= span(self.level) {
                removed.take(&mut self.root);
            } else if remove_below(root, self.level, 0, &range, &mut removed) {
                self.root = None;
            }
        }
        self.pages -= removed.pages;
        removed
    }

    /// Returns the first page from `index` on that has a frame.
    pub(super) fn next_present(&self, index: u64) -> Option<u64> {
        if index >= span(self.level) {
            return None;
        }
        present_below(self.root.as_ref()?, self.level, 0, index)
    }

    /// Returns the first page from `index` on that has no frame.
    pub(super) fn next_absent(&self, index: u64) -> u64 {
        let mut at = index;
        while self.get(at).is_some() {
            at += 1;
        }
        at
    }
}

impl Removed {
    fn take(&mut self, place: &mut Option<Node>) {
        if let Some(node) = place.take() {
            self.pages += node.count();
            self.nodes.push(node);
        }
    }
}

/// Takes the frames of `range` out of a node whose first page is `base`; tells whether the node is empty now.
fn remove_below(node: &mut Node, level: u32, base: u64, range: &Range<u64>, removed: &mut Removed) -> bool {
    match node {
        Node::Leaf(frames) => {
            for (i, place) in frames.iter_mut().enumerate() {
                if range.contains(&(base + i as u64))
                    && let Some(frame) = place.take()
                {
                    removed.frames.push(frame);
                    removed.pages += 1;
                }
            }
            frames.iter().all(Option::is_none)
        }
        Node::Inner(children) => {
            let width = span(level - 1);
            for (i, place) in children.iter_mut().enumerate() {
                let Some(first) = (i as u64).checked_mul(width).and_then(|first| first.checked_add(base))
                else {
                    break;
                };
                let end = first.saturating_add(width);
                if end <= range.start || range.end <= first {
                    continue;
                }
                if range.start <= first && end <= range.end {
                    removed.take(place);
                } else if let Some(child) = place
                    && remove_below(child, level - 1, first, range, removed)
                {
                    *place = None;
                }
            }
            children.iter().all(Option::is_none)
        }
    }
}

/// Finds the first page from `index` on in a node whose first page is `base`.
fn present_below(node: &Node, level: u32, base: u64, index: u64) -> Option<u64> {
    match node {
        Node::Leaf(frames) => {
            let pages = frames.iter().enumerate().filter(|(_, frame)| frame.is_some());
            pages.map(|(i, _)| base + i as u64).find(|&page| page >= index)
        }
        Node::Inner(children) => {
            let width = span(level - 1);
            children.iter().enumerate().find_map(|(i, child)| {
                let child = child.as_ref()?;
                let first = base + i as u64 * width;
                if first.saturating_add(width) <= index {
                    return None;
                }
                present_below(child, level - 1, first, index)
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeMap;
    use alloc::vec::Vec;

    use proptest::prelude::*;

    use super::*;
    use crate::memory::physical::buddy_allocator::alloc_frame;

    #[test]
    fn numbers_up_to_the_largest_file_offset_work() {
        let mut tree = Tree::new();
        let last = i64::MAX as u64 >> 12;
        tree.insert(last, alloc_frame().unwrap());
        tree.insert(0, alloc_frame().unwrap());
        assert_eq!(tree.next_present(1), Some(last));
        assert_eq!(tree.next_absent(last), last + 1);
        assert_eq!(tree.remove(1..u64::MAX).pages, 1);
        assert_eq!((tree.len(), tree.next_present(1)), (1, None));
        assert_eq!(tree.remove(0..1).pages, 1);
        assert!(tree.root.is_none());
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

        #[test]
        fn behaves_as_an_ordered_map(ops in prop::collection::vec((0u8..6, 0u64..9000, 1u64..5000), 0..120)) {
            let mut tree = Tree::new();
            let mut model = BTreeMap::new();
            for (op, index, len) in ops {
                match op {
                    0..=3 => {
                        model.entry(index).or_insert_with(|| {
                            let frame = alloc_frame().unwrap();
                            let number = frame.number();
                            tree.insert(index, frame);
                            number
                        });
                    }
                    _ => {
                        let range = index..index + len;
                        let gone: Vec<_> = model.range(range.clone()).map(|(&page, _)| page).collect();
                        prop_assert_eq!(tree.remove(range).pages, gone.len());
                        for page in gone {
                            model.remove(&page);
                        }
                    }
                }
                prop_assert_eq!(tree.len(), model.len());
                prop_assert_eq!(tree.get(index).map(Frame::number), model.get(&index).copied());
                prop_assert_eq!(tree.next_present(index), model.range(index..).next().map(|(&page, _)| page));
                prop_assert_eq!(tree.next_absent(index), (index..).find(|page| !model.contains_key(page)).unwrap());
            }
        }
    }
}
