//! Classic BPF as filters of system calls use it: checked once, run for each call.
//!
//! # What the check proves
//! 1. Every jump goes forwards and stays in the program, so it ends.
//! 2. The last instruction returns.
//! 3. Every load is of an aligned word of the call's description; every memory cell exists and was stored to on every
//!    way that leads to its load.

use alloc::boxed::Box;

use linux_abi::errno::Errno;
use linux_abi::seccomp::{BPF_MAXINSNS, SeccompData, SockFilter};
use zerocopy::IntoBytes;

use crate::memory::fallible;

/// Memory cells of a program.
const CELLS: usize = 16;
/// Bytes that a program can look at.
const DATA_LEN: u32 = size_of::<SeccompData>() as u32;

/// An operation on the accumulator.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Alu {
    Add,
    Sub,
    Mul,
    Div,
    Or,
    And,
    ShiftLeft,
    ShiftRight,
    Xor,
    Negate,
}

/// A comparison.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Test {
    Always,
    Equal,
    Greater,
    GreaterOrEqual,
    AnyBit,
}

/// What an instruction does. A is the accumulator, X the index register.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    /// A = a word of the description.
    LoadData,
    /// A or X = k.
    LoadNumber { to_x: bool },
    /// A or X = a cell.
    LoadCell { to_x: bool },
    /// A cell = A or X.
    Store { from_x: bool },
    /// A = A op (k or X).
    Compute { alu: Alu, with_x: bool },
    /// Goes on at one of two places, after comparing A with k or X.
    Jump { test: Test, with_x: bool },
    /// X = A.
    AToX,
    /// A = X.
    XToA,
    /// Answers k or A.
    Return { a: bool },
}

fn decode(instruction: &SockFilter) -> Option<Kind> {
    const WITH_X: u16 = 0x08;
    let code = instruction.code;
    let with_x = code & WITH_X != 0;
    Some(match code {
        0x20 => Kind::LoadData,
        // The length of the description is a number too.
        0x00 | 0x80 => Kind::LoadNumber { to_x: false },
        0x01 | 0x81 => Kind::LoadNumber { to_x: true },
        0x60 => Kind::LoadCell { to_x: false },
        0x61 => Kind::LoadCell { to_x: true },
        0x02 => Kind::Store { from_x: false },
        0x03 => Kind::Store { from_x: true },
        0x84 => Kind::Compute { alu: Alu::Negate, with_x: false },
        0x05 => Kind::Jump { test: Test::Always, with_x: false },
        0x06 => Kind::Return { a: false },
        0x16 => Kind::Return { a: true },
        0x07 => Kind::AToX,
        0x87 => Kind::XToA,
        _ => match code & !WITH_X {
            0x04 => Kind::Compute { alu: Alu::Add, with_x },
            0x14 => Kind::Compute { alu: Alu::Sub, with_x },
            0x24 => Kind::Compute { alu: Alu::Mul, with_x },
            0x34 => Kind::Compute { alu: Alu::Div, with_x },
            0x44 => Kind::Compute { alu: Alu::Or, with_x },
            0x54 => Kind::Compute { alu: Alu::And, with_x },
            0x64 => Kind::Compute { alu: Alu::ShiftLeft, with_x },
            0x74 => Kind::Compute { alu: Alu::ShiftRight, with_x },
            0xa4 => Kind::Compute { alu: Alu::Xor, with_x },
            0x15 => Kind::Jump { test: Test::Equal, with_x },
            0x25 => Kind::Jump { test: Test::Greater, with_x },
            0x35 => Kind::Jump { test: Test::GreaterOrEqual, with_x },
            0x45 => Kind::Jump { test: Test::AnyBit, with_x },
            _ => return None,
        },
    })
}

#[derive(Clone, Copy)]
struct Instruction {
    kind: Kind,
    k: u32,
    jt: u8,
    jf: u8,
}

/// A program that has been checked.
pub(super) struct Program {
    instructions: Box<[Instruction]>,
}

impl Program {
    /// Checks a program.
    ///
    /// # Errors
    /// `EINVAL`: it may do what a filter must not. `ENOMEM`.
    pub(super) fn check(program: &[SockFilter]) -> Result<Self, Errno> {
        if program.is_empty() || program.len() > BPF_MAXINSNS {
            return Err(Errno::EINVAL);
        }
        let mut instructions = fallible::vec(program.len())?;
        // The cells that are stored to on every way to an instruction.
        let mut known = fallible::vec(program.len())?;
        known.resize(program.len(), u16::MAX);
        let mut stored: u16 = 0;
        for (at, instruction) in program.iter().enumerate() {
            let kind = decode(instruction).ok_or(Errno::EINVAL)?;
            let mut k = instruction.k;
            stored &= known[at];
            let cell = || u16::try_from(k).ok().filter(|&k| usize::from(k) < CELLS).map(|k| 1 << k);
            let mut reach = |distance: u64| {
                let target = usize::try_from(at as u64 + 1 + distance).ok().and_then(|at| known.get_mut(at));
                target.map(|known| *known &= stored).ok_or(Errno::EINVAL)
            };
            match kind {
                Kind::LoadData if k >= DATA_LEN || !k.is_multiple_of(4) => return Err(Errno::EINVAL),
                Kind::LoadNumber { .. } if instruction.code & 0x80 != 0 => k = DATA_LEN,
                Kind::Store { .. } => stored |= cell().ok_or(Errno::EINVAL)?,
                Kind::LoadCell { .. } if stored & cell().ok_or(Errno::EINVAL)? == 0 => {
                    return Err(Errno::EINVAL);
                }
                Kind::Compute { alu: Alu::Div, with_x: false } if k == 0 => return Err(Errno::EINVAL),
                Kind::Compute { alu: Alu::ShiftLeft | Alu::ShiftRight, with_x: false } if k >= 32 => {
                    return Err(Errno::EINVAL);
                }
                Kind::Jump { test: Test::Always, .. } => {
                    reach(u64::from(k))?;
                    stored = u16::MAX;
                }
                Kind::Jump { .. } => {
                    reach(u64::from(instruction.jt))?;
                    reach(u64::from(instruction.jf))?;
                    stored = u16::MAX;
                }
                _ => {}
            }
            instructions.push(Instruction { kind, k, jt: instruction.jt, jf: instruction.jf });
        }
        if !matches!(instructions.last(), Some(Instruction { kind: Kind::Return { .. }, .. })) {
            return Err(Errno::EINVAL);
        }
        Ok(Self { instructions: instructions.into_boxed_slice() })
    }

    /// What the program costs of what a chain may: the instructions that Linux makes of it.
    pub(super) fn cost(&self) -> usize {
        let cost = |instruction: &Instruction| {
            let Instruction { kind, k, jt, jf } = *instruction;
            match kind {
                Kind::Return { a: false } => 2,
                Kind::Compute { alu: Alu::Div, with_x: true } => 5,
                Kind::Jump { test: Test::Always, .. } => 1,
                Kind::Jump { with_x, .. } => {
                    1 + usize::from(jt != 0 && jf != 0) + usize::from(!with_x && k.cast_signed() < 0)
                }
                _ => 1,
            }
        };
        3 + self.instructions.iter().map(cost).sum::<usize>()
    }

    /// What the program answers about a call.
    pub(super) fn run(&self, data: &SeccompData) -> u32 {
        let bytes = data.as_bytes();
        let word = |at: u32| {
            let word = bytes.get(at as usize..).and_then(|rest| rest.first_chunk::<4>());
            word.map_or(0, |word| u32::from_ne_bytes(*word))
        };
        let mut cells = [0u32; CELLS];
        let (mut a, mut x, mut at) = (0u32, 0u32, 0usize);
        while let Some(&Instruction { kind, k, jt, jf }) = self.instructions.get(at) {
            at += 1;
            match kind {
                Kind::LoadData => a = word(k),
                Kind::LoadNumber { to_x } => *(if to_x { &mut x } else { &mut a }) = k,
                Kind::LoadCell { to_x } => *(if to_x { &mut x } else { &mut a }) = cells[k as usize % CELLS],
                Kind::Store { from_x } => cells[k as usize % CELLS] = if from_x { x } else { a },
                Kind::Compute { alu, with_x } => match compute(alu, a, if with_x { x } else { k }) {
                    Some(result) => a = result,
                    // A division by zero ends the program.
                    None => return 0,
                },
                Kind::Jump { test, with_x } => {
                    let other = if with_x { x } else { k };
                    let holds = match test {
                        Test::Always => {
                            at += k as usize;
                            continue;
                        }
                        Test::Equal => a == other,
                        Test::Greater => a > other,
                        Test::GreaterOrEqual => a >= other,
                        Test::AnyBit => a & other != 0,
                    };
                    at += usize::from(if holds { jt } else { jf });
                }
                Kind::AToX => x = a,
                Kind::XToA => a = x,
                Kind::Return { a: true } => return a,
                Kind::Return { a: false } => return k,
            }
        }
        // The check has seen that it returns.
        0
    }
}

fn compute(alu: Alu, a: u32, b: u32) -> Option<u32> {
    Some(match alu {
        Alu::Add => a.wrapping_add(b),
        Alu::Sub => a.wrapping_sub(b),
        Alu::Mul => a.wrapping_mul(b),
        Alu::Div => a.checked_div(b)?,
        Alu::Or => a | b,
        Alu::And => a & b,
        Alu::ShiftLeft => a.wrapping_shl(b),
        Alu::ShiftRight => a.wrapping_shr(b),
        Alu::Xor => a ^ b,
        Alu::Negate => a.wrapping_neg(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn op(code: u16, jt: u8, jf: u8, k: u32) -> SockFilter {
        SockFilter { code, jt, jf, k }
    }

    fn run(program: &[SockFilter]) -> Result<u32, Errno> {
        let args = [1 << 32 | 7, 2, 3, 4, 5, 6];
        let data = SeccompData { nr: 39, arch: 0xc000_003e, instruction_pointer: 0x1234, args };
        Program::check(program).map(|program| program.run(&data))
    }

    #[test]
    fn programs_compute_compare_and_return() {
        assert_eq!(run(&[op(0x06, 0, 0, 5)]), Ok(5));
        assert_eq!(run(&[op(0x20, 0, 0, 0), op(0x16, 0, 0, 0)]), Ok(39));
        assert_eq!(run(&[op(0x20, 0, 0, 20), op(0x16, 0, 0, 0)]), Ok(1));
        assert_eq!(run(&[op(0x80, 0, 0, 9), op(0x16, 0, 0, 0)]), Ok(64));
        let compare = |k| run(&[op(0x20, 0, 0, 0), op(0x15, 0, 1, k), op(0x06, 0, 0, 1), op(0x06, 0, 0, 2)]);
        assert_eq!((compare(39), compare(40)), (Ok(1), Ok(2)));
        let sum = [op(0, 0, 0, 20), op(1, 0, 0, 3), op(0x3c, 0, 0, 0), op(0x84, 0, 0, 0), op(0x16, 0, 0, 0)];
        assert_eq!(run(&sum), Ok(6u32.wrapping_neg()));
        let by_zero = [op(0, 0, 0, 20), op(1, 0, 0, 0), op(0x3c, 0, 0, 0), op(0x06, 0, 0, 7)];
        assert_eq!(run(&by_zero), Ok(0));
        let cell = [op(0, 0, 0, 9), op(2, 0, 0, 15), op(0, 0, 0, 1), op(0x60, 0, 0, 15), op(0x16, 0, 0, 0)];
        assert_eq!(run(&cell), Ok(9));
        assert_eq!(run(&[op(0x05, 0, 0, 1), op(0x06, 0, 0, 1), op(0x06, 0, 0, 2)]), Ok(2));
    }

    #[test]
    fn what_a_filter_must_not_do_is_refused() {
        let ret = op(0x06, 0, 0, 0);
        for bad in [
            &[][..],
            &[op(0, 0, 0, 1)],
            &[op(0x20, 0, 0, 64), ret],
            &[op(0x20, 0, 0, 2), ret],
            &[op(0x28, 0, 0, 0), ret],
            &[op(0x94, 0, 0, 3), ret],
            &[op(0x34, 0, 0, 0), ret],
            &[op(0x64, 0, 0, 32), ret],
            &[op(0x05, 0, 0, 1), ret],
            &[op(0x05, 0, 0, u32::MAX), ret],
            &[op(0x15, 0, 1, 0), ret],
            &[op(0x60, 0, 0, 0), ret],
            &[op(0x02, 0, 0, 16), ret],
            // Stored to on one way only.
            &[op(0x15, 0, 1, 0), op(0x02, 0, 0, 3), op(0x60, 0, 0, 3), ret],
        ] {
            assert_eq!(run(bad), Err(Errno::EINVAL), "{bad:?}");
        }
    }
}
