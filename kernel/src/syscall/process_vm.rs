//! process_vm_readv(2), process_vm_writev(2).

use alloc::sync::Arc;

use hal::PAGE_SIZE;
use linux_abi::errno::Errno;
use linux_abi::uio::Iovec;

use super::{Args, Context, SyscallError};
use crate::memory::address_space::{AddressSpace, RemoteMode};
use crate::process::inspect::{Identity, may_inspect};
use crate::process::tree;
use crate::uio::{Iovecs, Sink, Source, copy_iovecs, in_pieces};

/// Bytes that are moved at a time.
const PIECE: usize = 512;

/// process_vm_readv(2): copies memory of another process here.
///
/// # Errors
/// `EINVAL`: flags, or bad vectors. `ESRCH`, `EPERM`: no such process, or not to be inspected. `EFAULT`, `ENOMEM`.
pub(super) fn process_vm_readv(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let Some((local, remote, space)) = decode(cx, args)? else { return Ok(0) };
    let mut sink = Sink::vectors(&local);
    let mut buffer = [0; PIECE];
    copy(&remote, sink.remaining(), |at, n| {
        let piece = &mut buffer[..n];
        let n = space.read_some(at, piece, RemoteMode::Program)?;
        sink.put(&piece[..n])
    })
}

/// process_vm_writev(2): copies memory from here to another process.
///
/// # Errors
/// As [`process_vm_readv`].
pub(super) fn process_vm_writev(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let Some((local, remote, space)) = decode(cx, args)? else { return Ok(0) };
    let mut source = Source::vectors(&local);
    let mut buffer = [0; PIECE];
    copy(&remote, source.remaining(), |at, n| {
        let n = source.take(&mut buffer[..n])?;
        space.write_some(at, &buffer[..n], RemoteMode::Program)
    })
}

/// Calls `piece(address, bytes)` for one piece of the other process's memory after the other, each within a page, until
/// the vectors end, `wanted` bytes are moved or a piece moves less; returns the bytes moved.
fn copy(
    remote: &[Iovec],
    wanted: usize,
    mut piece: impl FnMut(usize, usize) -> Result<usize, Errno>,
) -> Result<usize, Errno> {
    let mut vectors = remote.iter().map(|vector| (vector.iov_base as usize, vector.iov_len as usize));
    let (mut at, mut left) = (0, 0);
    in_pieces(wanted, |done| {
        if left == 0 {
            (at, left) = vectors.find(|vector| vector.1 != 0).unwrap_or((0, 0));
        }
        let n = left.min(wanted - done).min(PIECE).min(PAGE_SIZE - at % PAGE_SIZE);
        let moved = if n == 0 { Ok(0) } else { piece(at, n) };
        if let Ok(moved) = moved {
            (at, left) = (at + moved, left - moved);
        }
        (n, moved)
    })
}

/// Returns the vectors and the other's memory; `None` when there is nothing to copy, from or to whomever.
fn decode(cx: &Context, args: &Args) -> Result<Option<(Iovecs, Iovecs, Arc<AddressSpace>)>, Errno> {
    if args.u64(5) != 0 {
        return Err(Errno::EINVAL);
    }
    let local = copy_iovecs(args.addr(1), args.size(2))?;
    let remote = copy_iovecs(args.addr(3), args.size(4))?;
    if [&local, &remote].iter().any(|vectors| vectors.iter().all(|vector| vector.iov_len == 0)) {
        return Ok(None);
    }
    let thread = tree::find_thread(args.int(0)).ok_or(Errno::ESRCH)?;
    let user = thread.user.as_ref().ok_or(Errno::ESRCH)?;
    if !may_inspect(cx.user(), &user.process, Identity::Real) {
        return Err(Errno::EPERM);
    }
    let space = user.process.try_address_space().ok_or(Errno::ESRCH)?;
    Ok(Some((local, remote, space)))
}
