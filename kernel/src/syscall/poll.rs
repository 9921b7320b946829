//! poll(2), ppoll(2), select(2), pselect6(2).

use alloc::sync::Arc;
use alloc::vec::Vec;

use hal::user::UserPtr;
use linux_abi::errno::Errno;
use linux_abi::poll::{POLLERR, POLLHUP, POLLNVAL, Pollfd};
use linux_abi::resource::RLIMIT_NOFILE;
use linux_abi::select::{EXCEPT_EVENTS, READ_EVENTS, SigsetArgpack, WRITE_EVENTS, words};
use linux_abi::signal::SigSet;
use linux_abi::time::{Timespec, Timeval};
use zerocopy::{FromZeros, IntoBytes};

use super::sigaction::{end_temporary_mask, use_temporary_mask};
use super::{Args, Context, SyscallError};
use crate::fs::vfs::{OpenFile, PollEvents};
use crate::scheduler::wait::PollTable;

/// poll(2). Errors: `EINTR`, `EINVAL`: too many descriptors, `EFAULT`, `ENOMEM`.
pub(super) fn poll(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let timeout = args.int(2);
    let deadline = u64::try_from(timeout).ok().map(|milliseconds| {
        cx.user().deadline_or(|| hal::time::now_ns().saturating_add(milliseconds * 1_000_000))
    });
    let outcome = poll_descriptors(cx, args.addr(0), args.uint(1) as usize, deadline);
    if outcome == Err(Errno::EINTR)
        && let Some(deadline) = deadline
    {
        cx.user().restart_deadline.store(deadline, core::sync::atomic::Ordering::Relaxed);
    }
    outcome
}

/// ppoll(2): poll with a mask in force meanwhile; the time left is stored. Errors as poll.
pub(super) fn ppoll(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let timeout = args.user_ptr::<Timespec>(2);
    let deadline = deadline_of(timeout)?;
    set_mask(cx, args.addr(3), args.size(4))?;
    let outcome = poll_descriptors(cx, args.addr(0), args.uint(1) as usize, deadline);
    finish(cx, outcome, || store_left(timeout, deadline))
}

/// select(2): the time left is stored. Errors: `EBADF`, `EINTR`, `EINVAL`, `EFAULT`, `ENOMEM`.
pub(super) fn select(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let timeout = args.user_ptr::<Timeval>(4);
    let deadline = if timeout.is_null() {
        None
    } else {
        let time = timeout.read()?;
        if time.tv_sec < 0 || time.tv_usec < 0 {
            return Err(Errno::EINVAL);
        }
        let ns = (time.tv_sec as u64)
            .saturating_mul(1_000_000_000)
            .saturating_add((time.tv_usec as u64).saturating_mul(1000));
        Some(hal::time::now_ns().saturating_add(ns))
    };
    let outcome = select_descriptors(cx, args, deadline);
    if let Some(deadline) = deadline {
        // Linux ignores a timeout it cannot store.
        let _ = timeout.write(&Timeval::from_ns(deadline.saturating_sub(hal::time::now_ns())));
    }
    outcome
}

/// pselect6(2): select with a mask in force meanwhile. Errors as select.
pub(super) fn pselect6(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let timeout = args.user_ptr::<Timespec>(4);
    let deadline = deadline_of(timeout)?;
    let pack = args.user_ptr::<SigsetArgpack>(5);
    if !pack.is_null() {
        let pack = pack.read()?;
        set_mask(cx, pack.sigmask as usize, pack.size as usize)?;
    }
    let outcome = select_descriptors(cx, args, deadline);
    finish(cx, outcome, || store_left(timeout, deadline))
}

fn deadline_of(timeout: UserPtr<Timespec>) -> Result<Option<u64>, Errno> {
    if timeout.is_null() {
        return Ok(None);
    }
    let ns = timeout.read()?.to_ns().ok_or(Errno::EINVAL)?;
    Ok(Some(hal::time::now_ns().saturating_add(ns)))
}

fn store_left(timeout: UserPtr<Timespec>, deadline: Option<u64>) {
    if let Some(deadline) = deadline {
        // Linux ignores a timeout it cannot store.
        let _ = timeout.write(&Timespec::from_ns(deadline.saturating_sub(hal::time::now_ns())));
    }
}

pub(super) fn set_mask(cx: &Context, addr: usize, size: usize) -> Result<(), Errno> {
    if addr == 0 {
        return Ok(());
    }
    if size != size_of::<SigSet>() {
        return Err(Errno::EINVAL);
    }
    use_temporary_mask(cx, UserPtr::<SigSet>::new(addr).read()?);
    Ok(())
}

/// Ends a call with a temporary mask: after `EINTR` the mask stays for the handler's sake.
pub(super) fn finish(
    cx: &Context,
    outcome: Result<usize, Errno>,
    store: impl FnOnce(),
) -> Result<usize, Errno> {
    store();
    if outcome != Err(Errno::EINTR) {
        end_temporary_mask(cx);
    }
    outcome
}

fn poll_descriptors(cx: &Context, addr: usize, count: usize, deadline: Option<u64>) -> Result<usize, Errno> {
    if count as u64 > cx.process().limit(RLIMIT_NOFILE).max(1024) {
        return Err(Errno::EINVAL);
    }
    let mut entries: Vec<Pollfd> = Vec::new();
    entries.try_reserve_exact(count).map_err(|_| Errno::ENOMEM)?;
    entries.resize_with(count, Pollfd::new_zeroed);
    hal::user::copy_in(entries.as_mut_bytes(), addr)?;
    let files = cx.files();
    let open: Vec<Option<Arc<OpenFile>>> = entries.iter().map(|entry| files.get(entry.fd).ok()).collect();

    let ready = wait_ready(deadline, |mut table| {
        let mut ready = 0;
        for (entry, open) in entries.iter_mut().zip(&open) {
            entry.revents = match open {
                _ if entry.fd < 0 => 0,
                None => POLLNVAL,
                Some(open) => {
                    let events = open.poll(table.as_deref_mut()).bits() as u16;
                    events & (entry.events | POLLERR | POLLHUP)
                }
            };
            ready += usize::from(entry.revents != 0);
        }
        ready
    })?;

    for (index, entry) in entries.iter().enumerate() {
        let at = addr.wrapping_add(index * size_of::<Pollfd>() + core::mem::offset_of!(Pollfd, revents));
        hal::user::copy_out(at, entry.revents.as_bytes())?;
    }
    Ok(ready)
}

/// Looks, and sleeps until a look finds something, the deadline passes or a signal comes. `look` gets the table to
/// register with in its first round only, and answers how much is ready.
fn wait_ready(
    deadline: Option<u64>,
    mut look: impl FnMut(Option<&mut PollTable>) -> usize,
) -> Result<usize, Errno> {
    let is_expired = deadline.is_some_and(|deadline| deadline <= hal::time::now_ns());
    let ready = look(None);
    if ready > 0 || is_expired {
        return Ok(ready);
    }
    let mut table = PollTable::new();
    let mut ready = look(Some(&mut table));
    while ready == 0 {
        if !table.wait(deadline)? {
            return Ok(look(None));
        }
        ready = look(None);
    }
    Ok(ready)
}

/// One of the three sets of select.
struct FdSet {
    addr: usize,
    asked: Vec<u64>,
    found: Vec<u64>,
}

impl FdSet {
    fn read(addr: usize, count: usize) -> Result<Self, Errno> {
        let mut asked = alloc::vec![0u64; words(count)];
        if addr != 0 {
            hal::user::copy_in(asked.as_mut_bytes(), addr)?;
            if !count.is_multiple_of(64)
                && let Some(last) = asked.last_mut()
            {
                *last &= (1 << (count % 64)) - 1;
            }
        }
        Ok(Self { addr, found: alloc::vec![0; asked.len()], asked })
    }

    fn asks(&self, fd: usize) -> bool {
        self.asked[fd / 64] & 1 << (fd % 64) != 0
    }

    fn note(&mut self, fd: usize, is_ready: bool) -> usize {
        let is_found = is_ready && self.asks(fd);
        if is_found {
            self.found[fd / 64] |= 1 << (fd % 64);
        }
        usize::from(is_found)
    }

    fn write(&self) -> Result<(), Errno> {
        if self.addr != 0 {
            hal::user::copy_out(self.addr, self.found.as_bytes())?;
        }
        Ok(())
    }
}

fn select_descriptors(cx: &Context, args: &Args, deadline: Option<u64>) -> Result<usize, Errno> {
    let count = usize::try_from(args.int(0)).map_err(|_| Errno::EINVAL)?;
    let files = cx.files();
    let count = count.min(files.capacity().max(64));
    let mut sets = [
        FdSet::read(args.addr(1), count)?,
        FdSet::read(args.addr(2), count)?,
        FdSet::read(args.addr(3), count)?,
    ];
    let mut watched: Vec<(usize, Arc<OpenFile>)> = Vec::new();
    for fd in 0..count {
        if sets.iter().any(|set| set.asks(fd)) {
            watched.push((fd, files.get(fd as i32)?));
        }
    }

    let ready = wait_ready(deadline, |mut table| {
        let mut ready = 0;
        for set in &mut sets {
            set.found.fill(0);
        }
        for (fd, open) in &watched {
            let events = open.poll(table.as_deref_mut()).bits();
            let classes = [READ_EVENTS, WRITE_EVENTS, EXCEPT_EVENTS];
            for (set, class) in sets.iter_mut().zip(classes) {
                ready += set.note(*fd, events & PollEvents::from_bits_truncate(u32::from(class)).bits() != 0);
            }
        }
        ready
    })?;

    for set in &sets {
        set.write()?;
    }
    Ok(ready)
}
