//! Files of `/proc` about the system as a whole.

use alloc::sync::Arc;
use core::fmt::{self, Write};

use linux_abi::errno::Errno;

use super::node::{Common, Content, Directory, Entry, Topic};
use super::{exo, interrupts, sysctl};
use crate::drivers::{serial, tty};
use crate::fs::vfs::text::Text;
use crate::fs::vfs::{self, FileType, Inode, LinkTarget, device};
use crate::ipc::shm;
use crate::ipc::sysv::{msg, sem};
use crate::memory::commitment;
use crate::memory::physical::buddy_allocator;
use crate::memory::physical::statistics::Zone;
use crate::net::unix;
use crate::process::tree;
use crate::scheduler::{self, CpuUsage, LOAD_SHIFT, SCHEDULER};
use crate::{init, uts};

/// The system, which the files in the root directory are about.
#[derive(Clone)]
pub(super) struct System;

impl Topic for System {
    const IS_LASTING: bool = true;
    const NOT_WRITABLE: Errno = Errno::EIO;
}

/// Nanoseconds in a tick, the unit of CPU times here (`USER_HZ`).
const NS_PER_TICK: u64 = 10_000_000;

/// What is in the root directory beside processes.
pub(super) static ENTRIES: [Entry<System>; 26] = [
    Entry::new("self", 0o777, Content::Link(|_| self_link())),
    Entry::new("thread-self", 0o777, Content::Link(|_| thread_self_link())),
    Entry::new("mounts", 0o777, Content::FixedLink("self/mounts")),
    Entry::new("net", 0o777, Content::FixedLink("self/net")),
    Entry::new("sys", 0o555, Content::Other(FileType::Directory, |_, common| sysctl::directory(common))),
    Entry::text("buddyinfo", 0o444, |_, text| all(buddyinfo(text))),
    Entry::text("cmdline", 0o444, |_, text| all(cmdline(text))),
    Entry::text("consoles", 0o444, |_, text| all(consoles(text))),
    Entry::text("cpuinfo", 0o444, |_, text| all(cpuinfo(text))),
    Entry::text("devices", 0o444, |_, text| all(device::write_devices(text))),
    // There is no disk.
    Entry::text("diskstats", 0o444, |_, _| Ok(())),
    Entry::directory("exo", &exo::ENTRIES),
    Entry::text("filesystems", 0o444, |_, text| all(vfs::write_types(text))),
    Entry::text("interrupts", 0o444, |_, text| all(interrupts::interrupts(text))),
    Entry::text("loadavg", 0o444, |_, text| all(loadavg(text))),
    Entry::text("meminfo", 0o444, |_, text| all(meminfo(text))),
    Entry::text("modules", 0o444, |_, _| Ok(())),
    Entry::text("partitions", 0o444, |_, text| all(text.write_str("major minor  #blocks  name\n\n"))),
    Entry::text("softirqs", 0o444, |_, text| all(interrupts::soft_interrupts(text))),
    Entry::text("schedstat", 0o444, |_, text| all(schedstat(text))),
    Entry::text("stat", 0o444, |_, text| all(stat(text))),
    Entry::directory("sysvipc", &SYSVIPC),
    Entry::text("swaps", 0o444, |_, text| all(text.write_str(SWAPS_HEADER))),
    Entry::text("uptime", 0o444, |_, text| all(uptime(text))),
    Entry::text("version", 0o444, |_, text| all(text.write_str(&uts::banner()))),
    Entry::text("vmstat", 0o444, |_, text| all(vmstat(text))),
];

/// What is in `/proc/PID/net`: there is one network, so the same for every process.
static NETWORK: [Entry<System>; 1] = [Entry::text("unix", 0o444, |_, text| {
    unix::write_sockets(text);
    Ok(())
})];

/// Makes `/proc/PID/net`.
pub(super) fn network(common: Common) -> Arc<dyn Inode> {
    Directory::new(common, System, &NETWORK)
}

const SWAPS_HEADER: &str = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n";

static SYSVIPC: [Entry<System>; 3] = [
    Entry::text("msg", 0o444, |_, text| {
        msg::write_table(text);
        Ok(())
    }),
    Entry::text("sem", 0o444, |_, text| {
        sem::write_table(text);
        Ok(())
    }),
    Entry::text("shm", 0o444, |_, text| {
        shm::write_table(text);
        Ok(())
    }),
];

/// Takes the outcome of writing a text: that it has become too long, it says itself.
pub(super) fn all(_: fmt::Result) -> Result<(), Errno> {
    Ok(())
}

fn self_link() -> Result<LinkTarget, Errno> {
    let current = scheduler::current();
    let user = current.user.as_ref().ok_or(Errno::ENOENT)?;
    Ok(LinkTarget::Text(alloc::format!("{}", user.process.pid).into_bytes().into()))
}

fn thread_self_link() -> Result<LinkTarget, Errno> {
    let current = scheduler::current();
    let user = current.user.as_ref().ok_or(Errno::ENOENT)?;
    let text = alloc::format!("{}/task/{}", user.process.pid, current.tid());
    Ok(LinkTarget::Text(text.into_bytes().into()))
}

fn cmdline(text: &mut Text) -> fmt::Result {
    text.push(init::command_line_text());
    text.push(b"\n");
    Ok(())
}

fn cpuinfo(text: &mut Text) -> fmt::Result {
    let info = hal::cpu::info();
    for cpu in hal::cpu::all() {
        let index = cpu.index();
        writeln!(text, "processor\t: {index}")?;
        writeln!(text, "vendor_id\t: {}", info.vendor)?;
        writeln!(text, "cpu family\t: {}", info.family)?;
        writeln!(text, "model\t\t: {}", info.model)?;
        writeln!(text, "model name\t: {}", info.brand)?;
        writeln!(text, "stepping\t: {}", info.stepping)?;
        writeln!(text, "cpu MHz\t\t: {}.{:03}", info.khz / 1000, info.khz % 1000)?;
        if info.cache_kib != 0 {
            writeln!(text, "cache size\t: {} KB", info.cache_kib)?;
        }
        writeln!(
            text,
            "physical id\t: 0\nsiblings\t: {0}\ncore id\t\t: {index}\ncpu cores\t: {0}",
            hal::cpu::count()
        )?;
        writeln!(text, "apicid\t\t: {index}\ninitial apicid\t: {index}")?;
        writeln!(text, "fpu\t\t: yes\nfpu_exception\t: yes\ncpuid level\t: 13\nwp\t\t: yes")?;
        writeln!(text, "flags\t\t: {}", info.features.join(" "))?;
        // Linux computes this from the clock rate; it has no other meaning.
        writeln!(text, "bogomips\t: {}.{:02}", info.khz / 500, info.khz / 5 % 100)?;
        writeln!(text, "clflush size\t: {0}\ncache_alignment\t: {0}", info.cache_line)?;
        let (physical, linear) = info.address_bits;
        writeln!(text, "address sizes\t: {physical} bits physical, {linear} bits virtual")?;
        writeln!(text, "power management:\n")?;
    }
    Ok(())
}

fn loadavg(text: &mut Text) -> fmt::Result {
    let stats = SCHEDULER.stats();
    for load in SCHEDULER.load_average() {
        // Rounded to hundredths.
        let load = load + (1 << LOAD_SHIFT) / 200;
        write!(
            text,
            "{}.{:02} ",
            load >> LOAD_SHIFT,
            ((load & ((1 << LOAD_SHIFT) - 1)) * 100) >> LOAD_SHIFT
        )?;
    }
    let tree = tree::lock();
    writeln!(text, "{}/{} {}", stats.running + stats.ready, tree.thread_count(), tree.last_pid())
}

fn meminfo(text: &mut Text) -> fmt::Result {
    let memory = crate::memory::statistics();
    let rows: [(&str, usize); 23] = [
        ("MemTotal", memory.total),
        ("MemFree", memory.free),
        ("MemAvailable", memory.available),
        ("Buffers", 0),
        ("Cached", memory.cached),
        ("SwapCached", 0),
        ("Active", memory.anonymous),
        ("Inactive", memory.cached),
        ("SwapTotal", 0),
        ("SwapFree", 0),
        ("Dirty", 0),
        ("Writeback", 0),
        ("AnonPages", memory.anonymous),
        ("Mapped", memory.mapped),
        ("Shmem", memory.shared),
        ("Slab", memory.heap),
        ("SReclaimable", 0),
        ("SUnreclaim", memory.heap),
        ("KernelStack", memory.kernel_stacks),
        ("PageTables", memory.page_tables),
        ("CommitLimit", commitment::limit_bytes()),
        ("Committed_AS", memory.committed),
        ("AnonHugePages", memory.large),
    ];
    for (name, bytes) in rows {
        let name = alloc::format!("{name}:");
        writeln!(text, "{name:<16}{:>8} kB", bytes / 1024)?;
    }
    Ok(())
}

/// `schedstat`, version 15: what is not counted (yields, wake-ups) shows 0, as on Linux unless it is told to
/// count.
fn schedstat(text: &mut Text) -> fmt::Result {
    writeln!(text, "version 15")?;
    writeln!(text, "timestamp {}", hal::time::now_ns() / NS_PER_TICK)?;
    for (index, cpu) in SCHEDULER.stats().cpus.iter().enumerate() {
        let busy_ns = cpu.user_ns + cpu.nice_ns + cpu.system_ns;
        writeln!(text, "cpu{index} 0 0 {0} 0 0 0 {busy_ns} {1} {0}", cpu.context_switches, cpu.waiting_ns)?;
    }
    Ok(())
}

fn stat(text: &mut Text) -> fmt::Result {
    let stats = SCHEDULER.stats();
    let sum = |get: fn(&CpuUsage) -> u64| stats.cpus.iter().map(get).sum::<u64>();
    let total = CpuUsage {
        user_ns: sum(|cpu| cpu.user_ns),
        nice_ns: sum(|cpu| cpu.nice_ns),
        system_ns: sum(|cpu| cpu.system_ns),
        idle_ns: sum(|cpu| cpu.idle_ns),
        context_switches: stats.context_switches,
        waiting_ns: sum(|cpu| cpu.waiting_ns),
    };
    write_cpu(text, "cpu ", &total)?;
    for (index, cpu) in stats.cpus.iter().enumerate() {
        write_cpu(text, &alloc::format!("cpu{index}"), cpu)?;
    }
    interrupts::write_sums(text)?;
    writeln!(text, "ctxt {}", stats.context_switches)?;
    writeln!(text, "btime {}", (hal::time::wall_clock_offset_ns()) / 1_000_000_000)?;
    writeln!(text, "processes {}", tree::lock().forks())?;
    writeln!(text, "procs_running {}", stats.running + stats.ready)?;
    writeln!(text, "procs_blocked 0")?;
    interrupts::write_soft_sums(text)
}

fn write_cpu(text: &mut Text, name: &str, usage: &CpuUsage) -> fmt::Result {
    let ticks = [usage.user_ns, usage.nice_ns, usage.system_ns, usage.idle_ns].map(|ns| ns / NS_PER_TICK);
    writeln!(text, "{name} {} {} {} {} 0 0 0 0 0 0", ticks[0], ticks[1], ticks[2], ticks[3])
}

fn uptime(text: &mut Text) -> fmt::Result {
    let idle_ns: u64 = SCHEDULER.stats().cpus.iter().map(|cpu| cpu.idle_ns).sum();
    for (ns, end) in [(hal::time::now_ns(), ' '), (idle_ns, '\n')] {
        write!(text, "{}.{:02}{end}", ns / 1_000_000_000, ns / 10_000_000 % 100)?;
    }
    Ok(())
}

/// `vmstat`: what is counted here of what Linux counts. Nothing is ever written back, paged or swapped.
fn vmstat(text: &mut Text) -> fmt::Result {
    let memory = crate::memory::statistics();
    let (minor_faults, major_faults) = tree::lock().faults();
    let physical = buddy_allocator::statistics();
    let pages = |bytes: usize| (bytes / hal::PAGE_SIZE) as u64;
    let rows = [
        ("nr_free_pages", pages(memory.free)),
        ("nr_mlock", pages(memory.locked)),
        ("nr_anon_pages", pages(memory.anonymous)),
        ("nr_mapped", pages(memory.mapped)),
        ("nr_file_pages", pages(memory.cached)),
        ("nr_dirty", 0),
        ("nr_writeback", 0),
        ("nr_shmem", pages(memory.shared)),
        ("nr_page_table_pages", pages(memory.page_tables)),
        ("nr_kernel_stack", memory.kernel_stacks as u64 / 1024),
        ("nr_anon_transparent_hugepages", (memory.large / hal::paging::LARGE_PAGE_SIZE) as u64),
        ("pgpgin", 0),
        ("pgpgout", 0),
        ("pswpin", 0),
        ("pswpout", 0),
        ("pgalloc_dma32", physical.taken_frames as u64),
        ("pgalloc_normal", 0),
        ("pgfree", physical.given_frames as u64),
        ("pgactivate", 0),
        ("pgdeactivate", 0),
        ("pgfault", minor_faults + major_faults),
        ("pgmajfault", major_faults),
        ("oom_kill", crate::memory::oom::kills() as u64),
        ("unevictable_pgs_mlocked", pages(memory.locked)),
        ("thp_fault_alloc", (memory.large / hal::paging::LARGE_PAGE_SIZE) as u64),
    ];
    rows.iter().try_for_each(|(name, value)| writeln!(text, "{name} {value}"))
}

/// `buddyinfo`: the free blocks of each order, for each zone that the machine has memory up to.
fn buddyinfo(text: &mut Text) -> fmt::Result {
    let end = hal::boot::frame_count();
    let counts = buddy_allocator::free_blocks_by_zone();
    let mut start = 0;
    for (zone, counts) in Zone::ALL.iter().zip(counts) {
        if start >= end {
            break;
        }
        start = zone.end().index();
        write!(text, "Node 0, zone {:>8} ", zone.name())?;
        counts.iter().try_for_each(|count| write!(text, "{count:>6} "))?;
        writeln!(text)?;
    }
    Ok(())
}

/// `consoles`: the terminals that show the kernel's log; the one behind `/dev/console` first.
fn consoles(text: &mut Text) -> fmt::Result {
    let preferred = tty::console::console().map(|terminal| terminal.number());
    let ports = || (0..serial::PORT_COUNT).filter(|&index| serial::shows_log(index));
    let devices = || ports().filter_map(|index| Some((index, serial::terminal(index)?.number())));
    let is_preferred = |device| Some(device) == preferred;
    let others = devices().filter(|&(_, device)| !is_preferred(device));
    for (index, device) in devices().filter(|&(_, device)| is_preferred(device)).chain(others) {
        let letter = if is_preferred(device) { 'C' } else { ' ' };
        let name = alloc::format!("ttyS{index}");
        writeln!(text, "{name:<21}-W- (E{letter} p a) {:>4}:{}", device.major(), device.minor())?;
    }
    Ok(())
}
