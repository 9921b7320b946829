//! Memory of a process that is not running here: `/proc/PID/mem`, process_vm_readv(2), ptrace(2), execve(2).

use hal::addr::page_floor;
use hal::frame::Frame;
use hal::paging::PageFlags;
use hal::{Access, PAGE_SIZE, USER_END};
use linux_abi::errno::Errno;

use super::Body;
use super::mm::Mm;
use crate::uio::in_pieces;

/// What rights an access needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RemoteMode {
    /// Those that the program itself has.
    Program,
    /// Those that a debugger has: it reads and, in private mappings, writes what the program may not.
    Debugger,
}

impl Body {
    /// Copies from the address space; returns the number of bytes before the first that cannot be read.
    ///
    /// # Errors
    /// `EFAULT`: not even one byte. `ENOMEM`: no memory.
    pub fn read_some(&self, addr: usize, dst: &mut [u8], mode: RemoteMode) -> Result<usize, Errno> {
        let len = dst.len();
        self.access(addr, len, Access::Read, mode, |frame, offset, done, n| {
            frame.read(offset, &mut dst[done..done + n]);
        })
    }

    /// Copies into the address space; returns the number of bytes before the first that cannot be written.
    ///
    /// # Errors
    /// `EFAULT`: not even one byte. `ENOMEM`: no memory.
    pub fn write_some(&self, addr: usize, src: &[u8], mode: RemoteMode) -> Result<usize, Errno> {
        self.access(addr, src.len(), Access::Write, mode, |frame, offset, done, n| {
            frame.write(offset, &src[done..done + n]);
        })
    }

    /// Fills `dst` from the address space, with a debugger's rights.
    ///
    /// # Errors
    /// `EFAULT`: some byte cannot be read. `ENOMEM`: no memory.
    pub fn read_remote(&self, addr: usize, dst: &mut [u8]) -> Result<(), Errno> {
        match self.read_some(addr, dst, RemoteMode::Debugger)? {
            n if n == dst.len() => Ok(()),
            _ => Err(Errno::EFAULT),
        }
    }

    /// Writes all of `src` to the address space, with the program's rights.
    ///
    /// # Errors
    /// `EFAULT`: some byte cannot be written. `ENOMEM`: no memory.
    pub fn write_remote(&self, addr: usize, src: &[u8]) -> Result<(), Errno> {
        match self.write_some(addr, src, RemoteMode::Program)? {
            n if n == src.len() => Ok(()),
            _ => Err(Errno::EFAULT),
        }
    }

    /// Calls `copy(frame, offset in it, bytes done, bytes here)` for each page of a range.
    fn access(
        &self,
        addr: usize,
        len: usize,
        access: Access,
        mode: RemoteMode,
        mut copy: impl FnMut(&Frame, usize, usize, usize),
    ) -> Result<usize, Errno> {
        in_pieces(len, |done| {
            let offset = addr.wrapping_add(done) % PAGE_SIZE;
            let n = (PAGE_SIZE - offset).min(len - done);
            let at = addr.checked_add(done).filter(|&at| at < USER_END);
            // The lock is taken for each page: a long copy must not keep the program from faulting.
            let frame =
                at.ok_or(Errno::EFAULT).and_then(|at| self.mm.lock().page_for(at, access, mode, self));
            (n, frame.map(|frame| copy(&frame, offset, done, n)).map(|()| n))
        })
    }
}

impl Mm {
    fn page_for(&mut self, addr: usize, access: Access, mode: RemoteMode, of: &Body) -> Result<Frame, Errno> {
        let page = page_floor(addr);
        self.resolve(addr, access, mode == RemoteMode::Debugger, of.limits())?;
        if self.table.get(page).is_none() {
            // A large page has no frames to be handed out.
            self.table.separate(page)?;
        }
        let (frame, flags) = self.table.get(page).ok_or(Errno::EFAULT)?;
        let is_own = flags.contains(PageFlags::ANONYMOUS) && !flags.contains(PageFlags::COPY_ON_WRITE);
        if access == Access::Write && !flags.contains(PageFlags::WRITE) && !is_own {
            return Err(Errno::EFAULT);
        }
        Ok(frame)
    }
}
