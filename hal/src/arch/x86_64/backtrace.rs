//! Return addresses along the frame pointers of a kernel stack.

use core::fmt;

use super::asm::{self, address};
use super::{boot, registers, stack, symbols};

/// Frames written at most.
const MAX_FRAMES: usize = 32;

/// Writes the callers of this function.
pub(crate) fn write(out: &mut dyn fmt::Write) -> fmt::Result {
    write_from(out, None, registers::frame_pointer())
}

/// Notes the callers of this function.
pub(crate) fn capture(calls: &mut [usize]) -> usize {
    let mut free = calls.iter_mut();
    let mut n = 0;
    walk(registers::frame_pointer(), |call| {
        let slot = free.next()?;
        *slot = call;
        n += 1;
        Some(())
    });
    n
}

/// Writes a place and its callers, given the frame pointer that was in use there.
pub(super) fn write_from(out: &mut dyn fmt::Write, place: Option<usize>, frame: usize) -> fmt::Result {
    let mut line = |place| {
        write!(out, "  {place:#018x} ")?;
        write_place(out, place)?;
        writeln!(out)
    };
    let mut result = place.map_or(Ok(()), &mut line);
    walk(frame, |call| {
        result = line(call);
        result.ok()
    });
    result
}

/// Calls `visit` with each return address until it answers `None`.
fn walk(frame: usize, mut visit: impl FnMut(usize) -> Option<()>) {
    let early = address(&asm::hal_early_stack);
    let Some(bounds) = stack::bounds(frame)
        .or_else(|| Some(early..early + boot::EARLY_STACK).filter(|own| own.contains(&frame)))
    else {
        return;
    };
    let mut frame = frame;
    for _ in 0..MAX_FRAMES {
        if !frame.is_multiple_of(8) || frame < bounds.start || frame > bounds.end - 16 {
            break;
        }
        let pair = core::ptr::with_exposed_provenance::<[usize; 2]>(frame);
        // SAFETY: aligned, and inside a mapped stack. What lies there may be anything, so it is only looked at.
        let [next, return_address] = unsafe { pair.read_volatile() };
        if !symbols::is_code(return_address) || visit(return_address).is_none() {
            break;
        }
        // A stack grows down, so callers lie higher.
        if next <= frame {
            break;
        }
        frame = next;
    }
}

pub(crate) fn write_place(out: &mut dyn fmt::Write, addr: usize) -> fmt::Result {
    match symbols::lookup(addr) {
        Some((name, offset)) => write!(out, "{name}+{offset:#x}"),
        None => write!(out, "{addr:#x}"),
    }
}
