//! `siginfo_t`: what travels with a signal. 128 bytes: number, errno, code, and a union that depends on the code.

use crate::signal::{SigSet, SigVal, Signal};
use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes, KnownLayout};

/// Sent by `kill`.
pub const SI_USER: i32 = 0;
/// Sent by the kernel.
pub const SI_KERNEL: i32 = 0x80;
/// Sent by `sigqueue`.
pub const SI_QUEUE: i32 = -1;
/// A POSIX timer fired.
pub const SI_TIMER: i32 = -2;
/// A message queue has a message.
pub const SI_MESGQ: i32 = -3;
/// Asynchronous I/O is complete.
pub const SI_ASYNCIO: i32 = -4;
/// Queued `SIGIO`.
pub const SI_SIGIO: i32 = -5;
/// Sent by `tkill` or `tgkill`.
pub const SI_TKILL: i32 = -6;

/// `SIGILL`: illegal opcode.
pub const ILL_ILLOPC: i32 = 1;
/// `SIGILL`: illegal operand.
pub const ILL_ILLOPN: i32 = 2;
/// `SIGILL`: illegal addressing mode.
pub const ILL_ILLADR: i32 = 3;
/// `SIGILL`: illegal trap.
pub const ILL_ILLTRP: i32 = 4;
/// `SIGILL`: privileged opcode.
pub const ILL_PRVOPC: i32 = 5;
/// `SIGILL`: privileged register.
pub const ILL_PRVREG: i32 = 6;
/// `SIGILL`: coprocessor.
pub const ILL_COPROC: i32 = 7;
/// `SIGILL`: internal stack.
pub const ILL_BADSTK: i32 = 8;

/// `SIGFPE`: integer division by zero.
pub const FPE_INTDIV: i32 = 1;
/// `SIGFPE`: integer overflow.
pub const FPE_INTOVF: i32 = 2;
/// `SIGFPE`: floating-point division by zero.
pub const FPE_FLTDIV: i32 = 3;
/// `SIGFPE`: floating-point overflow.
pub const FPE_FLTOVF: i32 = 4;
/// `SIGFPE`: floating-point underflow.
pub const FPE_FLTUND: i32 = 5;
/// `SIGFPE`: inexact result.
pub const FPE_FLTRES: i32 = 6;
/// `SIGFPE`: invalid operation.
pub const FPE_FLTINV: i32 = 7;
/// `SIGFPE`: subscript out of range.
pub const FPE_FLTSUB: i32 = 8;

/// `SIGSEGV`: nothing mapped there.
pub const SEGV_MAPERR: i32 = 1;
/// `SIGSEGV`: mapped, but not for this access.
pub const SEGV_ACCERR: i32 = 2;
/// `SIGSEGV`: bounds check failed.
pub const SEGV_BNDERR: i32 = 3;
/// `SIGSEGV`: refused by a protection key.
pub const SEGV_PKUERR: i32 = 4;
/// `SIGSEGV`: control protection fault.
pub const SEGV_CPERR: i32 = 10;

/// `SIGBUS`: alignment.
pub const BUS_ADRALN: i32 = 1;
/// `SIGBUS`: beyond the end of the object.
pub const BUS_ADRERR: i32 = 2;
/// `SIGBUS`: hardware error.
pub const BUS_OBJERR: i32 = 3;
/// `SIGBUS`: memory error, action required.
pub const BUS_MCEERR_AR: i32 = 4;
/// `SIGBUS`: memory error, action optional.
pub const BUS_MCEERR_AO: i32 = 5;

/// `SIGTRAP`: breakpoint.
pub const TRAP_BRKPT: i32 = 1;
/// `SIGTRAP`: single step.
pub const TRAP_TRACE: i32 = 2;
/// `SIGTRAP`: branch.
pub const TRAP_BRANCH: i32 = 3;
/// `SIGTRAP`: hardware breakpoint.
pub const TRAP_HWBKPT: i32 = 4;

/// `SIGCHLD`: exited.
pub const CLD_EXITED: i32 = 1;
/// `SIGCHLD`: killed.
pub const CLD_KILLED: i32 = 2;
/// `SIGCHLD`: killed, core dumped.
pub const CLD_DUMPED: i32 = 3;
/// `SIGCHLD`: trapped under tracing.
pub const CLD_TRAPPED: i32 = 4;
/// `SIGCHLD`: stopped.
pub const CLD_STOPPED: i32 = 5;
/// `SIGCHLD`: continued.
pub const CLD_CONTINUED: i32 = 6;

/// `SIGIO`: data to read.
pub const POLL_IN: i32 = 1;
/// `SIGIO`: room to write.
pub const POLL_OUT: i32 = 2;
/// `SIGIO`: a message.
pub const POLL_MSG: i32 = 3;
/// `SIGIO`: error.
pub const POLL_ERR: i32 = 4;
/// `SIGIO`: urgent data.
pub const POLL_PRI: i32 = 5;
/// `SIGIO`: hung up.
pub const POLL_HUP: i32 = 6;

/// `SIGSYS`: refused by a seccomp filter.
pub const SYS_SECCOMP: i32 = 1;

/// `siginfo_t`.
///
/// The union starts at byte 16; the accessors read its words by meaning. Build one with the function named after its
/// cause; all other bytes are zero.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct SigInfo {
    /// Signal number.
    pub si_signo: i32,
    /// Errno, nearly always 0.
    pub si_errno: i32,
    /// Cause.
    pub si_code: i32,
    /// Zero.
    pub _pad: i32,
    /// The union, as 28 words from byte 16 on.
    pub fields: [i32; 28],
}

const _: () = assert!(size_of::<SigInfo>() == 128);

impl SigInfo {
    /// Builds the record of a signal that the kernel sends without more to say.
    pub fn kernel(signal: Signal) -> Self {
        Self::new(signal, SI_KERNEL)
    }

    /// Builds the record of `kill`, sent by process `pid` of user `uid`.
    pub fn kill(signal: Signal, pid: i32, uid: u32) -> Self {
        Self::new(signal, SI_USER).with_sender(pid, uid)
    }

    /// Builds the record of `tkill` or `tgkill`.
    pub fn tkill(signal: Signal, pid: i32, uid: u32) -> Self {
        Self::new(signal, SI_TKILL).with_sender(pid, uid)
    }

    /// Builds the record of `sigqueue` with `value`.
    pub fn queue(signal: Signal, pid: i32, uid: u32, value: SigVal) -> Self {
        let mut info = Self::new(signal, SI_QUEUE).with_sender(pid, uid);
        info.set_u64(2, value);
        info
    }

    /// Builds the record of a fault at `address` with a cause of the signal (`SEGV_MAPERR`…).
    pub fn fault(signal: Signal, code: i32, address: u64) -> Self {
        let mut info = Self::new(signal, code);
        info.set_u64(0, address);
        info
    }

    /// Builds the record of a change of child `pid`: `code` is `CLD_*`, `status` its exit code or signal number, the
    /// times are in clock ticks.
    pub fn child(code: i32, pid: i32, uid: u32, status: i32, utime: i64, stime: i64) -> Self {
        let mut info = Self::new(Signal::SIGCHLD, code).with_sender(pid, uid);
        info.fields[2] = status;
        info.set_u64(4, utime as u64);
        info.set_u64(6, stime as u64);
        info
    }

    /// Builds the record of the POSIX timer `timer`, which fired `overrun` times more than was delivered.
    pub fn timer(signal: Signal, timer: i32, overrun: i32, value: SigVal) -> Self {
        let mut info = Self::new(signal, SI_TIMER);
        info.fields[0] = timer;
        info.fields[1] = overrun;
        info.set_u64(2, value);
        info
    }

    /// Returns the POSIX timer whose record this is.
    pub fn timer_id(&self) -> Option<i32> {
        (self.si_code == SI_TIMER).then_some(self.fields[0])
    }

    /// Returns how many times more than was delivered the timer fired.
    pub const fn overrun(&self) -> i32 {
        self.fields[1]
    }

    /// Changes how many times more than was delivered the timer fired.
    pub const fn set_overrun(&mut self, overrun: i32) {
        self.fields[1] = overrun;
    }

    /// Builds the record of I/O on descriptor `fd`: `code` is `POLL_*`, `band` the poll events.
    pub fn poll(signal: Signal, code: i32, band: i64, fd: i32) -> Self {
        let mut info = Self::new(signal, code);
        info.set_u64(0, band as u64);
        info.fields[2] = fd;
        info
    }

    /// Builds the record of a system call that a filter refused: `errno` carries the filter's data.
    pub fn seccomp(call_address: u64, syscall: i32, arch: u32, data: i32) -> Self {
        let mut info = Self::new(Signal::SIGSYS, SYS_SECCOMP);
        info.si_errno = data;
        info.set_u64(0, call_address);
        info.fields[2] = syscall;
        info.fields[3] = arch as i32;
        info
    }

    /// Returns the signal, if the number is one.
    pub fn signal(&self) -> Option<Signal> {
        Signal::new(u32::try_from(self.si_signo).ok()?)
    }

    /// Tells whether a process sent this, not the kernel.
    pub const fn is_from_user(&self) -> bool {
        self.si_code <= 0
    }

    /// Returns `si_pid`: meaningful for kill, queue and child.
    pub const fn pid(&self) -> i32 {
        self.fields[0]
    }

    /// Returns `si_uid`: meaningful for kill, queue and child.
    pub const fn uid(&self) -> u32 {
        self.fields[1] as u32
    }

    /// Returns `si_value`: meaningful for queue and timer.
    pub const fn value(&self) -> SigVal {
        self.u64_at(2)
    }

    /// Returns `si_addr`: meaningful for faults.
    pub const fn address(&self) -> u64 {
        self.u64_at(0)
    }

    /// Returns `si_status`: meaningful for child.
    pub const fn status(&self) -> i32 {
        self.fields[2]
    }

    fn new(signal: Signal, code: i32) -> Self {
        Self { si_signo: signal.number() as i32, si_code: code, ..Self::default() }
    }

    fn with_sender(mut self, pid: i32, uid: u32) -> Self {
        self.fields[0] = pid;
        self.fields[1] = uid as i32;
        self
    }

    /// Stores eight bytes at word `index` of the union.
    fn set_u64(&mut self, index: usize, value: u64) {
        self.fields[index] = value as i32;
        self.fields[index + 1] = (value >> 32) as i32;
    }

    const fn u64_at(&self, index: usize) -> u64 {
        self.fields[index] as u32 as u64 | (self.fields[index + 1] as u32 as u64) << 32
    }
}

/// `struct signalfd_siginfo`: what reads of a signalfd return.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct SignalfdSiginfo {
    /// Signal number.
    pub ssi_signo: u32,
    /// Errno.
    pub ssi_errno: i32,
    /// Cause.
    pub ssi_code: i32,
    /// Sender's process.
    pub ssi_pid: u32,
    /// Sender's user.
    pub ssi_uid: u32,
    /// Descriptor, for `SIGIO`.
    pub ssi_fd: i32,
    /// Timer.
    pub ssi_tid: u32,
    /// Poll events, for `SIGIO`.
    pub ssi_band: u32,
    /// Overruns of the timer.
    pub ssi_overrun: u32,
    /// Trap number.
    pub ssi_trapno: u32,
    /// Exit status or signal, for `SIGCHLD`.
    pub ssi_status: i32,
    /// Value, as `int`.
    pub ssi_int: i32,
    /// Value, as pointer.
    pub ssi_ptr: u64,
    /// User time, for `SIGCHLD`.
    pub ssi_utime: u64,
    /// System time, for `SIGCHLD`.
    pub ssi_stime: u64,
    /// Address, for faults.
    pub ssi_addr: u64,
    /// Least significant bit of the address, for hardware errors.
    pub ssi_addr_lsb: u16,
    /// Zero.
    pub _pad2: u16,
    /// System call, for `SIGSYS`.
    pub ssi_syscall: i32,
    /// Address of the call, for `SIGSYS`.
    pub ssi_call_addr: u64,
    /// Architecture, for `SIGSYS`.
    pub ssi_arch: u32,
    /// Zero.
    pub _pad: [u8; 28],
}

const _: () = assert!(size_of::<SignalfdSiginfo>() == 128);

impl From<&SigInfo> for SignalfdSiginfo {
    /// Tells what the union of a record means by its cause, or, for the kernel's own causes, by its signal.
    fn from(info: &SigInfo) -> Self {
        let mut record = Self::new_zeroed();
        record.ssi_signo = info.si_signo as u32;
        record.ssi_errno = info.si_errno;
        record.ssi_code = info.si_code;
        let signal = info.signal();
        let is_kernels = info.si_code > SI_USER && info.si_code < SI_KERNEL;
        if is_kernels && signal.is_some_and(|signal| SigSet::SYNCHRONOUS.contains(signal)) {
            if signal == Some(Signal::SIGSYS) {
                record.ssi_call_addr = info.address();
                record.ssi_syscall = info.fields[2];
                record.ssi_arch = info.fields[3] as u32;
            } else {
                record.ssi_addr = info.address();
                record.ssi_addr_lsb = info.fields[2] as u16;
            }
        } else if is_kernels && signal == Some(Signal::SIGIO) || info.si_code == SI_SIGIO {
            record.ssi_band = info.fields[0] as u32;
            record.ssi_fd = info.fields[2];
        } else if info.si_code == SI_TIMER {
            record.ssi_tid = info.fields[0] as u32;
            record.ssi_overrun = info.fields[1] as u32;
            record.set_value(info.value());
        } else {
            record.ssi_pid = info.pid() as u32;
            record.ssi_uid = info.uid();
            if is_kernels && signal == Some(Signal::SIGCHLD) {
                record.ssi_status = info.status();
                record.ssi_utime = info.u64_at(4);
                record.ssi_stime = info.u64_at(6);
            } else if info.si_code < 0 {
                record.set_value(info.value());
            }
        }
        record
    }
}

impl SignalfdSiginfo {
    fn set_value(&mut self, value: SigVal) {
        self.ssi_ptr = value;
        self.ssi_int = value as i32;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_read_by_its_cause() {
        let child = SignalfdSiginfo::from(&SigInfo::child(CLD_KILLED, 7, 1000, 9, 3, 4));
        assert_eq!((child.ssi_pid, child.ssi_uid, child.ssi_status), (7, 1000, 9));
        assert_eq!((child.ssi_utime, child.ssi_stime, child.ssi_ptr), (3, 4, 0));
        let queued = SignalfdSiginfo::from(&SigInfo::queue(Signal::SIGCHLD, 7, 8, 0x1_0000_0002));
        assert_eq!((queued.ssi_pid, queued.ssi_ptr, queued.ssi_int), (7, 0x1_0000_0002, 2));
        assert_eq!(queued.ssi_status, 0);
        let timer = SignalfdSiginfo::from(&SigInfo::timer(Signal::SIGALRM, 3, 5, 6));
        assert_eq!((timer.ssi_tid, timer.ssi_overrun, timer.ssi_int, timer.ssi_pid), (3, 5, 6, 0));
        let fault = SignalfdSiginfo::from(&SigInfo::fault(Signal::SIGSEGV, SEGV_MAPERR, 0x1234));
        assert_eq!((fault.ssi_addr, fault.ssi_pid), (0x1234, 0));
        let io = SignalfdSiginfo::from(&SigInfo::poll(Signal::SIGIO, POLL_IN, 0x41, 5));
        assert_eq!((io.ssi_band, io.ssi_fd), (0x41, 5));
    }
}
