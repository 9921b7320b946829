//! process_vm_readv(2), process_vm_writev(2).

use alloc::sync::Arc;

use hal::PAGE_SIZE;
use linux_abi::errno::Errno;

use super::{Args, Context, SyscallError};
use crate::memory::address_space::{AddressSpace, RemoteMode};
use crate::process::tree;
use crate::uio::{Iovecs, Sink, Source, copy_iovecs};

/// process_vm_readv(2): copies memory of another process here.
///
/// # Errors
/// `EINVAL`: flags, or bad vectors. `ESRCH`, `EPERM`: no such process, or not to be inspected. `EFAULT`, `ENOMEM`.
pub(super) fn process_vm_readv(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let (local, remote, space) = decode(cx, args)?;
    let mut sink = Sink::vectors(&local);
    let mut total = 0;
    for vector in &remote {
        let (mut at, mut left) = (vector.iov_base as usize, vector.iov_len as usize);
        while left != 0 && !sink.is_full() {
            let mut buffer = [0; 512];
            let n = left.min(sink.remaining()).min(buffer.len()).min(PAGE_SIZE - at % PAGE_SIZE);
            let moved = space
                .read_some(at, &mut buffer[..n], RemoteMode::Program)
                .and_then(|n| sink.put(&buffer[..n]));
            match moved {
                Ok(moved) => {
                    total += moved;
                    at += moved;
                    left -= moved;
                    if moved < n {
                        return Ok(total);
                    }
                }
                Err(error) if total == 0 => return Err(error),
                Err(_) => return Ok(total),
            }
        }
    }
    Ok(total)
}

/// process_vm_writev(2): copies memory from here to another process.
///
/// # Errors
/// As [`process_vm_readv`].
pub(super) fn process_vm_writev(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let (local, remote, space) = decode(cx, args)?;
    let mut source = Source::vectors(&local);
    let mut total = 0;
    for vector in &remote {
        let (mut at, mut left) = (vector.iov_base as usize, vector.iov_len as usize);
        while left != 0 && !source.is_empty() {
            let mut buffer = [0; 512];
            let n = left.min(buffer.len()).min(PAGE_SIZE - at % PAGE_SIZE);
            let moved = source
                .take(&mut buffer[..n])
                .and_then(|taken| space.write_some(at, &buffer[..taken], RemoteMode::Program));
            match moved {
                Ok(moved) => {
                    total += moved;
                    at += moved;
                    left -= moved;
                    if moved < n {
                        return Ok(total);
                    }
                }
                Err(error) if total == 0 => return Err(error),
                Err(_) => return Ok(total),
            }
        }
    }
    Ok(total)
}

fn decode(cx: &Context, args: &Args) -> Result<(Iovecs, Iovecs, Arc<AddressSpace>), Errno> {
    if args.u64(5) != 0 {
        return Err(Errno::EINVAL);
    }
    let local = copy_iovecs(args.addr(1), args.size(2))?;
    let remote = copy_iovecs(args.addr(3), args.size(4))?;
    let thread = tree::find_thread(args.int(0)).ok_or(Errno::ESRCH)?;
    let user = thread.user.as_ref().ok_or(Errno::ESRCH)?;
    if !Arc::ptr_eq(&user.process, cx.process()) && !cx.credentials().may_inspect(&user.credentials()) {
        return Err(Errno::EPERM);
    }
    let space = user.process.try_address_space().ok_or(Errno::ESRCH)?;
    Ok((local, remote, space))
}
