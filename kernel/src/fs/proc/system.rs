//! Files of `/proc` about the system as a whole.

use core::fmt::{self, Write};

use linux_abi::errno::Errno;

use super::node::{Content, Entry, Topic};
use super::{exo, sysctl};
use crate::fs::vfs::text::Text;
use crate::fs::vfs::{self, FileType, LinkTarget, device};
use crate::memory::commitment;
use crate::memory::physical::buddy_allocator;
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
pub(super) static ENTRIES: [Entry<System>; 19] = [
    Entry::new("self", 0o777, Content::Link(|_| self_link())),
    Entry::new("thread-self", 0o777, Content::Link(|_| thread_self_link())),
    Entry::new("mounts", 0o777, Content::FixedLink("self/mounts")),
    Entry::new("sys", 0o555, Content::Other(FileType::Directory, |_, common| sysctl::directory(common))),
    Entry::text("cmdline", 0o444, |_, text| all(cmdline(text))),
    Entry::text("cpuinfo", 0o444, |_, text| all(cpuinfo(text))),
    Entry::text("devices", 0o444, |_, text| all(device::write_devices(text))),
    Entry::directory("exo", &exo::ENTRIES),
    Entry::text("filesystems", 0o444, |_, text| all(vfs::write_types(text))),
    Entry::text("interrupts", 0o444, |_, text| all(interrupts(text))),
    Entry::text("loadavg", 0o444, |_, text| all(loadavg(text))),
    Entry::text("meminfo", 0o444, |_, text| all(meminfo(text))),
    Entry::text("modules", 0o444, |_, _| Ok(())),
    Entry::text("partitions", 0o444, |_, text| all(text.write_str("major minor  #blocks  name\n\n"))),
    Entry::text("stat", 0o444, |_, text| all(stat(text))),
    Entry::text("swaps", 0o444, |_, text| all(text.write_str(SWAPS_HEADER))),
    Entry::text("uptime", 0o444, |_, text| all(uptime(text))),
    Entry::text("version", 0o444, |_, text| all(text.write_str(&uts::banner()))),
    Entry::text("vmstat", 0o444, |_, text| all(vmstat(text))),
];

const SWAPS_HEADER: &str = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n";

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

fn interrupts(text: &mut Text) -> fmt::Result {
    write!(text, "    ")?;
    for cpu in hal::cpu::all() {
        write!(text, "       CPU{}", cpu.index())?;
    }
    writeln!(text)
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

fn stat(text: &mut Text) -> fmt::Result {
    let stats = SCHEDULER.stats();
    let sum = |get: fn(&CpuUsage) -> u64| stats.cpus.iter().map(get).sum::<u64>();
    let total = CpuUsage {
        user_ns: sum(|cpu| cpu.user_ns),
        nice_ns: sum(|cpu| cpu.nice_ns),
        system_ns: sum(|cpu| cpu.system_ns),
        idle_ns: sum(|cpu| cpu.idle_ns),
        context_switches: stats.context_switches,
    };
    write_cpu(text, "cpu ", &total)?;
    for (index, cpu) in stats.cpus.iter().enumerate() {
        write_cpu(text, &alloc::format!("cpu{index}"), cpu)?;
    }
    writeln!(text, "intr 0")?;
    writeln!(text, "ctxt {}", stats.context_switches)?;
    writeln!(text, "btime {}", (hal::time::wall_clock_offset_ns()) / 1_000_000_000)?;
    writeln!(text, "processes {}", tree::lock().forks())?;
    writeln!(text, "procs_running {}", stats.running + stats.ready)?;
    writeln!(text, "procs_blocked 0")
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

fn vmstat(text: &mut Text) -> fmt::Result {
    let memory = crate::memory::statistics();
    writeln!(text, "nr_free_pages {}", buddy_allocator::free_bytes() / hal::PAGE_SIZE)?;
    writeln!(text, "nr_anon_pages {}", memory.anonymous / hal::PAGE_SIZE)?;
    writeln!(text, "nr_file_pages {}", memory.cached / hal::PAGE_SIZE)?;
    writeln!(text, "nr_shmem {}", memory.shared / hal::PAGE_SIZE)
}
