//! Robust lists (set_robust_list(2)): the locks a thread still holds when it ends are marked as orphaned.

use alloc::sync::Arc;
use core::sync::atomic::Ordering::Relaxed;

use hal::user;
use linux_abi::errno::Errno;
use linux_abi::futex::{FUTEX_OWNER_DIED, FUTEX_TID_MASK, FUTEX_WAITERS, ROBUST_LIST_LIMIT, RobustListHead};

use super::wake_in_space;
use crate::memory::address_space::AddressSpace;
use crate::process::UserThread;
use crate::scheduler;

/// Marks the locks on the list of the calling thread, which ends or runs another program, as orphaned and wakes who
/// waits for them. The list is the program's; whatever is wrong with it ends the walk.
pub(super) fn orphan_list(thread: &UserThread) {
    let head_addr = thread.robust_list.swap(0, Relaxed);
    if head_addr == 0 {
        return;
    }
    let Some(space) = thread.process.try_address_space() else { return };
    let _ = walk(&space, head_addr, scheduler::current().tid().cast_unsigned());
}

fn walk(space: &Arc<AddressSpace>, head_addr: usize, tid: u32) -> Result<(), Errno> {
    let head = user::UserPtr::<RobustListHead>::new(head_addr).read()?;
    let word_of = |entry: u64| (entry & !1).wrapping_add_signed(head.futex_offset) as usize;
    let pending = head.list_op_pending;
    let mut entry = head.list;
    for _ in 0..ROBUST_LIST_LIMIT {
        if (entry & !1) as usize == head_addr {
            break;
        }
        // Before the lock is let go: then its memory may be gone.
        let next = user::UserPtr::<u64>::new((entry & !1) as usize).read();
        if entry & !1 != pending & !1 {
            orphan(space, word_of(entry), tid, entry & 1 != 0, false)?;
        }
        entry = next?;
        scheduler::cond_resched();
    }
    if pending & !1 != 0 {
        orphan(space, word_of(pending), tid, pending & 1 != 0, true)?;
    }
    Ok(())
}

/// Marks the lock word at `addr` as orphaned if the thread `tid` owns it. Who waits for a lock that `inherits` is told
/// when the thread lets go of all of those.
fn orphan(
    space: &Arc<AddressSpace>,
    addr: usize,
    tid: u32,
    inherits: bool,
    is_pending: bool,
) -> Result<(), Errno> {
    if !addr.is_multiple_of(4) {
        return Err(Errno::EINVAL);
    }
    let mut word = user::load_u32(addr)?;
    // Ended between unlocking and waking: somebody may wait for a word that nobody owns.
    if is_pending && !inherits && word & FUTEX_TID_MASK == 0 {
        wake_in_space(space, addr, 1);
        return Ok(());
    }
    while word & FUTEX_TID_MASK == tid {
        match user::compare_exchange_u32(addr, word, word & FUTEX_WAITERS | FUTEX_OWNER_DIED)? {
            Ok(_) => {
                if word & FUTEX_WAITERS != 0 && !inherits {
                    wake_in_space(space, addr, 1);
                }
                break;
            }
            Err(actual) => word = actual,
        }
    }
    Ok(())
}
