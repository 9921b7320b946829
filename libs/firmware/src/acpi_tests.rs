//! Tests of the ACPI reader with tables made here.

use super::*;

struct Buffer {
    base: u64,
    bytes: Vec<u8>,
}

impl PhysMemory for Buffer {
    fn bytes(&self, addr: u64, len: usize) -> Option<&[u8]> {
        self.bytes.get(usize::try_from(addr.checked_sub(self.base)?).ok()?..)?.get(..len)
    }
}

fn seal(table: &mut [u8], at: usize) {
    table[at] = 0;
    table[at] = 0u8.wrapping_sub(sum(table));
}

fn make_table(signature: &[u8; 4], body: &[u8]) -> Vec<u8> {
    let mut table = vec![0; 36];
    table[..4].copy_from_slice(signature);
    table[8] = 6;
    table.extend_from_slice(body);
    let len = table.len() as u32;
    table[4..8].copy_from_slice(&len.to_le_bytes());
    seal(&mut table, 9);
    table
}

fn madt() -> Vec<u8> {
    let mut body = Vec::new();
    body.extend(0xfee0_0000u32.to_le_bytes());
    body.extend(1u32.to_le_bytes());
    for apic in 0..4u8 {
        body.extend([0, 8, apic, apic, u8::from(apic != 2), 0, 0, 0]);
    }
    body.extend([0, 8, 9, 1, 1, 0, 0, 0]); // the same number again
    body.extend([1, 12, 0, 0]);
    body.extend(0xfec0_0000u32.to_le_bytes());
    body.extend(0u32.to_le_bytes());
    body.extend([2, 10, 0, 0, 2, 0, 0, 0, 0, 0]); // timer to 2, as ISA
    body.extend([2, 10, 0, 9, 9, 0, 0, 0, 0x0d, 0]); // 9: level, active high
    body.extend([9, 16, 0, 0, 0x2c, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]);
    make_table(b"APIC", &body)
}

fn fadt(dsdt: u32) -> Vec<u8> {
    let mut body = vec![0; 244 - 36 + 24];
    let mut put = |at: usize, bytes: &[u8]| body[at - 36..at - 36 + bytes.len()].copy_from_slice(bytes);
    put(40, &dsdt.to_le_bytes());
    put(48, &0xb2u32.to_le_bytes());
    put(64, &0x604u32.to_le_bytes());
    put(76, &0x608u32.to_le_bytes());
    put(80, &0x1_0000u32.to_le_bytes());
    put(88, &[4, 2, 1, 4, 16]);
    put(108, &[0x32]);
    put(109, &[2, 0]);
    put(112, &(1u32 << 10 | 1 << 8).to_le_bytes());
    put(116, &[1, 8, 0, 1]);
    put(120, &0xcf9u64.to_le_bytes());
    put(128, &[0x0f]);
    make_table(b"FACP", &body)
}

fn firmware(xsdt: bool) -> Buffer {
    let base = 0xe0000u64;
    let mut bytes = vec![0; 0x4000];
    let mut put = |at: usize, table: &[u8]| bytes[at..at + table.len()].copy_from_slice(table);
    let aml = [&[0x10, 0x20, b'_', b'S', b'5', b'_', 0x08][..], b"_S5_", &[0x12, 6, 4, 0x0a, 5, 0x01, 0, 0]]
        .concat();
    put(0x1000, &make_table(b"DSDT", &aml));
    put(0x1800, &madt());
    put(0x2000, &fadt(base as u32 + 0x1000));
    let tables = [base + 0x1800, 0x1234_5678_9abc, base + 0x2000];
    let mut pointer = vec![0; 36];
    pointer[..8].copy_from_slice(b"RSD PTR ");
    if xsdt {
        put(
            0x3000,
            &make_table(b"XSDT", &tables.iter().flat_map(|addr| addr.to_le_bytes()).collect::<Vec<_>>()),
        );
        pointer[15] = 2;
        pointer[24..32].copy_from_slice(&(base + 0x3000).to_le_bytes());
        seal(&mut pointer[..20], 8);
        seal(&mut pointer, 32);
    } else {
        let body: Vec<u8> = tables.iter().flat_map(|&addr| (addr as u32).to_le_bytes()).collect();
        put(0x3000, &make_table(b"RSDT", &body));
        pointer[16..20].copy_from_slice(&(base as u32 + 0x3000).to_le_bytes());
        seal(&mut pointer[..20], 8);
    }
    put(0x100, &pointer);
    bytes.resize(0x20000, 0);
    Buffer { base, bytes }
}

fn check(acpi: &Acpi) {
    assert_eq!(acpi.cpus.as_slice(), [0, 1, 3, 300]);
    assert_eq!(acpi.local_apic, Some(0xfee0_0000));
    assert_eq!(acpi.io_apics.as_slice(), [IoApicEntry { addr: 0xfec0_0000, first_gsi: 0 }]);
    assert_eq!(acpi.overrides[0], (0, IsaWire { gsi: 2, active_low: false, level: false }));
    assert_eq!(acpi.overrides[1], (9, IsaWire { gsi: 9, active_low: false, level: true }));
    assert_eq!(acpi.pm_timer, Some((Register::Port(0x608), true)));
    assert_eq!(acpi.pm1_control, [Some(Register::Port(0x604)), None]);
    assert_eq!(acpi.soft_off, Some((5, 1)));
    assert_eq!(acpi.reset, Some((Register::Port(0xcf9), 0x0f)));
    assert_eq!(acpi.ports.as_slice(), [(0xb2, 2), (0x604, 2), (0x608, 4), (0xcf9, 1)]);
    assert_eq!((acpi.century, acpi.has_8042, acpi.no_cmos), (0x32, true, false));
}

#[test]
fn tables_are_found_by_pointer_and_by_scan_old_and_new() {
    for xsdt in [false, true] {
        let firmware = firmware(xsdt);
        check(&Acpi::parse(&firmware, Some(0xe0100)));
        check(&Acpi::parse(&firmware, None));
        check(&Acpi::parse(&firmware, Some(12)));
    }
}

#[test]
fn a_wrong_checksum_makes_a_table_as_good_as_none() {
    let mut firmware = firmware(true);
    firmware.bytes[0x1830] ^= 1;
    let acpi = Acpi::parse(&firmware, None);
    assert!(acpi.cpus.is_empty() && acpi.pm_timer.is_some());
    firmware.bytes[0x3030] ^= 1;
    assert!(Acpi::parse(&firmware, None).pm_timer.is_none());
}

#[test]
fn damage_of_any_byte_is_survived() {
    let good = firmware(true);
    for at in
        (0x100..0x124).chain(0x1000..0x1040).chain(0x1800..0x1880).chain(0x2000..0x2100).chain(0x3000..0x3040)
    {
        for value in [0, 1, 0x7f, 0xff] {
            let mut bad = Buffer { base: good.base, bytes: good.bytes.clone() };
            bad.bytes[at] = value;
            // Make the checksum right again, so that the damage is looked at.
            if let 0x1800..0x1880 = at
                && let Some(len) = u32_at(&bad.bytes, 0x1804)
                && let Some(table) = bad.bytes.get_mut(0x1800..0x1800 + len as usize)
                && table.len() > 9
            {
                seal(table, 9);
            }
            let acpi = Acpi::parse(&bad, Some(0xe0100));
            assert!(acpi.cpus.len() <= MAX_CPUS);
        }
    }
}

#[test]
fn a_hardware_reduced_machine_has_a_sleep_register_and_no_ports() {
    let mut table = fadt(0);
    table[112..116].copy_from_slice(&(1u32 << 20).to_le_bytes());
    table[244] = 0;
    table[248..256].copy_from_slice(&0xfea0_0000u64.to_le_bytes());
    let mut acpi = Acpi::default();
    acpi.read_fadt(&table);
    assert_eq!(acpi.sleep_control, Some(Register::Memory(0xfea0_0000)));
    assert_eq!((acpi.pm1_control, acpi.pm_timer), ([None, None], None));
}
