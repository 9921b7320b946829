//! The heap's debug mode, `exo.heap=debug` on the kernel command line: finds writes beyond an allocation, uses after a
//! free, double frees and leaks, and says who allocated and who freed. What happens is counted and logged; the memory
//! concerned is never used again.
//!
//! ```text
//!   0          size                  slot - 32
//!   | payload  | red zone, 16 or more |  Note  |
//! ```
//!
//! Every allocation gets a slot with room for a red zone and a [`Note`] behind it; the red zone of the slot before lies
//! in front. A freed slot is filled with poison and waits in a [quarantine] until others follow; its poison
//! is looked at before it is used again. The caches of the CPUs stay empty, so the fast paths, which know nothing of
//! all this, always end here. Allocations of nearly 16 MiB, the largest block, have no room for a red zone.

mod note;
mod quarantine;
mod sites;

use core::alloc::Layout;
use core::fmt;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

use hal::Error;
use hal::heap::{MAX_SLOT, Slot, SlotSize};

use self::note::{NOTE_BYTES, Note, State};
use super::hybrid_allocator::{give_whole, take_whole};

/// Bytes of the red zone at least.
const RED_ZONE: usize = 16;
/// What a red zone is filled with.
const RED: u8 = 0xbb;
/// What an allocation is filled with: memory that nobody has written.
const FRESH: u8 = 0xa5;
/// What a freed slot is filled with.
const POISON: u8 = 0xdd;

/// Something that must not happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Misdeed {
    /// Bytes behind an allocation were written, or in front of the next one.
    Overflow,
    /// Freed memory was written.
    UseAfterFree,
    /// Memory was freed that is free.
    DoubleFree,
}

hal::machine_static! {
    static ENABLED: AtomicBool = AtomicBool::new(false);
    /// By [`Misdeed`].
    static FOUND: [AtomicUsize; 3] = [const { AtomicUsize::new(0) }; 3];
}

/// Tells whether the kernel command line asks for the debug mode. Looks at the words without taking memory: the mode
/// begins before the first allocation.
pub(crate) fn is_asked_for(command_line: &[u8]) -> bool {
    let mut words = command_line.split(u8::is_ascii_whitespace).take_while(|&word| word != b"--");
    words.any(|word| word == b"exo.heap=debug")
}

/// Turns the mode on; to be called before the heap is used for the first time.
///
/// # Errors
/// `OutOfMemory`: there is no room for the tables. `InUse`: it is on.
pub(crate) fn enable() -> Result<(), Error> {
    sites::init()?;
    ENABLED.store(true, Relaxed);
    Ok(())
}

/// Tells whether the mode is on.
#[inline]
pub fn is_enabled() -> bool {
    ENABLED.load(Relaxed)
}

/// Returns how often something was found since boot.
pub fn found(misdeed: Misdeed) -> usize {
    FOUND[misdeed as usize].load(Relaxed)
}

/// Writes what was found, then which places of the kernel hold how much heap memory, most first, each with the calls that
/// led there. What grows from one look to the next is a leak. Nothing when the mode is off.
pub fn write_report(out: &mut dyn fmt::Write) -> fmt::Result {
    if !is_enabled() {
        return Ok(());
    }
    writeln!(
        out,
        "overflows {} uses_after_free {} double_frees {}",
        found(Misdeed::Overflow),
        found(Misdeed::UseAfterFree),
        found(Misdeed::DoubleFree)
    )?;
    sites::write(out)
}

/// Allocates a slot for a layout, with a red zone. `None` when memory is used up.
pub(super) fn alloc(layout: Layout) -> Option<Slot> {
    let size = layout.size();
    let padded = size.checked_add(RED_ZONE + NOTE_BYTES)?;
    let padded = Layout::from_size_align(padded, layout.align()).ok()?;
    let Some(mut slot) = take_whole(padded) else {
        // Too large for a red zone, maybe not too large.
        return take_whole(layout);
    };
    fill(&mut slot, 0, size, FRESH);
    let end = slot.size().bytes() - NOTE_BYTES;
    fill(&mut slot, size, end, RED);
    let allocated = sites::note_allocation(size);
    Note { state: State::Live, size, allocated, freed: allocated }.write(&mut slot);
    // The rest is found again through the beginning.
    Some(slot.beginning(SlotSize::of(layout)))
}

/// Frees what [`alloc`](fn@alloc) gave.
pub(super) fn free(slot: Slot) {
    let mut slot = slot.whole();
    let Some(mut note) = Note::read(&slot) else {
        if slot.size().bytes() == MAX_SLOT {
            // It had no room for a note.
            return give_whole(slot);
        }
        return report(Misdeed::Overflow, &slot, None);
    };
    if note.state == State::Free {
        return report(Misdeed::DoubleFree, &slot, Some(&note));
    }
    let end = slot.size().bytes() - NOTE_BYTES;
    let is_sound = first_other(&slot, note.size, end, RED).is_none();
    note.state = State::Free;
    note.freed = sites::note_free(note.allocated, note.size);
    note.write(&mut slot);
    if !is_sound {
        return report(Misdeed::Overflow, &slot, Some(&note));
    }
    fill(&mut slot, 0, end, POISON);
    quarantine::enter(slot, release);
}

/// Ends the quarantine of all slots. For memory pressure.
pub(super) fn flush() {
    quarantine::end(release);
}

/// Gives back a slot that comes out of the quarantine.
fn release(slot: Slot) {
    let end = slot.size().bytes() - NOTE_BYTES;
    let note = Note::read(&slot);
    match &note {
        Some(Note { state: State::Free, .. }) if first_other(&slot, 0, end, POISON).is_none() => {
            give_whole(slot);
        }
        _ => report(Misdeed::UseAfterFree, &slot, note.as_ref()),
    }
}

/// Counts and logs. The slot is not used again.
#[cold]
fn report(misdeed: Misdeed, slot: &Slot, note: Option<&Note>) {
    FOUND[misdeed as usize].fetch_add(1, Relaxed);
    let what = match misdeed {
        Misdeed::Overflow => "written beyond its end",
        Misdeed::UseAfterFree => "written after it was freed",
        Misdeed::DoubleFree => "freed twice",
    };
    let Some(note) = note else {
        log::error!(
            "heap: the allocation at {:#x} was {what}, and what was known of it is lost",
            slot.addr()
        );
        return;
    };
    log::error!(
        "heap: the allocation of {} bytes at {:#x} was {what}; allocated by{}; freed by{}",
        note.size,
        slot.addr(),
        sites::Calls(note.allocated),
        sites::Calls(note.freed)
    );
}

fn fill(slot: &mut Slot, start: usize, end: usize, byte: u8) {
    let chunk = [byte; 64];
    for at in (start..end).step_by(chunk.len()) {
        slot.write(at, &chunk[..chunk.len().min(end - at)]);
    }
}

/// Returns where the first byte lies that is another one.
fn first_other(slot: &Slot, start: usize, end: usize, byte: u8) -> Option<usize> {
    let mut chunk = [0; 64];
    (start..end).step_by(chunk.len()).find_map(|at| {
        let bytes = &mut chunk[..64.min(end - at)];
        slot.read(at, bytes);
        Some(at + bytes.iter().position(|&found| found != byte)?)
    })
}

#[cfg(test)]
mod tests;
