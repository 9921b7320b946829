//! Shoot-down: when it returns, the other CPU has dropped the translations, and neither waits for ever.

use alloc::sync::Arc;

use loom::thread;

use crate::cpu::CpuId;
use crate::model;
use crate::paging::CpuMask;
use crate::pc::{area, cpu, shootdown};
use crate::sync::atomic::{AtomicUsize, Ordering};

/// The pages are the kernel's, whatever space is loaded.
const KERNEL: address_tags::Request = address_tags::Request { space: 0, generation: 0 };

/// What a CPU does: it has the other one drop some pages, each of `requests`, and serves it until that one is done too.
fn run(me: usize, requests: &[&[usize]], done: &AtomicUsize) {
    area::become_cpu(me);
    let other = CpuId::new(1 - me);
    for pages in requests {
        shootdown::shootdown(CpuMask(1 << other.index()), KERNEL, pages);
        // The other one may be dropping more only for the next request.
        let wanted =
            pages.iter().fold(if pages.is_empty() { u32::MAX } else { 0 }, |bits, page| bits | 1 << page);
        assert_eq!(area::of(other).dropped.get() & wanted, wanted, "a translation is left");
    }
    done.fetch_add(1, Ordering::AcqRel);
    while done.load(Ordering::Acquire) < 2 {
        cpu::relax();
    }
}

fn both(first: &'static [&'static [usize]], second: &'static [&'static [usize]]) {
    model(move || {
        let done = Arc::new(AtomicUsize::new(0));
        let theirs = done.clone();
        let thread = thread::spawn(move || run(1, second, &theirs));
        run(0, first, &done);
        thread.join().expect("the CPU ends");
    });
}

#[test]
fn two_cpus_ask_each_other_at_once() {
    both(&[&[3]], &[&[5]]);
}

#[test]
fn a_second_request_is_not_taken_for_the_first() {
    both(&[&[1, 2], &[]], &[]);
}
