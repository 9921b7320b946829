//! The few things the kernel wants from ACPI's tables, read with suspicion: lengths and checksums are checked, loops are
//! bounded, and a table that is wrong is as good as none.
//!
//! Source: ACPI Specification 6.5, chapters 4.8 (fixed hardware), 5.2 (tables); 20.2 (AML encoding, for `\_S5`).

use arrayvec::ArrayVec;

use crate::{PhysMemory, u32_at, u64_at};

/// Processors kept.
pub const MAX_CPUS: usize = 64;
/// Tables looked at in a root table.
const MAX_TABLES: usize = 128;
/// Bytes of a table looked at.
const MAX_TABLE: usize = 4 << 20;
/// I/O APICs kept.
pub const MAX_IO_APICS: usize = 8;

/// Ranges of ports of the fixed hardware.
pub const MAX_PORTS: usize = 1 + 8 + 11;

/// A register as a Generic Address Structure gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Register {
    /// An I/O port.
    Port(u16),
    /// A physical address.
    Memory(u64),
}

/// An I/O interrupt controller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IoApicEntry {
    /// Physical address of its registers.
    pub addr: u32,
    /// The global system interrupt of its first pin.
    pub first_gsi: u32,
}

/// How a legacy interrupt line is wired.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IsaWire {
    /// Where it arrives.
    pub gsi: u32,
    /// It is active low.
    pub active_low: bool,
    /// It is level triggered.
    pub level: bool,
}

/// What was found.
#[derive(Debug, Default)]
pub struct Acpi {
    /// APIC numbers of the usable CPUs, in the table's order.
    pub cpus: ArrayVec<u32, MAX_CPUS>,
    /// Physical address of the local APICs.
    pub local_apic: Option<u64>,
    /// I/O APICs.
    pub io_apics: ArrayVec<IoApicEntry, MAX_IO_APICS>,
    /// Overrides of the legacy lines: line and wire.
    pub overrides: ArrayVec<(u8, IsaWire), 16>,
    /// The power-management timer, and whether it counts 32 bits (else 24).
    pub pm_timer: Option<(Register, bool)>,
    /// Physical address of the HPET.
    pub hpet: Option<u64>,
    /// PM1a and PM1b control registers.
    pub pm1_control: [Option<Register>; 2],
    /// Sleep control register of hardware-reduced machines.
    pub sleep_control: Option<Register>,
    /// Sleep types of `\_S5` for PM1a and PM1b.
    pub soft_off: Option<(u8, u8)>,
    /// Reset register and the value that resets.
    pub reset: Option<(Register, u8)>,
    /// Ports of the fixed hardware, which are nobody else's: first and number.
    pub ports: ArrayVec<(u16, u16), MAX_PORTS>,
    /// CMOS index of the century, 0 if there is none.
    pub century: u8,
    /// The machine has an 8042 keyboard controller, as far as the firmware says.
    pub has_8042: bool,
    /// The machine has no CMOS clock.
    pub no_cmos: bool,
}

impl Acpi {
    /// Reads the tables behind a root pointer, or behind the one found in the BIOS area.
    pub fn parse(memory: &dyn PhysMemory, rsdp: Option<u64>) -> Acpi {
        let mut acpi = Acpi { has_8042: true, ..Acpi::default() };
        let root = rsdp.and_then(|addr| root_table(memory, addr)).or_else(|| scan(memory));
        let Some((addr, entry_size)) = root else { return acpi };
        let Some(root) = table(memory, addr, if entry_size == 8 { b"XSDT" } else { b"RSDT" }) else {
            return acpi;
        };
        for entry in root[36..].chunks_exact(entry_size).take(MAX_TABLES) {
            let addr = if entry_size == 8 { u64_at(entry, 0) } else { u32_at(entry, 0).map(u64::from) };
            let Some(addr) = addr else { continue };
            if let Some(madt) = table(memory, addr, b"APIC") {
                acpi.read_madt(madt);
            } else if let Some(fadt) = table(memory, addr, b"FACP") {
                acpi.read_fadt(fadt);
                let dsdt = u64_at(fadt, 140).filter(|&addr| addr != 0).or(u32_at(fadt, 40).map(u64::from));
                if let Some(dsdt) = dsdt.and_then(|addr| table(memory, addr, b"DSDT")) {
                    acpi.soft_off = acpi.soft_off.or(find_s5(&dsdt[36..]));
                }
            } else if let Some(hpet) = table(memory, addr, b"HPET") {
                acpi.hpet = match generic_address(hpet, 40) {
                    Some(Register::Memory(addr)) => Some(addr),
                    _ => None,
                };
            } else if let Some(ssdt) = table(memory, addr, b"SSDT") {
                acpi.soft_off = acpi.soft_off.or(find_s5(&ssdt[36..]));
            }
        }
        acpi
    }

    fn read_madt(&mut self, madt: &[u8]) {
        self.local_apic = u32_at(madt, 36).map(u64::from);
        let mut rest = madt.get(44..).unwrap_or_default();
        // Each step consumes at least two bytes.
        while let [kind, len, ..] = *rest {
            let len = usize::from(len);
            if len < 2 || len > rest.len() {
                break;
            }
            let entry = &rest[..len];
            rest = &rest[len..];
            match (kind, len) {
                // Local APIC: processor, APIC number, flags (bit 0: enabled).
                (0, 8..) if u32_at(entry, 4).is_some_and(|flags| flags & 1 != 0) => {
                    self.add_cpu(entry[3].into())
                }
                (1, 12..) => {
                    if let (Some(addr), Some(first_gsi)) = (u32_at(entry, 4), u32_at(entry, 8)) {
                        let _ = self.io_apics.try_push(IoApicEntry { addr, first_gsi });
                    }
                }
                // Override: bus, line, global interrupt, flags (bits 0-1 polarity, 2-3 trigger; 0 means as ISA).
                (2, 10..) if entry[2] == 0 && entry[3] < 16 => {
                    if let Some(gsi) = u32_at(entry, 4) {
                        let (polarity, trigger) = (entry[8] & 3, entry[8] >> 2 & 3);
                        let wire = IsaWire { gsi, active_low: polarity == 3, level: trigger == 3 };
                        let _ = self.overrides.try_push((entry[3], wire));
                    }
                }
                (5, 12..) => self.local_apic = u64_at(entry, 4),
                // Local x2APIC: number, flags.
                (9, 16..) if u32_at(entry, 8).is_some_and(|flags| flags & 1 != 0) => {
                    if let Some(number) = u32_at(entry, 4) {
                        self.add_cpu(number);
                    }
                }
                _ => {}
            }
        }
    }

    fn add_cpu(&mut self, apic: u32) {
        if !self.cpus.contains(&apic) {
            let _ = self.cpus.try_push(apic);
        }
    }

    fn read_fadt(&mut self, fadt: &[u8]) {
        let flags = u32_at(fadt, 112).unwrap_or(0);
        let is_reduced = flags & 1 << 20 != 0;
        let extended = |at: usize| generic_address(fadt, at);
        let port =
            |at: usize| u32_at(fadt, at).and_then(|port| u16::try_from(port).ok()).filter(|&port| port != 0);
        if is_reduced {
            self.sleep_control = extended(244);
        } else {
            self.pm1_control = [
                extended(172).or(port(64).map(Register::Port)),
                extended(184).or(port(68).map(Register::Port)),
            ];
            let timer = extended(208).or(port(76).map(Register::Port));
            self.pm_timer = timer.map(|timer| (timer, flags & 1 << 8 != 0));
        }
        self.read_ports(fadt);
        if flags & 1 << 10 != 0
            && let (Some(register), Some(&value)) = (extended(116), fadt.get(128))
        {
            self.reset = Some((register, value));
        }
        self.century = fadt.get(108).copied().unwrap_or(0) & 0x7f;
        // IA-PC boot architecture flags exist from ACPI 2.0 on.
        if fadt.get(8).is_some_and(|&revision| revision >= 2)
            && let Some(&[low, high]) = fadt.get(109..111).and_then(|bytes| bytes.first_chunk())
        {
            let boot = u16::from_le_bytes([low, high]);
            self.has_8042 = boot & 1 << 1 != 0;
            self.no_cmos = boot & 1 << 5 != 0;
        }
    }
}

/// Places of the fixed hardware's registers in the FADT: address, and length in bytes.
const BLOCKS: [(usize, usize); 8] =
    [(56, 88), (60, 88), (64, 89), (68, 89), (72, 90), (76, 91), (80, 92), (84, 93)];
/// Places of the same as Generic Address Structures, of sleep control and status, and of the reset register.
const EXTENDED_BLOCKS: [usize; 11] = [116, 148, 160, 172, 184, 196, 208, 220, 232, 244, 256];

impl Acpi {
    /// Notes the ports of the fixed hardware. On machines without it the tables hold zeroes.
    fn read_ports(&mut self, fadt: &[u8]) {
        // The port that calls the firmware: a command and its data.
        let firmware = u32_at(fadt, 48).map(|port| (port, 2));
        let old =
            BLOCKS.iter().filter_map(|&(addr, len)| Some((u32_at(fadt, addr)?, (*fadt.get(len)?).into())));
        let new = EXTENDED_BLOCKS.iter().filter_map(|&at| match generic_address(fadt, at)? {
            // Its second byte is the width in bits.
            Register::Port(port) => Some((port.into(), u16::from(fadt[at + 1]).div_ceil(8))),
            Register::Memory(_) => None,
        });
        for (port, len) in firmware.into_iter().chain(old).chain(new) {
            let Ok(port) = u16::try_from(port) else { continue };
            if port != 0 && len != 0 && !self.ports.contains(&(port, len)) {
                // What a second table has beyond the usual ones is left out.
                let _ = self.ports.try_push((port, len));
            }
        }
    }
}

/// Reads a Generic Address Structure; `None` if it is empty or in a space that the kernel does not reach.
fn generic_address(table: &[u8], at: usize) -> Option<Register> {
    let bytes = table.get(at..at + 12)?;
    let addr = u64_at(bytes, 4).filter(|&addr| addr != 0)?;
    match bytes[0] {
        0 => Some(Register::Memory(addr)),
        1 => u16::try_from(addr).ok().map(Register::Port),
        _ => None,
    }
}

fn sum(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |sum: u8, &byte| sum.wrapping_add(byte))
}

/// Returns a table with a signature, checked.
fn table<'a>(memory: &'a dyn PhysMemory, addr: u64, signature: &[u8; 4]) -> Option<&'a [u8]> {
    let head = memory.bytes(addr, 36)?;
    if !head.starts_with(signature) {
        return None;
    }
    let len = u32_at(head, 4)? as usize;
    if !(36..=MAX_TABLE).contains(&len) {
        return None;
    }
    let table = memory.bytes(addr, len)?;
    (sum(table) == 0).then_some(table)
}

/// Checks a root pointer; returns the address of the root table and the size of its entries.
fn root_table(memory: &dyn PhysMemory, addr: u64) -> Option<(u64, usize)> {
    let head = memory.bytes(addr, 20)?;
    if !head.starts_with(b"RSD PTR ") || sum(head) != 0 {
        return None;
    }
    if head[15] >= 2
        && let Some(all) = memory.bytes(addr, 36)
        && sum(all) == 0
        && let Some(xsdt) = u64_at(all, 24).filter(|&xsdt| xsdt != 0)
    {
        return Some((xsdt, 8));
    }
    Some((u32_at(head, 16)?.into(), 4))
}

/// Looks for a root pointer where a BIOS puts it.
fn scan(memory: &dyn PhysMemory) -> Option<(u64, usize)> {
    let ebda =
        memory.bytes(0x40e, 2).map_or(0, |bytes| u64::from(u16::from_le_bytes([bytes[0], bytes[1]])) << 4);
    let areas = [(ebda, 1024), (0xe0000, 0x20000)];
    areas.into_iter().filter(|&(start, _)| (0x400..0x10_0000).contains(&start)).find_map(|(start, len)| {
        let area = memory.bytes(start, len)?;
        let found = area.chunks_exact(16).position(|chunk| chunk.starts_with(b"RSD PTR "))?;
        root_table(memory, start + 16 * found as u64)
    })
}

/// Finds the package `\_S5` in AML without interpreting it: `Name (_S5_, Package (n) { a, b, ... })`.
fn find_s5(aml: &[u8]) -> Option<(u8, u8)> {
    let mut rest = aml;
    while let Some(at) = rest.windows(4).position(|name| name == b"_S5_") {
        let before = &rest[..at];
        let is_name = before.ends_with(&[0x08]) || before.ends_with(&[0x08, b'\\']);
        rest = &rest[at + 4..];
        if is_name && let Some(found) = parse_s5(rest) {
            return Some(found);
        }
    }
    None
}

fn parse_s5(aml: &[u8]) -> Option<(u8, u8)> {
    let [0x12, lead, ..] = *aml else { return None };
    // Package length: the lead byte and up to three more; then the number of elements.
    let mut rest = aml.get(2 + usize::from(lead >> 6) + 1..)?;
    let mut number = || {
        let (value, len) = match *rest {
            [0x00, ..] => (0, 1),
            [0x01, ..] => (1, 1),
            [0x0a, value, ..] => (value, 2),
            [0x0b, low, _, ..] => (low, 3),
            [0x0c, low, _, _, _, ..] => (low, 5),
            _ => return None,
        };
        rest = &rest[len..];
        Some(value & 7)
    };
    let first = number()?;
    Some((first, number().unwrap_or(first)))
}

#[cfg(test)]
#[path = "acpi_tests.rs"]
mod tests;
