//! `/proc/sys`: the settings programs read, and the few they may change (sysctl(8)).

use alloc::string::String;
use alloc::sync::Arc;
use core::fmt::{Display, Write};
use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

use linux_abi::errno::Errno;
use linux_abi::limits::{MAX_MAP_COUNT, MMAP_MIN_ADDR, NR_OPEN_MAX};
use linux_abi::utsname::NAME_MAX;

use super::file::parse_number;
use super::node::{Common, Directory, Entry, Topic};
use crate::fs::inotify;
use crate::fs::vfs::text::Text;
use crate::fs::vfs::{Inode, access};
use crate::ipc::sysv::{msg, sem};
use crate::ipc::{pipe, shm};
use crate::memory::commitment::{OVERCOMMIT_MEMORY, OVERCOMMIT_RATIO};
use crate::memory::physical::buddy_allocator;
use crate::process::{limits, tree};
use crate::scheduler::SCHEDULER;
use crate::{init, klog, net, random, uts};

/// The settings of the system.
#[derive(Clone)]
pub(super) struct Settings;

impl Topic for Settings {
    const IS_LASTING: bool = true;
    const NOT_WRITABLE: Errno = Errno::EPERM;
    /// Not even root may open for writing what cannot be set.
    const REFUSES_WRITERS: bool = true;
}

/// Makes `/proc/sys`.
pub(super) fn directory(common: Common) -> Arc<dyn Inode> {
    Directory::new(common, Settings, &ROOT)
}

/// A setting that cannot be changed, with a value made when read.
const fn value(name: &'static str, show: fn(&Settings, &mut Text) -> Result<(), Errno>) -> Entry<Settings> {
    Entry::text(name, 0o444, show)
}

/// Writes a value and a line end.
fn line(text: &mut Text, value: impl Display) -> Result<(), Errno> {
    // That a text has become too long, it says itself.
    let _ = writeln!(text, "{value}");
    Ok(())
}

static ROOT: [Entry<Settings>; 4] = [
    Entry::directory("fs", &FS),
    Entry::directory("kernel", &KERNEL),
    Entry::directory("net", &NET),
    Entry::directory("vm", &VM),
];

static NET: [Entry<Settings>; 2] = [Entry::directory("core", &NET_CORE), Entry::directory("unix", &NET_UNIX)];

static NET_CORE: [Entry<Settings>; 5] = [
    value("rmem_default", |_, text| line(text, net::MAX_BUFFER)),
    value("rmem_max", |_, text| line(text, net::MAX_BUFFER)),
    value("somaxconn", |_, text| line(text, net::MAX_BACKLOG)),
    value("wmem_default", |_, text| line(text, net::MAX_BUFFER)),
    value("wmem_max", |_, text| line(text, net::MAX_BUFFER)),
];

static NET_UNIX: [Entry<Settings>; 1] =
    [value("max_dgram_qlen", |_, text| line(text, net::unix::MAX_DATAGRAMS))];

static FS: [Entry<Settings>; 8] = [
    value("file-max", |_, text| line(text, i64::MAX)),
    Entry::directory("inotify", &FS_INOTIFY),
    value("nr_open", |_, text| line(text, NR_OPEN_MAX)),
    value("pipe-max-size", |_, text| line(text, pipe::MAX_UNPRIVILEGED_SIZE)),
    Entry::setting(
        "protected_fifos",
        |_, text| line(text, access::PROTECTED_FIFOS.load(Relaxed)),
        |_, value| store_level(&access::PROTECTED_FIFOS, value, 2),
    ),
    Entry::setting(
        "protected_hardlinks",
        |_, text| line(text, access::PROTECTED_HARDLINKS.load(Relaxed)),
        |_, value| store_level(&access::PROTECTED_HARDLINKS, value, 1),
    ),
    Entry::setting(
        "protected_regular",
        |_, text| line(text, access::PROTECTED_REGULAR.load(Relaxed)),
        |_, value| store_level(&access::PROTECTED_REGULAR, value, 2),
    ),
    Entry::setting(
        "protected_symlinks",
        |_, text| line(text, access::PROTECTED_SYMLINKS.load(Relaxed)),
        |_, value| store_level(&access::PROTECTED_SYMLINKS, value, 1),
    ),
];

static FS_INOTIFY: [Entry<Settings>; 3] = [
    Entry::setting(
        "max_queued_events",
        |_, text| line(text, inotify::MAX_QUEUED_EVENTS.load(Relaxed)),
        |_, value| store_level(&inotify::MAX_QUEUED_EVENTS, value, i32::MAX as u32),
    ),
    Entry::setting(
        "max_user_instances",
        |_, text| line(text, inotify::MAX_USER_INSTANCES.load(Relaxed)),
        |_, value| store_level(&inotify::MAX_USER_INSTANCES, value, i32::MAX as u32),
    ),
    Entry::setting(
        "max_user_watches",
        |_, text| line(text, inotify::max_user_watches()),
        |_, value| {
            let watches = AtomicU32::new(0);
            store_level(&watches, value, i32::MAX as u32)?;
            inotify::set_max_user_watches(watches.load(Relaxed));
            Ok(())
        },
    ),
];

static KERNEL: [Entry<Settings>; 23] = [
    value("arch", |_, text| line(text, uts::MACHINE)),
    value("cap_last_cap", |_, text| line(text, linux_abi::cap::CAP_LAST_CAP)),
    Entry::setting(
        "domainname",
        |_, text| show_name(text, &uts::domain_name()),
        |_, name| store_name(name, uts::set_domain_name),
    ),
    Entry::setting(
        "hostname",
        |_, text| show_name(text, &uts::host_name()),
        |_, name| store_name(name, uts::set_host_name),
    ),
    value("msgmax", |_, text| line(text, msg::MAX_MESSAGE)),
    value("msgmnb", |_, text| line(text, msg::MAX_BYTES)),
    value("msgmni", |_, text| line(text, msg::MAX_QUEUES)),
    value("ngroups_max", |_, text| line(text, 65_536)),
    value("osrelease", |_, text| line(text, uts::RELEASE)),
    value("ostype", |_, text| line(text, uts::SYSTEM_NAME)),
    Entry::setting("panic", |_, text| line(text, init::panic_seconds()), |_, value| store_panic(value)),
    value("pid_max", |_, text| line(text, tree::PID_MAX)),
    Entry::setting("printk", |_, text| show_printk(text), |_, value| store_printk(value)),
    Entry::directory("random", &RANDOM),
    value("randomize_va_space", |_, text| line(text, 2)),
    Entry::setting(
        "sched_autogroup_enabled",
        |_, text| line(text, u8::from(SCHEDULER.is_fair_to_groups())),
        |_, value| store_group_fairness(value),
    ),
    value("sem", |_, text| {
        line(
            text,
            format_args!("{}\t{}\t{}\t{}", sem::MAX_IN_SET, sem::MAX_ALL, sem::MAX_OPERATIONS, sem::MAX_SETS),
        )
    }),
    value("shmall", |_, text| line(text, shm::MAX_BYTES)),
    value("shmmax", |_, text| line(text, shm::MAX_BYTES)),
    value("shmmni", |_, text| line(text, shm::MAX_SEGMENTS)),
    value("tainted", |_, text| line(text, 0)),
    Entry::setting(
        "threads-max",
        |_, text| line(text, limits::max_threads()),
        |_, value| store_max_threads(value),
    ),
    value("version", |_, text| line(text, uts::VERSION)),
];

static RANDOM: [Entry<Settings>; 4] = [
    value("boot_id", |_, text| line(text, boot_id())),
    value("entropy_avail", |_, text| line(text, 256)),
    value("poolsize", |_, text| line(text, 256)),
    value("uuid", |_, text| line(text, uuid(random::bytes()))),
];

static VM: [Entry<Settings>; 16] = [
    value("legacy_va_layout", |_, text| line(text, 0)),
    value("max_map_count", |_, text| line(text, MAX_MAP_COUNT)),
    value("min_free_kbytes", |_, text| {
        line(text, buddy_allocator::statistics().pooled_frames * hal::PAGE_SIZE / 1024)
    }),
    value("mmap_min_addr", |_, text| line(text, MMAP_MIN_ADDR)),
    value("nr_hugepages", |_, text| line(text, 0)),
    value("nr_overcommit_hugepages", |_, text| line(text, 0)),
    value("oom_dump_tasks", |_, text| line(text, 0)),
    value("oom_kill_allocating_task", |_, text| line(text, 0)),
    value("overcommit_kbytes", |_, text| line(text, 0)),
    Entry::setting(
        "overcommit_memory",
        |_, text| line(text, OVERCOMMIT_MEMORY.load(Relaxed)),
        |_, value| store_level(&OVERCOMMIT_MEMORY, value, 2),
    ),
    Entry::setting(
        "overcommit_ratio",
        |_, text| line(text, OVERCOMMIT_RATIO.load(Relaxed)),
        |_, value| store_level(&OVERCOMMIT_RATIO, value, i32::MAX as u32),
    ),
    value("page-cluster", |_, text| line(text, 0)),
    value("panic_on_oom", |_, text| line(text, 0)),
    value("swappiness", |_, text| line(text, 60)),
    value("unprivileged_userfaultfd", |_, text| line(text, 0)),
    value("zone_reclaim_mode", |_, text| line(text, 0)),
];

fn show_name(text: &mut Text, name: &[u8]) -> Result<(), Errno> {
    text.push(name);
    text.push(b"\n");
    Ok(())
}

fn store_name(value: &[u8], store: fn(&[u8])) -> Result<(), Errno> {
    let end = value.iter().position(|&byte| byte == b'\n' || byte == 0).unwrap_or(value.len());
    store(&value[..end.min(NAME_MAX)]);
    Ok(())
}

fn store_level(level: &AtomicU32, value: &[u8], max: u32) -> Result<(), Errno> {
    let value = parse_number(value.trim_ascii())?;
    let value = u32::try_from(value).ok().filter(|&value| value <= max).ok_or(Errno::EINVAL)?;
    level.store(value, Relaxed);
    Ok(())
}

fn store_group_fairness(value: &[u8]) -> Result<(), Errno> {
    match parse_number(value.trim_ascii())? {
        on @ (0 | 1) => SCHEDULER.set_group_fairness(on == 1),
        _ => return Err(Errno::EINVAL),
    }
    Ok(())
}

fn store_panic(value: &[u8]) -> Result<(), Errno> {
    let seconds = i32::try_from(parse_number(value.trim_ascii())?).map_err(|_| Errno::EINVAL)?;
    init::set_panic_seconds(seconds);
    Ok(())
}

fn store_max_threads(value: &[u8]) -> Result<(), Errno> {
    let limit = usize::try_from(parse_number(value.trim_ascii())?).map_err(|_| Errno::EINVAL)?;
    if !(limits::MIN_THREADS..1 << 30).contains(&limit) {
        return Err(Errno::EINVAL);
    }
    limits::set_max_threads(limit);
    Ok(())
}

fn show_printk(text: &mut Text) -> Result<(), Errno> {
    line(text, format_args!("{}\t{}\t1\t7", klog::console_level(), klog::DEFAULT_LEVEL))
}

/// Takes the first of the four numbers, what the console shows; the others mean nothing here.
fn store_printk(value: &[u8]) -> Result<(), Errno> {
    let first = value.split(u8::is_ascii_whitespace).find(|word| !word.is_empty()).ok_or(Errno::EINVAL)?;
    let level = u8::try_from(parse_number(first)?).map_err(|_| Errno::EINVAL)?;
    klog::set_console_level(level);
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
