//! Tasks: on one CPU at a time, and each sees what the one before did.

use alloc::sync::Arc;

use loom::thread;

use super::owner::Owned;
use crate::{Tracked, model};

#[test]
fn a_task_runs_on_one_cpu_at_a_time() {
    model(|| {
        let task = Arc::new((Owned::new(), Tracked::new(0)));
        let run = |(owned, context): &(Owned, Tracked)| {
            owned.acquire(thread::yield_now);
            context.add_one();
            owned.release();
        };
        let other = task.clone();
        let thread = thread::spawn(move || run(&other));
        let was_free = task.0.try_acquire();
        if was_free {
            task.1.add_one();
            task.0.release();
        }
        thread.join().expect("the thread ends");
        assert_eq!(task.1.get(), 1 + u32::from(was_free));
    });
}
