//! Which thread carries which id.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;

use hal::sync::SpinLock;
use linux_abi::errno::Errno;

use super::thread::{Thread, ThreadId};
use crate::lock_order;

hal::machine_static! {
    static THREADS: SpinLock<Registry> = SpinLock::new(lock_order::THREADS, Registry { threads: BTreeMap::new(), last: 0 });
}

struct Registry {
    threads: BTreeMap<ThreadId, Arc<Thread>>,
    last: i32,
}

/// Takes an id that no thread carries.
///
/// # Errors
/// `EAGAIN`: there is none.
pub(crate) fn allocate_id() -> Result<ThreadId, Errno> {
    let mut registry = THREADS.lock();
    registry.last = registry.last.checked_add(1).ok_or(Errno::EAGAIN)?;
    Ok(ThreadId::new(registry.last))
}

/// Makes a thread known by its id.
pub(crate) fn insert(thread: Arc<Thread>) {
    let old = THREADS.lock().threads.insert(thread.id(), thread);
    drop(old);
}

/// Makes a thread unknown; the caller drops the handle where that is safe.
pub(crate) fn remove(id: ThreadId) -> Option<Arc<Thread>> {
    THREADS.lock().threads.remove(&id)
}

/// The thread with this id.
pub(crate) fn find(id: ThreadId) -> Option<Arc<Thread>> {
    THREADS.lock().threads.get(&id).cloned()
}
