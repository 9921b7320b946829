//! `/proc/PID/maps`, `smaps` and `smaps_rollup`: the mappings of a process and what is in memory of them.

use alloc::sync::Weak;
use alloc::vec::Vec;
use core::fmt::Write;

use hal::PAGE_SIZE;
use linux_abi::errno::Errno;

use super::file::{PIECE, TextSource};
use crate::fs::vfs::text::Text;
use crate::memory::MapLabel;
use crate::memory::address_space::{Body, MappingInfo, PageCounts, VmFlags};
use crate::scheduler;

const KIB: usize = 1024;
const PAGE_KIB: usize = PAGE_SIZE / KIB;

/// Which of the texts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Form {
    /// A line for each mapping.
    Plain,
    /// With what is in memory of it.
    Detailed,
    /// What is in memory of all of them.
    Sum,
}

/// The text; a piece of it starts at an address.
pub(super) struct Mappings {
    space: Weak<Body>,
    form: Form,
}

impl Mappings {
    /// Makes a text about an address space.
    pub(super) fn new(space: Weak<Body>, form: Form) -> Self {
        Self { space, form }
    }
}

impl TextSource for Mappings {
    fn show(&self, from: u64, text: &mut Text) -> Result<Option<u64>, Errno> {
        let Some(space) = self.space.upgrade() else { return Ok(None) };
        if self.form == Form::Sum {
            show_sum(&space, text);
            return Ok(None);
        }
        let is_detailed = self.form == Form::Detailed;
        let mut at = usize::try_from(from).map_err(|_| Errno::EINVAL)?;
        let mut line = Vec::new();
        scheduler::cond_resched();
        while text.len() < PIECE {
            let Some(mapping) = space.mapping_from(at, is_detailed) else { return Ok(None) };
            at = mapping.range.end;
            line.clear();
            mapping.write_line(&mut line);
            text.push(&line);
            if is_detailed {
                show_rows(
                    text,
                    &[
                        ("Size:", mapping.range.len() / KIB),
                        ("KernelPageSize:", PAGE_KIB),
                        ("MMUPageSize:", PAGE_KIB),
                    ],
                );
                show_counts(text, &mapping.pages, false);
                // A text that has become too long says so itself.
                let _ = writeln!(text, "THPeligible:    {}", u8::from(mapping.may_be_large));
                show_flags(&mapping, text);
            }
        }
        Ok(Some(at as u64))
    }

    fn store(&self, _value: &[u8]) -> Result<(), Errno> {
        Err(Errno::EINVAL)
    }
}

/// Two letters for each bit of a mapping's flags that has a name. Of the first stack alone it is known when pages began to
/// be written: its flags are set later than those of others.
fn show_flags(mapping: &MappingInfo, text: &mut Text) {
    const NAMES: [&str; 32] = [
        "rd", "wr", "ex", "sh", "mr", "mw", "me", "ms", "gd", "??", "pf", "??", "??", "lo", "io", "sr", "rr",
        "dc", "de", "??", "ac", "nr", "ht", "sf", "ar", "wf", "dd", "sd", "mm", "hg", "nh", "mg",
    ];
    const SOFT_DIRTY: u32 = 27;
    let is_first_stack = mapping.label.name == b"[stack]";
    let mut flags = mapping.flags.shown();
    if is_first_stack {
        flags &= !(1 << SOFT_DIRTY);
    }
    text.push(b"VmFlags: ");
    for (_, name) in NAMES.iter().enumerate().filter(|(bit, _)| flags & 1 << bit != 0) {
        text.push(name.as_bytes());
        text.push(b" ");
    }
    text.push(b"\n");
}

/// Adds up all mappings, under a line that looks like that of one from the first address to the last.
fn show_sum(space: &Body, text: &mut Text) {
    let mut sum = PageCounts::default();
    let mut start = None;
    let mut at = 0;
    while let Some(mapping) = space.mapping_from(at, true) {
        at = mapping.range.end;
        sum.add(&mapping.pages);
        start.get_or_insert(mapping.range.start);
        scheduler::cond_resched();
    }
    let all = MappingInfo {
        range: start.unwrap_or(0)..at,
        flags: VmFlags::empty(),
        offset: 0,
        label: MapLabel { name: b"[rollup]".to_vec(), ..MapLabel::default() },
        pages: sum,
        may_be_large: false,
    };
    let mut line = Vec::new();
    all.write_line(&mut line);
    text.push(&line);
    show_counts(text, &sum, true);
}

fn show_rows(text: &mut Text, rows: &[(&str, usize)]) {
    for (name, kib) in rows {
        // A text that has become too long says so itself.
        let _ = writeln!(text, "{name:<16}{kib:>8} kB");
    }
}

/// Shows what is in memory. No page has another copy, on a disk or elsewhere, so all of them are dirty; and files live in
/// memory only, which makes their pages shared memory.
fn show_counts(text: &mut Text, pages: &PageCounts, by_kind: bool) {
    let share = (pages.anonymous_share + pages.file_share) / KIB;
    let pages_kib = |count: usize| count * PAGE_KIB;
    show_rows(text, &[("Rss:", pages_kib(pages.resident)), ("Pss:", share), ("Pss_Dirty:", share)]);
    if by_kind {
        show_rows(
            text,
            &[
                ("Pss_Anon:", pages.anonymous_share / KIB),
                ("Pss_File:", 0),
                ("Pss_Shmem:", pages.file_share / KIB),
            ],
        );
    }
    show_rows(
        text,
        &[
            ("Shared_Clean:", 0),
            ("Shared_Dirty:", pages_kib(pages.shared)),
            ("Private_Clean:", 0),
            ("Private_Dirty:", pages_kib(pages.resident - pages.shared)),
            ("Referenced:", pages_kib(pages.referenced)),
            ("Anonymous:", pages_kib(pages.anonymous)),
            ("LazyFree:", 0),
            ("AnonHugePages:", pages_kib(pages.in_large)),
            ("ShmemPmdMapped:", 0),
            ("FilePmdMapped:", 0),
            ("Shared_Hugetlb:", 0),
            ("Private_Hugetlb:", 0),
            ("Swap:", 0),
            ("SwapPss:", 0),
            ("Locked:", pages.locked_share / KIB),
        ],
    );
}
