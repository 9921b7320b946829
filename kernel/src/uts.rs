//! The names of the system (uname(2)): fixed ones, and the host and domain names root may set.

use alloc::string::String;
use alloc::vec::Vec;

use hal::sync::SpinLock;
use linux_abi::utsname::{Utsname, field};

use crate::lock_order;

/// `sysname`: programs look for this very word.
pub const SYSTEM_NAME: &str = "Linux";
/// `release`: the version of Linux whose interface this is, then ours.
pub const RELEASE: &str = concat!("6.1.0-exo-", env!("CARGO_PKG_VERSION"));
/// `version`.
pub const VERSION: &str = concat!("#1 SMP Exo-OS ", env!("CARGO_PKG_VERSION"));
/// `machine`.
pub const MACHINE: &str = "x86_64";

struct Names {
    host: Vec<u8>,
    domain: Vec<u8>,
}

static NAMES: SpinLock<Names> =
    SpinLock::new(lock_order::LEAF, Names { host: Vec::new(), domain: Vec::new() });

/// What uname(2) stores.
pub fn utsname() -> Utsname {
    Utsname {
        sysname: field(SYSTEM_NAME.as_bytes()),
        nodename: field(&host_name()),
        release: field(RELEASE.as_bytes()),
        version: field(VERSION.as_bytes()),
        machine: field(MACHINE.as_bytes()),
        domainname: field(&domain_name()),
    }
}

/// The host name; `(none)` until one is set.
pub fn host_name() -> Vec<u8> {
    name_or_none(&NAMES.lock().host)
}

/// The NIS domain name; `(none)` until one is set.
pub fn domain_name() -> Vec<u8> {
    name_or_none(&NAMES.lock().domain)
}

/// Sets the host name: at most 64 bytes, which the caller has checked.
pub fn set_host_name(name: &[u8]) {
    NAMES.lock().host = name.to_vec();
}

/// Sets the NIS domain name: at most 64 bytes, which the caller has checked.
pub fn set_domain_name(name: &[u8]) {
    NAMES.lock().domain = name.to_vec();
}

/// The line `/proc/version` shows.
pub fn banner() -> String {
    alloc::format!("{SYSTEM_NAME} version {RELEASE} ({VERSION})\n")
}

fn name_or_none(name: &[u8]) -> Vec<u8> {
    if name.is_empty() { b"(none)".to_vec() } else { name.to_vec() }
}
