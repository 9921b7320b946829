//! Who waits for whom: finds deadlocks between waiters for ranges.

use alloc::vec::Vec;

use hal::sync::SpinLock;
use linux_abi::errno::Errno;

use super::Owner;
use crate::lock_order;

hal::machine_static! {
    /// Waiters and what they wait for.
    static WAITS: SpinLock<Vec<(Owner, Owner)>> = SpinLock::new(lock_order::LOCK_WAITS, Vec::new());
}

/// One waiter. Dropped when the wait is over.
pub(super) struct Wait {
    owner: Owner,
    is_entered: bool,
}

impl Wait {
    pub(super) fn new(owner: Owner) -> Self {
        Self { owner, is_entered: false }
    }

    /// Notes that the waiter now waits for `blocker`.
    ///
    /// # Errors
    /// `EDEADLK`: `blocker` waits, maybe through others, for this waiter. Open files are no deadlocks: any process
    /// may unlock them.
    pub(super) fn set_blocker(&mut self, blocker: Owner) -> Result<(), Errno> {
        if matches!(self.owner, Owner::OpenFile(_)) {
            return Ok(());
        }
        let mut waits = WAITS.lock();
        if self.is_entered {
            remove(&mut waits, self.owner);
            self.is_entered = false;
        }
        if leads_to(&waits, blocker, self.owner) {
            return Err(Errno::EDEADLK);
        }
        waits.try_reserve(1).map_err(|_| Errno::ENOLCK)?;
        waits.push((self.owner, blocker));
        self.is_entered = true;
        Ok(())
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        if self.is_entered {
            remove(&mut WAITS.lock(), self.owner);
        }
    }
}

fn remove(waits: &mut Vec<(Owner, Owner)>, owner: Owner) {
    if let Some(index) = waits.iter().position(|wait| wait.0 == owner) {
        waits.swap_remove(index);
    }
}

/// Whether `from` waits, directly or through others, for `to`.
fn leads_to(waits: &[(Owner, Owner)], from: Owner, to: Owner) -> bool {
    let mut at = from;
    // A chain without a cycle is no longer than the list.
    for _ in 0..=waits.len() {
        if at == to {
            return true;
        }
        match waits.iter().find(|wait| wait.0 == at) {
            Some(wait) => at = wait.1,
            None => return false,
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_that_comes_back_is_found() {
        let p = Owner::Process;
        let waits = [(p(1), p(2)), (p(2), p(3)), (p(4), p(4))];
        assert!(leads_to(&waits, p(1), p(3)));
        assert!(!leads_to(&waits, p(3), p(1)));
        assert!(!leads_to(&waits, p(4), p(1)));
        assert!(leads_to(&waits, p(5), p(5)));
    }
}
