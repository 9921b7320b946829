//! Switching the machine off, and resetting it.

use core::ops::Range;

use arrayvec::ArrayVec;
use firmware::acpi::{Acpi, MAX_PORTS, Register};

use super::mmio::Mmio;
use super::{boot, cpu, io, time};
use crate::sync::Once;

/// A register that can be written at any time.
#[derive(Clone, Copy, Debug)]
enum Target {
    Port(u16),
    Memory(Mmio),
}

#[derive(Debug, Default)]
struct Machine {
    pm1_control: [Option<Target>; 2],
    sleep_control: Option<Target>,
    soft_off: Option<(u8, u8)>,
    reset: Option<(Target, u8)>,
    has_8042: bool,
    ports: ArrayVec<(u16, u16), MAX_PORTS>,
}

static MACHINE: Once<Machine> = Once::new();

const SLEEP_ENABLE: u16 = 1 << 13;
const REDUCED_SLEEP_ENABLE: u8 = 1 << 5;
/// Nanoseconds that the machine gets to react to one attempt.
const GRACE_NS: u64 = 20_000_000;

fn target(register: Register) -> Option<Target> {
    match register {
        Register::Port(port) => Some(Target::Port(port)),
        Register::Memory(addr) => {
            // SAFETY: a register that the firmware names; it is read never, and written to switch the machine off.
            let registers = unsafe { Mmio::map(addr, 4, &mut boot::early_table) };
            registers.ok().map(Target::Memory)
        }
    }
}

impl Target {
    /// Writes a byte that stops or resets the machine.
    fn write_u8(self, value: u8) {
        match self {
            // SAFETY: the machine does not go on after it.
            Target::Port(port) => unsafe { io::write_u8(port, value) },
            // SAFETY: as above.
            Target::Memory(registers) => unsafe { registers.write_u8(0, value) },
        }
    }

    /// Writes a power-management control register, of 16 bits.
    fn write_u16(self, value: u16) {
        match self {
            // SAFETY: the machine does not go on after it.
            Target::Port(port) => unsafe { io::write_u16(port, value) },
            // SAFETY: as above.
            Target::Memory(registers) => unsafe { registers.write(0, value.into()) },
        }
    }
}

/// Remembers the registers.
pub(super) fn init(acpi: &Acpi) {
    let machine = Machine {
        pm1_control: acpi.pm1_control.map(|register| register.and_then(target)),
        sleep_control: acpi.sleep_control.and_then(target),
        soft_off: acpi.soft_off,
        reset: acpi.reset.and_then(|(register, value)| Some((target(register)?, value))),
        has_8042: acpi.has_8042,
        ports: acpi.ports.clone(),
    };
    // Nothing set it before.
    drop(MACHINE.set(machine));
}

/// Tells whether a range of ports meets those by which the firmware is called, the machine switched off or reset.
pub(super) fn has_ports(range: &Range<u32>) -> bool {
    let ports = MACHINE.get().map_or(&[][..], |machine| &machine.ports);
    ports
        .iter()
        .map(|&(first, len)| (u32::from(first), u32::from(first) + u32::from(len)))
        .any(|(start, end)| start < range.end && range.start < end)
}

/// Switches the machine off.
pub(super) fn off() -> ! {
    super::irq::disable();
    if let Some(machine) = MACHINE.get()
        && let Some((first, second)) = machine.soft_off
    {
        if let Some(control) = machine.sleep_control {
            control.write_u8(first << 2 | REDUCED_SLEEP_ENABLE);
        }
        for (control, kind) in machine.pm1_control.into_iter().zip([first, second]) {
            if let Some(control) = control {
                control.write_u16(u16::from(kind) << 10 | SLEEP_ENABLE);
            }
        }
        time::busy_wait_ns(GRACE_NS);
    }
    // Where the firmware said nothing: QEMU's machines with and without the newer chip set, and VirtualBox.
    for (port, value) in [(0x604, 0x2000), (0xb004, 0x2000), (0x4004, 0x3400)] {
        Target::Port(port).write_u16(value);
    }
    cpu::halt()
}

/// Resets the machine.
pub(super) fn reset() -> ! {
    super::irq::disable();
    if let Some(machine) = MACHINE.get() {
        if let Some((register, value)) = machine.reset {
            register.write_u8(value);
            time::busy_wait_ns(GRACE_NS);
        }
        if machine.has_8042 {
            for _ in 0..10 {
                Target::Port(0x64).write_u8(0xfe);
                time::busy_wait_ns(GRACE_NS / 20);
            }
        }
    }
    // The chip set's reset port, then a fault that cannot be handled.
    for value in [0x02, 0x06] {
        Target::Port(0xcf9).write_u8(value);
        time::busy_wait_ns(GRACE_NS / 20);
    }
    let nothing = [0u16; 5];
    // SAFETY: without an interrupt table the next exception resets the CPU; that is the intent.
    unsafe { core::arch::asm!("lidt [{}]", "ud2", in(reg) nothing.as_ptr(), options(noreturn)) }
}
