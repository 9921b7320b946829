//! `/proc/sys`: the settings programs read, and the few they may change (sysctl(8)).

use alloc::string::{String, ToString};
use alloc::sync::Arc;
use core::fmt::Write;

use linux_abi::errno::Errno;

use super::node::{Common, Directory, TextInode, inode_number};
use crate::fs::vfs::{FileType, Inode};
use crate::process::tree;
use crate::{init, klog, random, uts};

const ROOT: (u32, u32) = (0, 0);
/// Where the inode numbers of this tree start.
const OWNER: u64 = 1 << 40;

/// Makes `/proc/sys`.
pub(super) fn directory() -> Arc<dyn Inode> {
    Arc::new(
        Directory::new(directory_common(0))
            .with("fs", FileType::Directory, || Some(fs()))
            .with("kernel", FileType::Directory, || Some(kernel()))
            .with("vm", FileType::Directory, || Some(vm())),
    )
}

fn directory_common(index: u64) -> Common {
    Common::new(inode_number(OWNER, index << 10), FileType::Directory, 0o555, ROOT)
}

fn file_common(index: u64, permissions: u32) -> Common {
    Common::new(inode_number(OWNER, index), FileType::Regular, permissions, ROOT)
}

/// A read-only setting with a value made when read.
fn value(index: u64, show: fn() -> String) -> Option<Arc<dyn Inode>> {
    Some(TextInode::new(file_common(index, 0o444), move |text| {
        text.push_str(&show());
        text.push('\n');
        Ok(())
    }))
}

/// A setting that can be written.
fn setting(
    index: u64,
    show: fn() -> String,
    store: fn(&[u8]) -> Result<(), Errno>,
) -> Option<Arc<dyn Inode>> {
    let show = move |text: &mut String| {
        text.push_str(&show());
        text.push('\n');
        Ok(())
    };
    Some(TextInode::writable(file_common(index, 0o644), show, store))
}

fn fs() -> Arc<dyn Inode> {
    Arc::new(
        Directory::new(directory_common(1))
            .with("file-max", FileType::Regular, || value(1 << 10 | 1, || i64::MAX.to_string()))
            .with("nr_open", FileType::Regular, || value(1 << 10 | 2, || 1_048_576.to_string()))
            .with("pipe-max-size", FileType::Regular, || value(1 << 10 | 3, || 1_048_576.to_string())),
    )
}

fn kernel() -> Arc<dyn Inode> {
    let index = |at: u64| 2 << 10 | at;
    Arc::new(
        Directory::new(directory_common(2))
            .with("domainname", FileType::Regular, move || {
                setting(index(1), || lossy(&uts::domain_name()), |name| set_name(name, uts::set_domain_name))
            })
            .with("hostname", FileType::Regular, move || {
                setting(index(2), || lossy(&uts::host_name()), |name| set_name(name, uts::set_host_name))
            })
            .with("ostype", FileType::Regular, move || value(index(3), || uts::SYSTEM_NAME.to_string()))
            .with("osrelease", FileType::Regular, move || value(index(4), || uts::RELEASE.to_string()))
            .with("version", FileType::Regular, move || value(index(5), || uts::VERSION.to_string()))
            .with("pid_max", FileType::Regular, move || value(index(6), || tree::PID_MAX.to_string()))
            .with("threads-max", FileType::Regular, move || value(index(7), || tree::PID_MAX.to_string()))
            .with("ngroups_max", FileType::Regular, move || value(index(8), || 65_536.to_string()))
            .with("cap_last_cap", FileType::Regular, move || {
                value(index(9), || linux_abi::cap::CAP_LAST_CAP.to_string())
            })
            .with("printk", FileType::Regular, move || setting(index(10), show_printk, store_printk))
            .with("panic", FileType::Regular, move || {
                value(index(11), || init::command_line().map_or(0, |line| line.panic_seconds).to_string())
            })
            .with("randomize_va_space", FileType::Regular, move || value(index(12), || 2.to_string()))
            .with("random", FileType::Directory, || Some(random_directory())),
    )
}

fn random_directory() -> Arc<dyn Inode> {
    let index = |at: u64| 3 << 10 | at;
    Arc::new(
        Directory::new(directory_common(3))
            .with("boot_id", FileType::Regular, move || value(index(1), boot_id))
            .with("uuid", FileType::Regular, move || value(index(2), || uuid(random::bytes())))
            .with("entropy_avail", FileType::Regular, move || value(index(3), || 256.to_string()))
            .with("poolsize", FileType::Regular, move || value(index(4), || 256.to_string())),
    )
}

fn vm() -> Arc<dyn Inode> {
    let index = |at: u64| 4 << 10 | at;
    Arc::new(
        Directory::new(directory_common(4))
            .with("max_map_count", FileType::Regular, move || {
                value(index(1), || linux_abi::limits::MAX_MAP_COUNT.to_string())
            })
            .with("mmap_min_addr", FileType::Regular, move || {
                value(index(2), || linux_abi::limits::MMAP_MIN_ADDR.to_string())
            })
            .with("overcommit_memory", FileType::Regular, move || value(index(3), || 0.to_string()))
            .with("overcommit_ratio", FileType::Regular, move || value(index(4), || 50.to_string()))
            .with("swappiness", FileType::Regular, move || value(index(5), || 60.to_string())),
    )
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn set_name(value: &[u8], store: fn(&[u8])) -> Result<(), Errno> {
    let end = value.iter().position(|&byte| byte == b'\n' || byte == 0).unwrap_or(value.len());
    store(&value[..end.min(linux_abi::utsname::NAME_MAX)]);
    Ok(())
}

fn show_printk() -> String {
    alloc::format!("{}\t{}\t1\t7", klog::console_level(), klog::DEFAULT_LEVEL)
}

fn store_printk(value: &[u8]) -> Result<(), Errno> {
    let text = core::str::from_utf8(value).map_err(|_| Errno::EINVAL)?;
    let first = text.split_ascii_whitespace().next().ok_or(Errno::EINVAL)?;
    klog::set_console_level(first.parse().map_err(|_| Errno::EINVAL)?);
    Ok(())
}

/// A random UUID (version 4).
fn uuid(mut bytes: [u8; 16]) -> String {
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let mut text = String::new();
    for (index, byte) in bytes.into_iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

fn boot_id() -> String {
    static BOOT_ID: hal::sync::Once<[u8; 16]> = hal::sync::Once::new();
    uuid(*BOOT_ID.get_or_init(random::bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uuid_has_the_usual_form() {
        assert_eq!(uuid([0xff; 16]), "ffffffff-ffff-4fff-bfff-ffffffffffff");
        assert_eq!(boot_id(), boot_id());
    }
}
