//! Frames: what one owner did happened before the next one's turn.

use alloc::sync::Arc;

use loom::thread;

use super::handles;
use super::table::{FrameState, FrameTable, Taken};
use crate::sync::atomic::AtomicU32;
use crate::{Tracked, model};

/// Four frames and their memory.
struct Frames {
    table: FrameTable,
    memory: [Tracked; 4],
}

impl Frames {
    /// Every order of steps has frames of its own, which are few.
    fn new() -> Arc<Self> {
        let states: Vec<FrameState> = (0..4).map(|_| FrameState::default()).collect();
        let table = FrameTable::new(states.leak(), vec![Taken::default()].leak());
        Arc::new(Self { table, memory: [0; 4].map(Tracked::new) })
    }

    /// Claims a block, and uses it if that succeeds.
    fn claim(&self, first: usize, order: u8) -> bool {
        let is_ours = self.table.claim(first, order).is_ok();
        if is_ours {
            self.memory[first..first + (1 << order)].iter().for_each(Tracked::add_one);
        }
        is_ours
    }

    fn release(&self, first: usize, order: u8) {
        self.memory[first..first + (1 << order)].iter().for_each(Tracked::add_one);
        self.table.release(first, order);
    }

    fn word(&self) -> &'static AtomicU32 {
        self.table.state(0).expect("there are four frames")
    }
}

/// Two threads claim what a third lets go of: one may get it, and sees what the owner before did.
fn claim_what_is_released(owned: (usize, u8), first: (usize, u8), second: (usize, u8)) {
    model(move || {
        let frames = Frames::new();
        assert!(frames.claim(owned.0, owned.1));
        let claims = [first, second].map(|(at, order)| {
            let frames = frames.clone();
            thread::spawn(move || u32::from(frames.claim(at, order)))
        });
        frames.release(owned.0, owned.1);
        let claims: u32 = claims.into_iter().map(|thread| thread.join().expect("the thread ends")).sum();
        assert!(claims <= 1, "claimed twice");
    });
}

#[test]
fn a_frame_is_claimed_by_one_after_its_last_owner() {
    claim_what_is_released((1, 0), (1, 0), (1, 0));
}

#[test]
fn a_block_is_claimed_by_one_after_its_last_owner() {
    claim_what_is_released((0, 1), (0, 1), (0, 1));
}

#[test]
fn a_block_and_a_frame_of_it_are_claimed_by_one() {
    claim_what_is_released((1, 0), (0, 1), (1, 0));
}

#[test]
fn a_claim_that_fails_leaves_free_what_it_found_free() {
    model(|| {
        let frames = Frames::new();
        assert!(frames.claim(1, 0));
        let other = frames.clone();
        let thread = thread::spawn(move || other.claim(0, 1));
        frames.release(1, 0);
        if !thread.join().expect("the thread ends") {
            assert!(frames.claim(0, 1), "what the claim had taken is free again");
        }
    });
}

#[test]
fn the_last_handle_frees_after_all_others() {
    model(|| {
        let frames = Frames::new();
        assert!(frames.claim(0, 0));
        handles::add(frames.word());
        let other = frames.clone();
        let drop_one = |frames: &Frames| {
            // Every handle may look; whoever frees may do anything.
            frames.memory[0].get();
            let is_last = handles::drop_one(frames.word());
            if is_last {
                frames.release(0, 0);
            }
            u32::from(is_last)
        };
        let thread = thread::spawn(move || {
            handles::add(other.word());
            drop_one(&other) + drop_one(&other)
        });
        let freed = drop_one(&frames) + thread.join().expect("the thread ends");
        assert_eq!(freed, 1);
        assert!(frames.claim(0, 0));
    });
}

#[test]
fn a_page_is_written_by_its_last_owner_alone() {
    // Copy-on-write: who finds itself alone writes, others copy and let go; the last one to let go frees.
    model(|| {
        let frames = Frames::new();
        assert!(frames.claim(0, 0));
        handles::add(frames.word());
        let write = |frames: &Frames| {
            let is_alone = handles::is_unique(frames.word());
            if !is_alone {
                frames.memory[0].get();
            }
            if is_alone || handles::drop_one(frames.word()) {
                frames.memory[0].add_one();
            }
        };
        let other = frames.clone();
        let thread = thread::spawn(move || write(&other));
        write(&frames);
        thread.join().expect("the thread ends");
        assert_eq!(frames.memory[0].get(), 2);
    });
}

#[test]
fn a_shared_table_is_given_up_in_turn() {
    const SHARE: u32 = 1 << 16;
    // As `Table::take_share`: who finds no other share has the table, after all that others did.
    model(|| {
        let frames = Frames::new();
        assert!(frames.claim(0, 0));
        assert!(handles::update(frames.word(), |count| Some(count + SHARE)));
        let give_up = |frames: &Frames| {
            frames.memory[0].get();
            if !handles::update(frames.word(), |count| count.checked_sub(SHARE)) {
                frames.memory[0].add_one();
            }
        };
        let other = frames.clone();
        let thread = thread::spawn(move || give_up(&other));
        give_up(&frames);
        thread.join().expect("the thread ends");
        assert_eq!(frames.memory[0].get(), 2);
    });
}
