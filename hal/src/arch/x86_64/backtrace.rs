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

/// Writes a place and its callers, given the frame pointer that was in use there.
pub(super) fn write_from(out: &mut dyn fmt::Write, place: Option<usize>, frame: usize) -> fmt::Result {
    if let Some(place) = place {
        write_place(out, place)?;
    }
    let early = address(&asm::hal_early_stack);
    let Some(bounds) = stack::bounds(frame)
        .or_else(|| Some(early..early + boot::EARLY_STACK).filter(|own| own.contains(&frame)))
    else {
        return Ok(());
    };
    let mut frame = frame;
    for _ in 0..MAX_FRAMES {
        if !frame.is_multiple_of(8) || frame < bounds.start || frame > bounds.end - 16 {
            break;
        }
        let pair = core::ptr::with_exposed_provenance::<[usize; 2]>(frame);
        // SAFETY: aligned, and inside a mapped stack. What lies there may be anything, so it is only looked at.
        let [next, return_address] = unsafe { pair.read_volatile() };
        if !symbols::is_code(return_address) {
            break;
        }
        write_place(out, return_address)?;
        // A stack grows down, so callers lie higher.
        if next <= frame {
            break;
        }
        frame = next;
    }
    Ok(())
}

fn write_place(out: &mut dyn fmt::Write, addr: usize) -> fmt::Result {
    match symbols::lookup(addr) {
        Some((name, offset)) => writeln!(out, "  {addr:#018x} {name}+{offset:#x}"),
        None => writeln!(out, "  {addr:#018x}"),
    }
}
