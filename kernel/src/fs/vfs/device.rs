//! Device numbers and the drivers behind them.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::ops::Range;

use hal::sync::RwSpinLock;
use linux_abi::errno::Errno;

use super::{DeviceNumber, File, OpenRequest};
use crate::lock_order;

/// Which of the two spaces of device numbers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DeviceClass {
    /// Character devices.
    Char,
    /// Block devices.
    Block,
}

/// What can open a device: a driver.
pub trait Driver: Send + Sync {
    /// Opens the device `number`.
    ///
    /// # Errors
    /// `ENXIO`, `ENODEV`: there is no such device; `EBUSY`, `EIO` and what else is against it.
    fn open(&self, number: DeviceNumber, request: &OpenRequest) -> Result<Arc<dyn File>, Errno>;
}

struct Registration {
    class: DeviceClass,
    major: u32,
    minors: Range<u32>,
    name: &'static str,
    driver: Arc<dyn Driver>,
}

hal::machine_static! {
    static DRIVERS: RwSpinLock<Vec<Registration>> = RwSpinLock::new(lock_order::DEVICES, Vec::new());
}

/// Makes `driver` responsible for the devices `major:minors`; `name` is shown in `/proc/devices`.
///
/// # Errors
/// `EBUSY`: one of the numbers is taken.
pub fn register_driver(
    class: DeviceClass,
    major: u32,
    minors: Range<u32>,
    name: &'static str,
    driver: Arc<dyn Driver>,
) -> Result<(), Errno> {
    let mut drivers = DRIVERS.write();
    let taken = drivers.iter().any(|known| {
        known.class == class
            && known.major == major
            && known.minors.start < minors.end
            && minors.start < known.minors.end
    });
    if taken {
        return Err(Errno::EBUSY);
    }
    drivers.push(Registration { class, major, minors, name, driver });
    Ok(())
}

/// Opens the device `number`.
///
/// # Errors
/// `ENXIO`: no driver is responsible. Else those of [`Driver::open`].
pub fn open(class: DeviceClass, number: DeviceNumber, request: &OpenRequest) -> Result<Arc<dyn File>, Errno> {
    let driver = DRIVERS
        .read()
        .iter()
        .find(|known| {
            known.class == class && known.major == number.major() && known.minors.contains(&number.minor())
        })
        .map(|known| known.driver.clone());
    driver.ok_or(Errno::ENXIO)?.open(number, request)
}

/// Writes the text of `/proc/devices`.
///
/// # Errors
/// Those of `out`.
pub fn write_devices(out: &mut dyn fmt::Write) -> fmt::Result {
    for (class, title) in
        [(DeviceClass::Char, "Character devices:\n"), (DeviceClass::Block, "\nBlock devices:\n")]
    {
        out.write_str(title)?;
        let mut rows: Vec<(u32, u32, &'static str)> = Vec::new();
        for known in DRIVERS.read().iter().filter(|known| known.class == class) {
            rows.push((known.major, known.minors.start, known.name));
        }
        rows.sort_unstable();
        rows.dedup_by_key(|row| (row.0, row.2));
        for (major, _, name) in rows {
            writeln!(out, "{major:3} {name}")?;
        }
    }
    Ok(())
}
