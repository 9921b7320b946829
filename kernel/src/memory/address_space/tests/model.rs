//! Random operations against a model of one flag set and one byte per page.

use alloc::vec;
use alloc::vec::Vec;

use hal::PAGE_SIZE;
use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Op {
    Map {
        page: usize,
        pages: usize,
        access: u32,
    },
    Unmap {
        page: usize,
        pages: usize,
    },
    Protect {
        page: usize,
        pages: usize,
        access: u32,
    },
    Write {
        page: usize,
        byte: u8,
    },
    Forget {
        page: usize,
        pages: usize,
    },
    Move {
        page: usize,
        pages: usize,
        to: usize,
    },
    Fork,
    /// Goes on with an older generation.
    Switch(usize),
    /// Ends an older generation.
    Exit(usize),
}

const PAGES: usize = 48;
/// The first of some written pages beside those.
const BALLAST: usize = 256;

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let range = || (0..PAGES, 1usize..12).prop_map(|(page, pages)| (page, pages.min(PAGES - page)));
    let op = prop_oneof![
        4 => (range(), 0u32..8).prop_map(|((page, pages), access)| Op::Map { page, pages, access }),
        3 => range().prop_map(|(page, pages)| Op::Unmap { page, pages }),
        4 => (range(), 0u32..8).prop_map(|((page, pages), access)| Op::Protect { page, pages, access }),
        8 => (0..PAGES, 1u8..255).prop_map(|(page, byte)| Op::Write { page, byte }),
        1 => range().prop_map(|(page, pages)| Op::Forget { page, pages }),
        2 => (range(), 0..PAGES).prop_map(|((page, pages), to)| Op::Move { page, pages, to: to.min(PAGES - pages) }),
        2 => Just(Op::Fork),
        2 => (0usize..8).prop_map(Op::Switch),
        1 => (0usize..8).prop_map(Op::Exit),
    ];
    prop::collection::vec(op, 1..120)
}

type Model = [Option<(VmFlags, u8)>; PAGES];

fn compare(space: &AddressSpace, model: &Model) {
    let mut seen: Vec<Option<VmFlags>> = vec![None; PAGES];
    let mut last = 0;
    for mapping in mappings(space) {
        assert!(mapping.range.start >= last, "out of order");
        last = mapping.range.end;
        if mapping.range.start >= BASE + PAGES * PAGE_SIZE {
            assert_eq!(mapping.pages.anonymous, 80, "the pages beside");
            continue;
        }
        for addr in mapping.range.step_by(PAGE_SIZE) {
            seen[(addr - BASE) / PAGE_SIZE] = Some(mapping.flags & VmFlags::ACCESS);
        }
    }
    for (page, expected) in model.iter().enumerate() {
        let addr = BASE + page * PAGE_SIZE;
        assert_eq!(seen[page], expected.map(|(flags, _)| flags), "rights of page {page}");
        let mut byte = [0];
        let read = space.read_some(addr, &mut byte, RemoteMode::Debugger);
        assert_eq!(read.ok().map(|_| byte[0]), expected.map(|(_, byte)| byte), "contents of page {page}");
        let flags = space.mm.lock().table.flags(addr);
        if let Some(flags) = flags {
            let allowed = expected.expect("a page outside all mappings").0;
            use hal::paging::PageFlags;
            assert!(!flags.contains(PageFlags::WRITE) || allowed.contains(VmFlags::WRITE));
            assert!(!flags.contains(PageFlags::USER_ACCESS) || !allowed.is_empty());
            assert!(flags.contains(PageFlags::NO_EXECUTE) || allowed.contains(VmFlags::EXEC));
        }
    }
    let total = model.iter().flatten().count();
    let usage = space.usage();
    assert_eq!(usage.total, total + 80);
    let counted: usize = mappings(space).iter().map(|mapping| mapping.pages.anonymous).sum();
    assert_eq!(usage.resident(), counted);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn behaves_as_one_byte_and_one_set_of_rights_per_page(ops in ops()) {
        machine();
        let mut space = space();
        // Enough pages in the same page table for a fork to share it.
        map(&space, BALLAST, 80, RW);
        for page in BALLAST..BALLAST + 80 {
            put(&space, BASE + page * PAGE_SIZE, 1);
        }
        // Older generations, with what they must still contain.
        let mut frozen: Vec<(Arc<AddressSpace>, Model)> = Vec::new();
        let mut model: Model = [None; PAGES];
        for op in ops {
            let at = |page: usize| BASE + page * PAGE_SIZE;
            match op {
                Op::Map { page, pages, access } => {
                    let access = VmFlags::from_bits_truncate(access);
                    map(&space, page, pages, access);
                    model[page..page + pages].fill(Some((access, 0)));
                }
                Op::Unmap { page, pages } => {
                    space.munmap(at(page), pages * PAGE_SIZE).unwrap();
                    model[page..page + pages].fill(None);
                }
                Op::Protect { page, pages, access } => {
                    let result = space.mprotect(at(page), pages * PAGE_SIZE, access);
                    let hole = model[page..page + pages].iter().position(Option::is_none);
                    prop_assert_eq!(result, if hole.is_some() { Err(Errno::ENOMEM) } else { Ok(()) });
                    for entry in &mut model[page..page + hole.unwrap_or(pages)] {
                        entry.as_mut().unwrap().0 = VmFlags::from_bits_truncate(access);
                    }
                }
                Op::Write { page, byte } => {
                    let writes = model[page].is_some_and(|(flags, _)| flags.contains(VmFlags::WRITE));
                    prop_assert_eq!(space.write_remote(at(page), &[byte]).is_ok(), writes);
                    if writes {
                        model[page].as_mut().unwrap().1 = byte;
                    }
                }
                Op::Forget { page, pages } => {
                    let _ = space.madvise(at(page), pages * PAGE_SIZE, 4);
                    model[page..page + pages].iter_mut().flatten().for_each(|entry| entry.1 = 0);
                }
                Op::Move { page, pages, to } => {
                    let uniform = model[page].is_some();
                    if uniform && (to >= page + pages || page >= to + pages) {
                        let before = mappings(&space);
                        let one = before.iter().any(|m| m.range.start <= at(page) && at(page + pages) <= m.range.end);
                        let len = pages * PAGE_SIZE;
                        let result = space.mremap(at(page), len, len, 3, at(to), false);
                        // The target is emptied even when the move fails.
                        let moved: Vec<_> = model[page..page + pages].to_vec();
                        model[to..to + pages].fill(None);
                        if one {
                            prop_assert_eq!(result, Ok(at(to)));
                            model[page..page + pages].fill(None);
                            model[to..to + pages].copy_from_slice(&moved);
                        } else {
                            prop_assert_eq!(result, Err(Errno::EFAULT));
                        }
                    }
                }
                Op::Fork => {
                    let child = space.fork().unwrap();
                    let parent = core::mem::replace(&mut space, child);
                    frozen.push((parent, model));
                }
                Op::Switch(n) => {
                    let n = n % (frozen.len() + 1);
                    if let Some(other) = frozen.get_mut(n) {
                        core::mem::swap(&mut other.0, &mut space);
                        core::mem::swap(&mut other.1, &mut model);
                    }
                }
                Op::Exit(n) => {
                    if n < frozen.len() {
                        frozen.swap_remove(n);
                    }
                }
            }
            compare(&space, &model);
        }
        for (space, model) in &frozen {
            compare(space, model);
        }
    }
}
