//! Heaps used by two threads at a time.

use std::sync::Barrier;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use crate::heaps::{Heap, Places, Step};
use crate::time::Settings;

/// Threads, and CPUs of the simulated machine.
pub(crate) const THREADS: usize = 2;
/// Blocks that change hands at a time: what that costs is a small part of what they cost.
const LOAD: usize = 256;

/// Returns the nanoseconds of a step when each thread takes all of them at places of its own: those of one thread alone, if the
/// heap scales.
pub(crate) fn mix<H: Heap>(settings: Settings, heap: &H, steps: &[Step]) -> f64 {
    // They begin and end each round together.
    let line = Barrier::new(THREADS);
    let work = |thread: usize| {
        heap.enter(thread);
        let mut places = Places::new(heap);
        settings.best(|| {
            line.wait();
            let done = places.walk(steps);
            line.wait();
            done
        })
    };
    std::thread::scope(|scope| {
        let other = scope.spawn(|| work(1));
        let own = work(0);
        other.join().map_or(own, |other| own.max(other))
    })
}

/// Returns the nanoseconds of a block that one thread takes and another gives back, both at work at the same time.
pub(crate) fn pass_on<H: Heap>(settings: Settings, heap: &H, steps: &[Step]) -> f64 {
    let (send, receive) = sync_channel::<Vec<H::Block>>(4);
    let (send_back, receive_back) = sync_channel::<Vec<H::Block>>(8);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            heap.enter(1);
            give_all(heap, receive, send_back);
        });
        heap.enter(0);
        take_all(settings, heap, steps, send, receive_back)
    })
}

/// Gives back what arrives; returns the empty lists.
fn give_all<H: Heap>(heap: &H, blocks: Receiver<Vec<H::Block>>, empty: SyncSender<Vec<H::Block>>) {
    for mut load in blocks {
        load.drain(..).for_each(|block| heap.give(block));
        // Who took them may have gone.
        let _ = empty.send(load);
    }
}

/// Takes blocks and sends them away, until there are no more than a few under way; times that.
fn take_all<H: Heap>(
    settings: Settings,
    heap: &H,
    steps: &[Step],
    blocks: SyncSender<Vec<H::Block>>,
    empty: Receiver<Vec<H::Block>>,
) -> f64 {
    settings.best(|| {
        let mut under_way = 0;
        for some in steps.chunks(LOAD) {
            let mut load = match empty.try_recv() {
                Ok(load) => {
                    under_way -= 1;
                    load
                }
                Err(_) => Vec::with_capacity(LOAD),
            };
            load.extend(some.iter().filter_map(|&(_, layout)| heap.take(layout)));
            blocks.send(load).expect("the other thread is there");
            under_way += 1;
        }
        // The round is over when the last block has been given back.
        (0..under_way).for_each(|_| drop(empty.recv()));
        steps.len()
    })
}
