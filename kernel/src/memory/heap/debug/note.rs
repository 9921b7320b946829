//! What is known of an allocation, in the last bytes of its slot.

use hal::heap::Slot;

use super::sites::Site;

/// Bytes of a note.
pub(super) const NOTE_BYTES: usize = 32;
/// The first words of a note, changed by the address of the slot: neither a copy of a note nor chance looks like one.
const LIVE: u64 = 0x4c69_7665_4578_6f31;
const FREE: u64 = 0x4672_6565_4578_6f32;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Live,
    Free,
}

/// What is known of an allocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Note {
    pub(super) state: State,
    /// Bytes asked for.
    pub(super) size: usize,
    /// Who allocated it.
    pub(super) allocated: Site,
    /// Who freed it; while it is live, the same as `allocated`.
    pub(super) freed: Site,
}

impl Note {
    /// Reads the note of a slot; `None` if there is none, or it was written over.
    pub(super) fn read(slot: &Slot) -> Option<Note> {
        let mut bytes = [0; NOTE_BYTES];
        slot.read(slot.size().bytes() - NOTE_BYTES, &mut bytes);
        let word = |at: usize| u64::from_le_bytes(::core::array::from_fn(|i| bytes[at * 8 + i]));
        let state = match word(0) ^ slot.addr() as u64 {
            LIVE => State::Live,
            FREE => State::Free,
            _ => return None,
        };
        let note =
            Note { state, size: word(1) as usize, allocated: Site::new(word(2)), freed: Site::new(word(3)) };
        (note.size <= slot.size().bytes() - NOTE_BYTES).then_some(note)
    }

    /// Writes the note of a slot.
    pub(super) fn write(&self, slot: &mut Slot) {
        let magic = if self.state == State::Live { LIVE } else { FREE };
        let words =
            [magic ^ slot.addr() as u64, self.size as u64, self.allocated.number(), self.freed.number()];
        let mut bytes = [0; NOTE_BYTES];
        for (to, word) in bytes.chunks_exact_mut(8).zip(words) {
            to.copy_from_slice(&word.to_le_bytes());
        }
        slot.write(slot.size().bytes() - NOTE_BYTES, &bytes);
    }
}
