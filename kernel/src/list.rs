//! A doubly linked list of shared objects whose links live inside the objects.
//!
//! Queueing and removing cost a few instructions, never allocate and never fail, so run queues, wait queues and timer
//! queues can be changed from interrupt handlers. A list of one element, the usual case, touches no link at all.
//!
//! # Invariants
//! 1. The list, and the links of every object in it, change only under the lock that guards the list.
//! 2. An object is in at most one list per [`Links`] it carries; who queues it knows whether it is in.
//! 3. `last` is full only when the list has two elements or more.

use alloc::sync::Arc;
use core::marker::PhantomData;
use core::ptr;

use hal::sync::ArcSlot;

/// The two links of an object in a list.
#[derive(Debug)]
pub struct Links<N> {
    next: ArcSlot<N>,
    previous: ArcSlot<N>,
}

impl<N> Links<N> {
    hal::const_fn! {
        /// Makes the links of an object that is in no list.
        pub const fn new() -> Self {
            Self { next: ArcSlot::new(), previous: ArcSlot::new() }
        }
    }
}

impl<N> Default for Links<N> {
    fn default() -> Self {
        Self::new()
    }
}

/// An object that can be in a list. `K` tells apart the several links one object may carry.
pub trait Linked<K>: Sized {
    /// The object's links of kind `K`.
    fn links(&self) -> &Links<Self>;
}

/// A list of `Arc<N>` through the links of kind `K`.
#[derive(Debug)]
pub struct List<N: Linked<K>, K> {
    first: Option<Arc<N>>,
    last: Option<Arc<N>>,
    kind: PhantomData<fn() -> K>,
}

impl<N: Linked<K>, K> List<N, K> {
    /// Makes an empty list.
    pub const fn new() -> Self {
        Self { first: None, last: None, kind: PhantomData }
    }

    /// Whether the list has no element.
    pub fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    /// The first element.
    pub fn front(&self) -> Option<&Arc<N>> {
        self.first.as_ref()
    }

    /// Appends `node`, which must be in no list of this kind.
    pub fn push_back(&mut self, node: Arc<N>) {
        let Some(first) = &self.first else {
            self.first = Some(node);
            return;
        };
        match self.last.take() {
            None => {
                node.links().previous.put(first.clone());
                first.links().next.put(node.clone());
            }
            Some(last) => {
                last.links().next.put(node.clone());
                node.links().previous.put(last);
            }
        }
        self.last = Some(node);
    }

    /// Puts `node`, which must be in no list of this kind, before all others.
    pub fn push_front(&mut self, node: Arc<N>) {
        let Some(first) = self.first.take() else {
            self.first = Some(node);
            return;
        };
        first.links().previous.put(node.clone());
        if self.last.is_none() {
            self.last = Some(first.clone());
        }
        node.links().next.put(first);
        self.first = Some(node);
    }

    /// Removes the first element and returns it.
    pub fn pop_front(&mut self) -> Option<Arc<N>> {
        let first = self.first.take()?;
        if let Some(next) = first.links().next.take() {
            drop(next.links().previous.take());
            self.set_first(next);
        }
        Some(first)
    }

    /// Removes the last element and returns it.
    pub fn pop_back(&mut self) -> Option<Arc<N>> {
        let last = self.last.clone().or_else(|| self.first.clone())?;
        self.remove(&last).then_some(last)
    }

    /// Removes `node`; answers whether it was in the list. `node` must be in this list or in none of this kind.
    pub fn remove(&mut self, node: &N) -> bool {
        let links = node.links();
        match (links.previous.take(), links.next.take()) {
            (None, None) => {
                let is_first = self.first.as_ref().is_some_and(|first| ptr::eq(Arc::as_ptr(first), node));
                if is_first {
                    self.first = None;
                }
                return is_first;
            }
            (None, Some(next)) => {
                drop(next.links().previous.take());
                self.set_first(next);
            }
            (Some(previous), None) => {
                drop(previous.links().next.take());
                let is_alone = self.first.as_ref().is_some_and(|first| Arc::ptr_eq(first, &previous));
                self.last = if is_alone { None } else { Some(previous) };
            }
            (Some(previous), Some(next)) => {
                next.links().previous.put(previous.clone());
                previous.links().next.put(next);
            }
        }
        true
    }

    /// Calls `visit` for each element from the first on, until it answers `false`.
    pub fn for_each_while(&self, mut visit: impl FnMut(&Arc<N>) -> bool) {
        let mut cursor = self.first.clone();
        while let Some(node) = cursor {
            if !visit(&node) {
                return;
            }
            cursor = Self::next_of(&node);
        }
    }

    /// The first element that `is_wanted` accepts.
    pub fn find(&self, mut is_wanted: impl FnMut(&Arc<N>) -> bool) -> Option<Arc<N>> {
        let mut cursor = self.first.clone();
        while let Some(node) = cursor {
            if is_wanted(&node) {
                return Some(node);
            }
            cursor = Self::next_of(&node);
        }
        None
    }

    /// Removes the first element that `is_wanted` accepts, and returns it.
    pub fn take_first(&mut self, is_wanted: impl FnMut(&Arc<N>) -> bool) -> Option<Arc<N>> {
        let node = self.find(is_wanted)?;
        self.remove(&node).then_some(node)
    }

    /// Puts `node`, which must be in no list of this kind, before the first element that `is_later` accepts.
    pub fn insert_before(&mut self, node: Arc<N>, is_later: impl FnMut(&Arc<N>) -> bool) {
        let Some(next) = self.find(is_later) else { return self.push_back(node) };
        let Some(previous) = next.links().previous.take() else { return self.push_front(node) };
        drop(previous.links().next.take());
        previous.links().next.put(node.clone());
        next.links().previous.put(node.clone());
        node.links().previous.put(previous);
        node.links().next.put(next);
    }

    /// The element after `node`, which must be in the list. The link is emptied and filled again, which invariant 1 makes
    /// invisible.
    pub fn next_of(node: &Arc<N>) -> Option<Arc<N>> {
        let next = node.links().next.take()?;
        node.links().next.put(next.clone());
        Some(next)
    }

    fn set_first(&mut self, first: Arc<N>) {
        if self.last.as_ref().is_some_and(|last| Arc::ptr_eq(last, &first)) {
            self.last = None;
        }
        self.first = Some(first);
    }
}

impl<N: Linked<K>, K> Default for List<N, K> {
    fn default() -> Self {
        Self::new()
    }
}

impl<N: Linked<K>, K> Drop for List<N, K> {
    fn drop(&mut self) {
        // One by one, so that a long list is not dropped by recursion along its links.
        while self.pop_front().is_some() {}
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use alloc::collections::VecDeque;
    use alloc::vec::Vec;

    use proptest::prelude::*;

    use super::*;

    #[derive(Default)]
    struct Node {
        value: usize,
        links: Links<Node>,
    }

    impl Linked<()> for Node {
        fn links(&self) -> &Links<Self> {
            &self.links
        }
    }

    fn contents(list: &List<Node, ()>) -> Vec<usize> {
        let mut all = Vec::new();
        list.for_each_while(|node| {
            all.push(node.value);
            true
        });
        all
    }

    proptest! {
        #[test]
        fn behaves_as_a_deque_and_keeps_no_reference(steps in prop::collection::vec((0u8..6, 0usize..8), 0..200)) {
            let nodes: Vec<_> = (0..8).map(|value| Arc::new(Node { value, links: Links::new() })).collect();
            let mut list = List::new();
            let mut model = VecDeque::new();
            for (step, value) in steps {
                let at = model.iter().position(|&other| other > value).unwrap_or(model.len());
                let is_in = model.contains(&value);
                match step {
                    0 if !is_in => { list.push_back(nodes[value].clone()); model.push_back(value); }
                    1 if !is_in => { list.push_front(nodes[value].clone()); model.push_front(value); }
                    2 => prop_assert_eq!(list.pop_front().map(|node| node.value), model.pop_front()),
                    3 => prop_assert_eq!(list.pop_back().map(|node| node.value), model.pop_back()),
                    4 if !is_in => {
                        list.insert_before(nodes[value].clone(), |node| node.value > value);
                        model.insert(at, value);
                    }
                    _ => {
                        prop_assert_eq!(list.remove(&nodes[value]), is_in);
                        model.retain(|&other| other != value);
                    }
                }
                prop_assert_eq!(contents(&list), model.iter().copied().collect::<Vec<_>>());
                prop_assert_eq!(list.is_empty(), model.is_empty());
            }
            drop(list);
            for node in &nodes {
                prop_assert_eq!(Arc::strong_count(node), 1);
            }
        }
    }

    #[test]
    fn takes_the_first_wanted_element_only() {
        let mut list = List::new();
        for value in [1, 2, 3, 2] {
            list.push_back(Arc::new(Node { value, links: Links::new() }));
        }
        assert_eq!(list.take_first(|node| node.value == 2).map(|node| node.value), Some(2));
        assert_eq!(contents(&list), [1, 3, 2]);
        assert!(list.take_first(|node| node.value == 9).is_none());
    }
}
