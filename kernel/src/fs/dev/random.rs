//! `/dev/random` and `/dev/urandom` (random(4)): the same generator, which is ready from the start.

use hal::user::{UserPtr, UserSlice};
use linux_abi::cap::CAP_SYS_ADMIN;
use linux_abi::errno::Errno;
use linux_abi::ioctl::{
    RNDADDENTROPY, RNDADDTOENTCNT, RNDCLEARPOOL, RNDGETENTCNT, RNDRESEEDCRNG, RNDZAPENTCNT,
};

use crate::fs::vfs::{File, IoFlags, OpenFile, PollEvents};
use crate::random;
use crate::scheduler;
use crate::scheduler::wait::PollTable;
use crate::uio::{Sink, Source};

/// Bytes moved at a time.
const CHUNK: usize = 256;
/// Bits of entropy that Linux says its pool holds once it is ready.
const ENTROPY_BITS: i32 = 256;

/// An open random device.
pub(super) struct RandomFile {
    ready_for: PollEvents,
}

impl RandomFile {
    /// `/dev/random`: polls as writable only as long as it lacks entropy, which it never does.
    pub(super) const fn blocking() -> Self {
        Self { ready_for: PollEvents::READABLE }
    }

    /// `/dev/urandom`.
    pub(super) const fn unblocking() -> Self {
        Self { ready_for: PollEvents::ALWAYS_READY }
    }
}

/// Whether a long transfer should end here, after `done` bytes. Gives others a turn.
fn is_interrupted(done: usize) -> bool {
    if !done.is_multiple_of(hal::PAGE_SIZE) {
        return false;
    }
    scheduler::cond_resched();
    scheduler::current().has_pending_signal()
}

/// Mixes `len` bytes at `address` into the pool.
fn add_from_user(address: usize, len: usize) -> Result<(), Errno> {
    let mut source = Source::user(address, len);
    let mut chunk = [0; CHUNK];
    while !source.is_empty() {
        let len = source.take(&mut chunk)?;
        random::add_entropy(&chunk[..len]);
        scheduler::cond_resched();
    }
    Ok(())
}

fn require_admin() -> Result<(), Errno> {
    let current = scheduler::current();
    current.user.as_ref().ok_or(Errno::EPERM)?.credentials().require(CAP_SYS_ADMIN)
}

impl File for RandomFile {
    fn read(&self, _position: &mut u64, sink: &mut Sink<'_>, _flags: IoFlags) -> Result<usize, Errno> {
        let mut done = 0;
        let mut chunk = [0; CHUNK];
        while !sink.is_full() {
            let len = sink.remaining().min(CHUNK);
            random::fill(&mut chunk[..len]);
            match sink.put(&chunk[..len]) {
                Ok(stored) => done += stored,
                Err(errno) => return if done > 0 { Ok(done) } else { Err(errno) },
            }
            if is_interrupted(done) {
                break;
            }
        }
        Ok(done)
    }

    fn write(&self, _position: &mut u64, source: &mut Source<'_>, _flags: IoFlags) -> Result<usize, Errno> {
        let mut done = 0;
        let mut chunk = [0; CHUNK];
        while !source.is_empty() {
            match source.take(&mut chunk) {
                Ok(len) => {
                    random::add_entropy(&chunk[..len]);
                    done += len;
                }
                Err(errno) => return if done > 0 { Ok(done) } else { Err(errno) },
            }
            if is_interrupted(done) {
                break;
            }
        }
        Ok(done)
    }

    fn seek(&self, current: u64, _offset: i64, _whence: u32) -> Result<u64, Errno> {
        Ok(current)
    }

    fn poll(&self, _table: Option<&mut PollTable>) -> PollEvents {
        self.ready_for
    }

    fn ioctl(&self, _open: &OpenFile, command: u32, argument: usize) -> Result<usize, Errno> {
        match command {
            RNDGETENTCNT => UserPtr::<i32>::new(argument).write(&ENTROPY_BITS)?,
            RNDADDTOENTCNT => {
                require_admin()?;
                if UserPtr::<i32>::new(argument).read()? < 0 {
                    return Err(Errno::EINVAL);
                }
            }
            RNDADDENTROPY => {
                require_admin()?;
                let mut head = [0; 8];
                UserSlice::new(argument, head.len()).read(&mut head)?;
                let [bits, len] =
                    [0, 4].map(|at| i32::from_ne_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]));
                let len = usize::try_from(len).map_err(|_| Errno::EINVAL)?;
                if bits < 0 {
                    return Err(Errno::EINVAL);
                }
                add_from_user(argument.checked_add(head.len()).ok_or(Errno::EFAULT)?, len)?;
            }
            // The count is a constant since the generator never runs dry; Linux does nothing here either.
            RNDZAPENTCNT | RNDCLEARPOOL => require_admin()?,
            RNDRESEEDCRNG => {
                require_admin()?;
                random::add_entropy(&hal::cpu::random_seed());
            }
            _ => return Err(Errno::EINVAL),
        }
        Ok(0)
    }
}
