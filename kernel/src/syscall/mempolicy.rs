//! set_mempolicy(2), get_mempolicy(2), mbind(2), set_mempolicy_home_node(2), migrate_pages(2), move_pages(2), on a machine
//! of one node.

use alloc::sync::Arc;
use core::ops::Range;

use hal::addr::{is_page_aligned, page_ceil};
use hal::user::{UserPtr, clear};
use hal::{PAGE_SIZE, USER_END};
use linux_abi::cap::CAP_SYS_NICE;
use linux_abi::errno::Errno;
use linux_abi::mempolicy::*;

use super::{Args, Context, SyscallError};
use crate::memory::address_space::AddressSpace;
use crate::memory::policy::{NodeSet, Policy};
use crate::process::inspect::{Identity, may_inspect};
use crate::process::tree;
use crate::scheduler;

/// Nodes that a mask may name (`MAX_NUMNODES`).
const MAX_NODES: usize = 1024;

const WORD_BITS: usize = u64::BITS as usize;
const WORD_BYTES: usize = size_of::<u64>();

/// Reads a mask of nodes of one bit less than `bits_and_one` (`get_nodes`); none at address 0.
fn read_nodes(addr: usize, bits_and_one: usize) -> Result<NodeSet, Errno> {
    let bits = bits_and_one.wrapping_sub(1);
    if bits == 0 || addr == 0 {
        return Ok(NodeSet::default());
    }
    if bits > PAGE_SIZE * 8 {
        return Err(Errno::EINVAL);
    }
    let mut nodes = NodeSet::default();
    let mut has_unknown = false;
    for index in 0..bits.div_ceil(WORD_BITS) {
        let mut word = UserPtr::<u64>::new(addr).add(index).read()?;
        let left = bits - index * WORD_BITS;
        if left < WORD_BITS {
            word &= (1 << left) - 1;
        }
        match index {
            0 => nodes.low = word,
            _ if index < MAX_NODES / WORD_BITS => nodes.has_more |= word != 0,
            _ => has_unknown |= word != 0,
        }
    }
    if has_unknown { Err(Errno::EINVAL) } else { Ok(nodes) }
}

/// Writes a mask of nodes to room for one bit less than `bits_and_one` (`copy_nodes_to_user`).
fn write_nodes(addr: usize, bits_and_one: usize, low: u64) -> Result<(), Errno> {
    let bytes = bits_and_one.wrapping_sub(1).next_multiple_of(WORD_BITS) / 8;
    if bytes > WORD_BYTES {
        if bytes > PAGE_SIZE {
            return Err(Errno::EINVAL);
        }
        clear(addr + WORD_BYTES, bytes - WORD_BYTES)?;
    }
    if bytes != 0 {
        UserPtr::<u64>::new(addr).write(&low)?;
    }
    Ok(())
}

/// The pages of a range; `None` is none. Lengths that wrap when they are rounded up are none.
fn pages(start: usize, len: usize) -> Result<Option<Range<usize>>, Errno> {
    let end = start.checked_add(page_ceil(len).unwrap_or(0)).ok_or(Errno::EINVAL)?;
    Ok((start != end).then_some(start..end))
}

/// set_mempolicy(2): sets the policy of the calling thread: argument 0 is a mode, 1 and 2 a mask of nodes.
///
/// # Errors
/// `EINVAL`: a mode or nodes that do not go together, or are not here. `EFAULT`: the mask cannot be read.
pub(super) fn set_mempolicy(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    Policy::check_mode(args.uint(0))?;
    let nodes = read_nodes(args.addr(1), args.size(2))?;
    *cx.user().memory_policy.lock() = Policy::new(args.uint(0), nodes)?;
    Ok(0)
}

/// get_mempolicy(2): tells the policy of the calling thread or of an address, the nodes that may be used, or where a page
/// is: argument 0 takes a mode or a node, 1 and 2 a mask of nodes.
///
/// # Errors
/// `EINVAL`: flags or an address that do not go together, or no room for the nodes. `EFAULT`.
pub(super) fn get_mempolicy(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let (mode_out, mask_out, bits, addr) =
        (args.user_ptr::<i32>(0), args.addr(1), args.size(2), args.addr(3));
    let flags = args.uint(4);
    if mask_out != 0 && bits < 1 || flags & !(MPOL_F_NODE | MPOL_F_ADDR | MPOL_F_MEMS_ALLOWED) != 0 {
        return Err(Errno::EINVAL);
    }
    let (value, nodes) = if flags & MPOL_F_MEMS_ALLOWED != 0 {
        if flags & (MPOL_F_NODE | MPOL_F_ADDR) != 0 {
            return Err(Errno::EINVAL);
        }
        (0, NodeSet::HERE.low)
    } else {
        let policy = if flags & MPOL_F_ADDR != 0 {
            cx.address_space().policy_at(addr)?
        } else if addr != 0 {
            return Err(Errno::EINVAL);
        } else {
            *cx.user().memory_policy.lock()
        };
        let value = match flags & (MPOL_F_NODE | MPOL_F_ADDR) {
            both if both == MPOL_F_NODE | MPOL_F_ADDR => {
                cx.address_space().touch(addr)?;
                0
            }
            MPOL_F_NODE if policy.is_some_and(|policy| policy.plain_mode() == MPOL_INTERLEAVE) => 0,
            MPOL_F_NODE => return Err(Errno::EINVAL),
            _ => policy.map_or(MPOL_DEFAULT, |policy| policy.mode),
        };
        (value, policy.map_or(0, |policy| policy.nodes))
    };
    if !mode_out.is_null() {
        mode_out.write(&(value as i32))?;
    }
    if mask_out != 0 {
        write_nodes(mask_out, bits, nodes)?;
    }
    Ok(0)
}

/// mbind(2): gives a range of memory a policy. All pages are where any policy wants them.
///
/// # Errors
/// - `EINVAL`: a misaligned start, a range that wraps, unknown flags, or as set_mempolicy. `EPERM`: `MPOL_MF_MOVE_ALL`.
/// - `EFAULT`: a hole, or a mask that cannot be read. `ENOMEM`.
pub(super) fn mbind(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let (start, len, mode, flags) = (args.addr(0), args.size(1), args.uint(2), args.uint(5));
    Policy::check_mode(mode)?;
    let nodes = read_nodes(args.addr(3), args.size(4))?;
    if flags & !(MPOL_MF_STRICT | MPOL_MF_MOVE | MPOL_MF_MOVE_ALL) != 0 {
        return Err(Errno::EINVAL);
    }
    check_move_all(cx, flags)?;
    if !is_page_aligned(start) {
        return Err(Errno::EINVAL);
    }
    let Some(range) = pages(start, len)? else { return Ok(0) };
    let policy = Policy::new(mode, nodes)?;
    cx.address_space().set_policy(range, policy)?;
    Ok(0)
}

/// set_mempolicy_home_node(2): names the node to prefer for a range of memory that has a policy.
///
/// # Errors
/// `EINVAL`: a misaligned start, a range that wraps, a flag, no such node. `ENOENT`, `EOPNOTSUPP`: no policy, or one of
/// another kind. `ENOMEM`.
pub(super) fn set_mempolicy_home_node(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    if !is_page_aligned(args.addr(0)) || args.u64(3) != 0 || args.u64(2) != 0 {
        return Err(Errno::EINVAL);
    }
    if let Some(range) = pages(args.addr(0), args.size(1))? {
        cx.address_space().set_home(range)?;
    }
    Ok(0)
}

fn check_move_all(cx: &Context, flags: u32) -> Result<(), Errno> {
    if flags & MPOL_MF_MOVE_ALL != 0 { cx.credentials().require(CAP_SYS_NICE) } else { Ok(()) }
}

/// The memory of a process that the caller may move; 0 is the caller.
fn memory_of(cx: &Context, pid: i32) -> Result<Arc<AddressSpace>, Errno> {
    if pid == 0 {
        return Ok(cx.address_space());
    }
    let thread = tree::find_thread(pid).ok_or(Errno::ESRCH)?;
    let process = &thread.user.as_ref().ok_or(Errno::ESRCH)?.process;
    if !may_inspect(cx.user(), process, Identity::Real) {
        return Err(Errno::EPERM);
    }
    process.try_address_space().ok_or(Errno::EINVAL)
}

/// migrate_pages(2): moves the pages of a process from nodes to others; returns how many could not be moved.
///
/// # Errors
/// `EINVAL`: no target that is here. `ESRCH`, `EPERM`: no such process, or not to be moved. `EFAULT`.
pub(super) fn migrate_pages(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let bits = args.size(1);
    read_nodes(args.addr(2), bits)?;
    let to = read_nodes(args.addr(3), bits)?;
    memory_of(cx, args.int(0))?;
    if (to.low & !NodeSet::HERE.low != 0 || to.has_more) && !cx.credentials().has(CAP_SYS_NICE) {
        return Err(Errno::EPERM);
    }
    if to.has_first() { Ok(0) } else { Err(Errno::EINVAL) }
}

/// move_pages(2): moves pages of a process, argument 2 and 3, to nodes, or tells where they are, in argument 4.
///
/// # Errors
/// `EINVAL`: an unknown flag. `EPERM`, `ESRCH`: no such process, or not to be moved. `ENODEV`: no such node. `EFAULT`.
pub(super) fn move_pages(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let (count, flags) = (args.size(1), args.uint(5));
    let (pages, nodes, status) = (args.user_ptr::<u64>(2), args.user_ptr::<i32>(3), args.user_ptr::<i32>(4));
    if flags & !(MPOL_MF_MOVE | MPOL_MF_MOVE_ALL) != 0 {
        return Err(Errno::EINVAL);
    }
    check_move_all(cx, flags)?;
    let space = memory_of(cx, args.int(0))?;
    for index in 0..count {
        let page = pages.add(index).read()? as usize;
        if !nodes.is_null() && nodes.add(index).read()? != 0 {
            return Err(Errno::ENODEV);
        }
        // Where it is wanted it is already: all pages are on node 0.
        let is_there = if page < USER_END { space.check_present(page) } else { Err(Errno::EFAULT) };
        status.add(index).write(&is_there.map_or_else(|error| -(error as i32), |()| 0))?;
        scheduler::cond_resched();
    }
    Ok(0)
}
