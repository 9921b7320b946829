//! Copies of kernel images whose first instructions are replaced by a probe: it prints the time stamp counter on the
//! serial port, as 16 hexadecimal digits and a line feed, and resets the machine.
//!
//! So the moment in which a kernel gets the machine is measured from outside, the same way for every kernel:
//! firmware, loader, image and initial RAM file system are those of the real boot.

use anyhow::{Context, Result, bail};
use object::read::elf::{FileHeader, ProgramHeader};

/// Returns a copy of an image with the probe at its entry: a PVH ELF file or a Linux bzImage.
///
/// # Errors
/// If it is neither.
pub(super) fn probed(image: &[u8]) -> Result<Vec<u8>> {
    let (offset, code) = if image.starts_with(b"\x7fELF") {
        (pvh_entry_offset(image)?, probe(Mode::Protected))
    } else if image.get(0x202..0x206) == Some(b"HdrS") {
        (setup_entry_offset(image)?, probe(Mode::Real))
    } else {
        bail!("the kernel is neither an ELF file nor a bzImage");
    };
    let mut copy = image.to_vec();
    let place =
        copy.get_mut(offset..offset + code.len()).context("the kernel's entry is outside of its file")?;
    place.copy_from_slice(&code);
    Ok(copy)
}

/// Returns where in the file the entry of the PVH note is.
fn pvh_entry_offset(image: &[u8]) -> Result<usize> {
    const XEN_ELFNOTE_PHYS32_ENTRY: u32 = 18;
    let header = object::elf::FileHeader64::<object::Endianness>::parse(image)?;
    let endian = header.endian()?;
    let segments = header.program_headers(endian, image)?;
    let mut entry = None;
    for segment in segments {
        let Some(mut notes) = segment.notes(endian, image)? else { continue };
        while let Some(note) = notes.next()? {
            if note.n_type(endian) == XEN_ELFNOTE_PHYS32_ENTRY && note.name() == b"Xen" {
                let bytes = note.desc().get(..4).context("the PVH note is too short")?;
                entry = Some(u64::from(u32::from_le_bytes(bytes.try_into()?)));
            }
        }
    }
    let entry = entry.context("the image has no PVH note")?;
    let offset = segments.iter().find_map(|segment| {
        let is_load = segment.p_type(endian) == object::elf::PT_LOAD;
        let inside =
            entry.checked_sub(segment.p_paddr(endian)).filter(|at| *at < segment.p_filesz(endian))?;
        is_load.then(|| segment.p_offset(endian) + inside)
    });
    usize::try_from(offset.context("the PVH entry is in no segment")?).context("the image is too large")
}

/// Returns where in the file the real-mode setup code begins: the target of the short jump at 0x200.
fn setup_entry_offset(image: &[u8]) -> Result<usize> {
    match image.get(0x200..0x202) {
        Some([0xeb, distance]) if *distance < 0x80 => Ok(0x202 + usize::from(*distance)),
        _ => bail!("the bzImage does not begin with a short jump"),
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// 16-bit code: operations on 32 bits need a prefix.
    Real,
    /// 32-bit code without paging.
    Protected,
}

/// Assembles the probe. The two modes differ in the operand-size prefix and the size of two constants.
fn probe(mode: Mode) -> Vec<u8> {
    let wide = |code: &mut Vec<u8>, bytes: &[u8]| {
        if mode == Mode::Real {
            code.push(0x66);
        }
        code.extend_from_slice(bytes);
    };
    // A `mov` of a small constant into cx/ecx or dx/edx.
    let constant = |code: &mut Vec<u8>, opcode: u8, value: u16| {
        code.push(opcode);
        code.extend(value.to_le_bytes());
        if mode == Mode::Protected {
            code.extend([0, 0]);
        }
    };
    let mut code = vec![0x0f, 0x31]; // rdtsc
    wide(&mut code, &[0x89, 0xd3]); // mov ebx, edx
    wide(&mut code, &[0x89, 0xc6]); // mov esi, eax
    constant(&mut code, 0xb9, 16); // mov ecx, 16
    let again = code.len();
    wide(&mut code, &[0x89, 0xd8]); // mov eax, ebx
    wide(&mut code, &[0xc1, 0xe8, 28]); // shr eax, 28
    code.extend([0x04, b'0']); // add al, '0'
    code.extend([0x3c, b'9' + 1]); // cmp al, '9' + 1
    code.extend([0x72, 0x02]); // jb over the next
    code.extend([0x04, b'a' - b'0' - 10]); // add al, 'a' - '0' - 10
    constant(&mut code, 0xba, 0x3f8); // mov edx, 0x3f8
    code.push(0xee); // out dx, al
    wide(&mut code, &[0x0f, 0xa4, 0xf3, 4]); // shld ebx, esi, 4
    wide(&mut code, &[0xc1, 0xe6, 4]); // shl esi, 4
    let back = again.wrapping_sub(code.len() + 2).to_le_bytes();
    code.extend([0xe2, back[0]]); // loop again
    code.extend([0xb0, b'\n', 0xee]); // mov al, '\n'; out dx, al
    code.extend([0xb0, 0xfe, 0xe6, 0x64]); // reset by the keyboard controller
    code.extend([0xf4, 0xeb, 0xfd]); // hlt; jmp back to it
    code
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loop_jumps_back_to_its_first_instruction() {
        for mode in [Mode::Real, Mode::Protected] {
            let code = probe(mode);
            let at = code.iter().position(|byte| *byte == 0xe2).expect("a loop");
            let distance = i8::from_le_bytes([code[at + 1]]);
            let target =
                usize::try_from(i64::try_from(at + 2).expect("short") + i64::from(distance)).expect("inside");
            let skip = usize::from(mode == Mode::Real);
            assert_eq!(code[target + skip..target + skip + 2], [0x89, 0xd8]);
        }
    }

    #[test]
    fn a_bzimage_is_probed_behind_its_jump() {
        let mut image = vec![0_u8; 0x400];
        image[0x200..0x206].copy_from_slice(b"\xeb\x6aHdrS");
        let copy = probed(&image).expect("a bzImage");
        assert_eq!(copy[0x26c..0x26e], [0x0f, 0x31]);
        assert!(probed(b"neither").is_err());
    }
}
