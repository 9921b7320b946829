//! `futex(2)`: operations, the encoding of `FUTEX_WAKE_OP`, robust lists, `futex_waitv`.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

consts! { u32;
    FUTEX_WAIT = 0, "Waits while the word has the expected value.";
    FUTEX_WAKE = 1, "Wakes waiters.";
    FUTEX_FD = 2, "Removed from Linux.";
    FUTEX_REQUEUE = 3, "Wakes some, moves others to another word.";
    FUTEX_CMP_REQUEUE = 4, "As `FUTEX_REQUEUE`, if the word has the expected value.";
    FUTEX_WAKE_OP = 5, "Changes a second word, wakes on both.";
    FUTEX_LOCK_PI = 6, "Locks with priority inheritance.";
    FUTEX_UNLOCK_PI = 7, "Unlocks with priority inheritance.";
    FUTEX_TRYLOCK_PI = 8, "Tries to lock with priority inheritance.";
    FUTEX_WAIT_BITSET = 9, "Waits with a mask and an absolute time.";
    FUTEX_WAKE_BITSET = 10, "Wakes waiters whose mask shares a bit.";
    FUTEX_WAIT_REQUEUE_PI = 11, "Waits to be moved to a lock with priority inheritance.";
    FUTEX_CMP_REQUEUE_PI = 12, "Moves waiters to a lock with priority inheritance.";
    FUTEX_LOCK_PI2 = 13, "As `FUTEX_LOCK_PI`, with a choice of clock.";
    FUTEX_PRIVATE_FLAG = 128, "Bit: the word is not shared between processes.";
    FUTEX_CLOCK_REALTIME = 256, "Bit: the time is wall-clock time.";
    FUTEX_CMD_MASK = !(FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME), "Mask of the operation.";
    FUTEX_BITSET_MATCH_ANY = 0xffff_ffff, "Mask that shares a bit with every mask.";
    FUTEX_WAITERS = 0x8000_0000, "In a lock word: threads wait.";
    FUTEX_OWNER_DIED = 0x4000_0000, "In a lock word: the owner ended.";
    FUTEX_TID_MASK = 0x3fff_ffff, "In a lock word: the owner.";
}

/// Entries of a robust list that the kernel walks at most.
pub const ROBUST_LIST_LIMIT: usize = 2048;
/// Words in one `futex_waitv`.
pub const FUTEX_WAITV_MAX: usize = 128;
/// `futex_waitv` flag: words of 32 bits, the only size.
pub const FUTEX2_SIZE_U32: u32 = 2;
/// `futex_waitv` flag: not shared between processes.
pub const FUTEX2_PRIVATE: u32 = FUTEX_PRIVATE_FLAG;

/// What `FUTEX_WAKE_OP` does to its second word, and the test on the old value that wakes its waiters.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WakeOp {
    operation: u32,
    operand: u32,
    comparison: u32,
    comparand: i32,
}

impl WakeOp {
    /// Decodes the sixth argument; `None` (for `ENOSYS`) if it names no operation or comparison.
    ///
    /// As in Linux a shift count beyond 31 is taken modulo 32.
    pub const fn decode(encoded: u32) -> Option<Self> {
        let operation = encoded >> 28 & 7;
        let by_shift = encoded >> 31 != 0;
        let comparison = encoded >> 24 & 15;
        if operation > 4 || comparison > 5 {
            return None;
        }
        let operand = sign_extend_12(encoded >> 12);
        let operand = if by_shift { 1 << (operand & 31) } else { operand as u32 };
        Some(Self { operation, operand, comparison, comparand: sign_extend_12(encoded) })
    }

    /// Returns the new value of the second word.
    pub const fn apply(&self, old: u32) -> u32 {
        match self.operation {
            0 => self.operand,
            1 => old.wrapping_add(self.operand),
            2 => old | self.operand,
            3 => old & !self.operand,
            _ => old ^ self.operand,
        }
    }

    /// Tells whether the waiters of the second word are woken, given its old value.
    pub const fn wakes(&self, old: u32) -> bool {
        let old = old as i32;
        match self.comparison {
            0 => old == self.comparand,
            1 => old != self.comparand,
            2 => old < self.comparand,
            3 => old <= self.comparand,
            4 => old > self.comparand,
            _ => old >= self.comparand,
        }
    }
}

/// Returns the signed number in the low 12 bits.
const fn sign_extend_12(bits: u32) -> i32 {
    (bits << 20) as i32 >> 20
}

/// `struct robust_list_head`. The addresses are a program's claims.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct RobustListHead {
    /// Address of the first entry, or of this head; bit 0: a lock with priority inheritance.
    pub list: u64,
    /// From an entry to its lock word, bytes.
    pub futex_offset: i64,
    /// Entry being added or removed.
    pub list_op_pending: u64,
}

const _: () = assert!(size_of::<RobustListHead>() == 24);

/// `struct futex_waitv`.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct FutexWaitv {
    /// Expected value.
    pub val: u64,
    /// Address of the word.
    pub uaddr: u64,
    /// `FUTEX2_*`.
    pub flags: u32,
    /// Zero, or `EINVAL`.
    pub reserved: u32,
}

const _: () = assert!(size_of::<FutexWaitv>() == 24);

#[cfg(test)]
mod tests {
    use super::*;

    fn encode(operation: u32, operand: u32, comparison: u32, comparand: u32) -> u32 {
        operation << 28 | comparison << 24 | (operand & 0xfff) << 12 | comparand & 0xfff
    }

    #[test]
    fn wake_op_decodes_what_the_c_macro_encodes() {
        let add = WakeOp::decode(encode(1, 0xfff, 4, 1)).unwrap();
        assert_eq!(add.apply(5), 4);
        assert!(add.wakes(2) && !add.wakes(1) && !add.wakes(u32::MAX));
        let set_bit = WakeOp::decode(encode(8 | 2, 5, 1, 0)).unwrap();
        assert_eq!(set_bit.apply(1), 33);
        assert!(set_bit.wakes(1) && !set_bit.wakes(0));
        let clear = WakeOp::decode(encode(3, 6, 0, 0xfff)).unwrap();
        assert_eq!(clear.apply(15), 9);
        assert!(clear.wakes(u32::MAX));
    }

    #[test]
    fn wake_op_refuses_unknown_operations_and_bounds_shifts() {
        assert_eq!(WakeOp::decode(encode(5, 0, 0, 0)), None);
        assert_eq!(WakeOp::decode(encode(0, 0, 6, 0)), None);
        assert_eq!(WakeOp::decode(encode(8, 33, 0, 0)).unwrap().apply(0), 2);
        assert_eq!(WakeOp::decode(encode(8, 0xfff, 0, 0)).unwrap().apply(0), 1 << 31);
    }
}
