//! Restartable sequences (rseq(2)): a program changes data of the CPU it runs on without atomics; if it loses the CPU in the
//! middle, it goes on at the sequence's abort handler.
//!
//! The scheduler raises [`Work::RSEQ`] when a registered thread is pre-empted or gets another CPU; a page fault does when
//! it had to wait. (A system call in a sequence is not allowed, so who waits in one is in none.) On the way back to user mode, and before a
//! signal handler runs, the thread is taken out of the sequence it is in, and its area is told the CPU.

use core::mem::offset_of;
use core::sync::atomic::Ordering::Relaxed;
use core::sync::atomic::{AtomicU32, AtomicUsize};

use hal::task::{UserRegs, Work};
use hal::user::{self, UserPtr};
use linux_abi::errno::Errno;
use linux_abi::rseq::{RSEQ_CPU_ID_UNINITIALIZED, Rseq, RseqCs};

use crate::scheduler::Thread;

/// A thread's registration.
#[derive(Debug)]
pub struct RestartableSequences {
    /// Address of the area (`struct rseq`); 0: not registered.
    area: AtomicUsize,
    /// What lies before every abort handler.
    signature: AtomicU32,
    /// The CPU the area names.
    told_cpu: AtomicU32,
}

impl RestartableSequences {
    /// Makes the state of a thread that has registered nothing.
    pub(super) const fn new() -> Self {
        Self { area: AtomicUsize::new(0), signature: AtomicU32::new(0), told_cpu: AtomicU32::new(0) }
    }

    /// Whether there is an area.
    pub fn is_registered(&self) -> bool {
        self.area.load(Relaxed) != 0
    }

    /// Whether the area is at `addr`.
    pub fn is_at(&self, addr: usize) -> bool {
        self.area.load(Relaxed) == addr
    }

    /// Whether this signature was registered.
    pub fn has_signature(&self, signature: u32) -> bool {
        self.signature.load(Relaxed) == signature
    }

    /// Registers an area of `thread`, the caller; it is filled in on the way to user mode.
    pub fn register(&self, thread: &Thread, addr: usize, signature: u32) {
        self.area.store(addr, Relaxed);
        self.signature.store(signature, Relaxed);
        self.told_cpu.store(RSEQ_CPU_ID_UNINITIALIZED, Relaxed);
        thread.has_sequences.store(true, Relaxed);
        thread.task.raise(Work::RSEQ);
    }

    /// Ends the registration of `thread`, the caller, and says so in the area.
    ///
    /// # Errors
    /// `EFAULT`: the area cannot be written; the registration stays.
    pub fn unregister(&self, thread: &Thread) -> Result<(), Errno> {
        self.write_cpu(0, RSEQ_CPU_ID_UNINITIALIZED)?;
        self.forget(thread);
        Ok(())
    }

    /// Ends the registration of `thread` without touching its memory.
    pub(super) fn forget(&self, thread: &Thread) {
        self.area.store(0, Relaxed);
        thread.has_sequences.store(false, Relaxed);
    }

    /// Lets `child`, which has a copy of the memory, have a copy of the registration.
    pub(super) fn inherit(&self, parent: &Self, child: &Thread) {
        if parent.is_registered() {
            self.register(child, parent.area.load(Relaxed), parent.signature.load(Relaxed));
        }
    }

    /// Takes the calling thread, which was interrupted at `regs`, out of the sequence it is in, and tells its area the CPU.
    ///
    /// # Errors
    /// `EFAULT`, `EINVAL`: the area or the sequence is broken; the thread gets SIGSEGV for that.
    pub(super) fn restart(&self, regs: &mut UserRegs) -> Result<(), Errno> {
        if !self.is_registered() {
            return Ok(());
        }
        self.leave_sequence(regs)?;
        let cpu = hal::cpu::id().index() as u32;
        if self.told_cpu.load(Relaxed) != cpu {
            self.write_cpu(cpu, cpu)?;
            self.told_cpu.store(cpu, Relaxed);
        }
        Ok(())
    }

    fn write_cpu(&self, start: u32, cpu: u32) -> Result<(), Errno> {
        let area = self.area.load(Relaxed);
        user::store_u32(area + offset_of!(Rseq, cpu_id_start), start)?;
        user::store_u32(area + offset_of!(Rseq, cpu_id), cpu)?;
        Ok(())
    }

    fn leave_sequence(&self, regs: &mut UserRegs) -> Result<(), Errno> {
        let area = self.area.load(Relaxed);
        let pointer = area + offset_of!(Rseq, rseq_cs);
        let (low, high) = (user::load_u32(pointer)?, user::load_u32(pointer + 4)?);
        let at = u64::from(high) << 32 | u64::from(low);
        if at == 0 {
            return Ok(());
        }
        let current = UserPtr::<u64>::new(pointer);
        let sequence = UserPtr::<RseqCs>::new(at as usize).read()?;
        self.check(&sequence)?;
        if regs.rip.wrapping_sub(sequence.start_ip) >= sequence.post_commit_offset {
            return Ok(current.write(&0)?);
        }
        let flags = user::load_u32(area + offset_of!(Rseq, flags))?;
        if sequence.flags | flags != 0 {
            return Err(Errno::EINVAL);
        }
        current.write(&0)?;
        regs.rip = sequence.abort_ip;
        Ok(())
    }

    /// Refuses a sequence that does not lie in the program, contains its own abort handler, or has none with the signature.
    fn check(&self, sequence: &RseqCs) -> Result<(), Errno> {
        let end = sequence.start_ip.checked_add(sequence.post_commit_offset).ok_or(Errno::EINVAL)?;
        let is_inside = |ip: u64| ip < hal::USER_END as u64;
        let aborts_outside = sequence.abort_ip.wrapping_sub(sequence.start_ip) >= sequence.post_commit_offset;
        let is_valid = sequence.version == 0
            && aborts_outside
            && [sequence.start_ip, end, sequence.abort_ip].into_iter().all(is_inside);
        if !is_valid {
            return Err(Errno::EINVAL);
        }
        let before = (sequence.abort_ip as usize).wrapping_sub(size_of::<u32>());
        let found = UserPtr::<u32>::new(before).read()?;
        if self.has_signature(found) { Ok(()) } else { Err(Errno::EINVAL) }
    }
}
