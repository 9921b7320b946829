//! poll(2), ppoll(2), select(2), pselect6(2).

use alloc::sync::Arc;
use alloc::vec::Vec;

use hal::user::UserPtr;
use linux_abi::errno::Errno;
use linux_abi::poll::{POLLERR, POLLHUP, POLLNVAL, Pollfd};
use linux_abi::resource::RLIMIT_NOFILE;
use linux_abi::select::{EXCEPT_EVENTS, FD_SETSIZE, READ_EVENTS, SigsetArgpack, WRITE_EVENTS, words};
use linux_abi::signal::SigSet;
use linux_abi::time::{Timespec, Timeval};
use zerocopy::{FromZeros, IntoBytes};

use super::sigaction::{end_temporary_mask, use_temporary_mask};
use super::{Args, Context, SyscallError};
use crate::fs::vfs::{FileTable, OpenFile};
use crate::memory::fallible;
use crate::scheduler::wait::PollTable;

/// The deadline of a call that is not to wait at all; the clock need not be asked.
const NOW: u64 = 0;

/// So many structures of poll(2) take no memory of their own.
const FEW_ENTRIES: usize = 32;

/// So many words of descriptor sets take no memory of their own: six sets of the C library.
const FEW_WORDS: usize = 6 * words(FD_SETSIZE);

/// poll(2). Errors: `EINTR`, `EINVAL`: too many descriptors, `EFAULT`, `ENOMEM`.
pub(super) fn poll(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let timeout = args.int(2);
    let deadline = u64::try_from(timeout).ok().map(|milliseconds| match milliseconds {
        0 => NOW,
        _ => cx.user().deadline_or(|| hal::time::now_ns().saturating_add(milliseconds * 1_000_000)),
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
        Some(deadline_in(ns))
    };
    let outcome = select_descriptors(cx, args, deadline);
    if let Some(deadline) = deadline {
        // Linux ignores a timeout it cannot store.
        let _ = timeout.write(&Timeval::from_ns(time_left(deadline)));
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
    Ok(Some(deadline_in(ns)))
}

/// The deadline of a call that may wait for `ns` nanoseconds.
pub(super) fn deadline_in(ns: u64) -> u64 {
    if ns == 0 { NOW } else { hal::time::now_ns().saturating_add(ns) }
}

/// Nanoseconds until `deadline`.
fn time_left(deadline: u64) -> u64 {
    if deadline == NOW { 0 } else { deadline.saturating_sub(hal::time::now_ns()) }
}

fn store_left(timeout: UserPtr<Timespec>, deadline: Option<u64>) {
    if let Some(deadline) = deadline {
        // Linux ignores a timeout it cannot store.
        let _ = timeout.write(&Timespec::from_ns(time_left(deadline)));
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
    if count > 1024 && count as u64 > cx.process().limit(RLIMIT_NOFILE) {
        return Err(Errno::EINVAL);
    }
    let (mut few, mut many) = ([Pollfd::new_zeroed(); FEW_ENTRIES], Vec::new());
    let entries = room(&mut few, &mut many, count)?;
    hal::user::copy_in(entries.as_mut_bytes(), addr)?;

    let ready = wait_ready(&cx.files(), deadline, &mut Structures(entries))?;
    // The answers alone: another thread may have changed the rest.
    hal::user::copy_out_words(addr, entries, core::mem::offset_of!(Pollfd, revents))?;
    Ok(ready)
}

/// What poll(2) or select(2) asks.
trait Question {
    /// At most so many descriptors are asked about.
    fn count(&self) -> usize;

    /// Notes of every descriptor what `look` says it is ready for, in the bits of poll(2); returns how much of what is
    /// asked for is ready.
    fn ask(&mut self, look: impl FnMut(i32) -> u16) -> usize;
}

/// The structures of poll(2).
struct Structures<'a>(&'a mut [Pollfd]);

impl Question for Structures<'_> {
    fn count(&self) -> usize {
        self.0.len()
    }

    fn ask(&mut self, mut look: impl FnMut(i32) -> u16) -> usize {
        let mut ready = 0;
        for entry in self.0.iter_mut() {
            let wanted = entry.events | POLLERR | POLLHUP | POLLNVAL;
            entry.revents = if entry.fd < 0 { 0 } else { look(entry.fd) & wanted };
            ready += usize::from(entry.revents != 0);
        }
        ready
    }
}

/// Asks, and sleeps until an answer finds something, the deadline passes or a signal comes.
fn wait_ready(
    files: &FileTable,
    deadline: Option<u64>,
    question: &mut impl Question,
) -> Result<usize, Errno> {
    let look = |fd| files.get(fd).map_or(POLLNVAL, |open| open.file().poll(None).bits() as u16);
    let ready = question.ask(look);
    if ready > 0 || deadline.is_some_and(|deadline| deadline == NOW || deadline <= hal::time::now_ns()) {
        return Ok(ready);
    }
    let mut table = PollTable::new();
    // Nobody else's close ends what is watched meanwhile.
    let mut watched: Vec<Arc<OpenFile>> = fallible::vec(question.count())?;
    let mut ready = question.ask(|fd| {
        let Ok(open) = files.get(fd) else { return POLLNVAL };
        let events = open.file().poll(Some(&mut table));
        watched.push(open);
        events.bits() as u16
    });
    while ready == 0 {
        let is_in_time = table.wait(deadline)?;
        ready = question.ask(look);
        if !is_in_time {
            break;
        }
    }
    Ok(ready)
}

/// `count` zeroes: of `few` if they are enough, else as `many`.
fn room<'a, T: FromZeros>(
    few: &'a mut [T],
    many: &'a mut Vec<T>,
    count: usize,
) -> Result<&'a mut [T], Errno> {
    if count <= few.len() {
        return Ok(&mut few[..count]);
    }
    *many = T::new_vec_zeroed(count).map_err(|_| Errno::ENOMEM)?;
    Ok(many)
}

fn select_descriptors(cx: &Context, args: &Args, deadline: Option<u64>) -> Result<usize, Errno> {
    let count = usize::try_from(args.int(0)).map_err(|_| Errno::EINVAL)?;
    let files = cx.files();
    let count = count.min(files.capacity());
    let len = words(count);
    let (mut few, mut many) = ([0; FEW_WORDS], Vec::new());
    let (asked, found) = room(&mut few, &mut many, 6 * len)?.split_at_mut(3 * len);
    let addrs = [args.addr(1), args.addr(2), args.addr(3)];
    for (class, addr) in addrs.into_iter().enumerate().filter(|(_, addr)| *addr != 0) {
        let set = &mut asked[class * len..][..len];
        hal::user::copy_in(set.as_mut_bytes(), addr)?;
        if !count.is_multiple_of(64)
            && let Some(last) = set.last_mut()
        {
            *last &= (1 << (count % 64)) - 1;
        }
    }
    let mut sets = Sets { len, asked, found };
    if !files.are_used((0..len).map(|index| sets.asks(index))) {
        return Err(Errno::EBADF);
    }
    let ready = wait_ready(&files, deadline, &mut sets)?;
    for (class, addr) in addrs.into_iter().enumerate().filter(|(_, addr)| *addr != 0) {
        hal::user::copy_out(addr, sets.found[class * len..][..len].as_bytes())?;
    }
    Ok(ready)
}

/// The sets of select(2), each of `len` words: the three asked for, in the order of the arguments, and what is found
/// of each.
struct Sets<'a> {
    len: usize,
    asked: &'a mut [u64],
    found: &'a mut [u64],
}

impl Sets<'_> {
    /// The descriptors of word `index` that are in any set.
    fn asks(&self, index: usize) -> u64 {
        self.asked[index] | self.asked[self.len + index] | self.asked[2 * self.len + index]
    }
}

impl Question for Sets<'_> {
    fn count(&self) -> usize {
        (0..self.len).map(|index| self.asks(index).count_ones() as usize).sum()
    }

    fn ask(&mut self, mut look: impl FnMut(i32) -> u16) -> usize {
        let mut ready = 0;
        for index in 0..self.len {
            let (mut answers, mut left) = ([0; 3], self.asks(index));
            while left != 0 {
                let (fd, bit) = (index * 64 + left.trailing_zeros() as usize, left & left.wrapping_neg());
                left ^= bit;
                let events = look(fd as i32);
                for (answer, class) in answers.iter_mut().zip([READ_EVENTS, WRITE_EVENTS, EXCEPT_EVENTS]) {
                    *answer |= if events & class != 0 { bit } else { 0 };
                }
            }
            for (class, answer) in answers.into_iter().enumerate() {
                let at = class * self.len + index;
                self.found[at] = answer & self.asked[at];
                ready += self.found[at].count_ones() as usize;
            }
        }
        ready
    }
}
