//! Address spaces: mapping, faults, protection.

use std::os::fd::AsRawFd;

use crate::files;
use crate::harness::Bench;
use crate::row::Row;
use crate::sys::{self, Mapping, PAGE, Result, check};

/// How many pages the rows of faults touch at a time.
const PAGES: usize = 256;

pub(crate) const ROWS: &[Row] = &[
    Row::new("memory/mmap, munmap of 16 pages", |bench| {
        bench.each("mmap", || Mapping::anonymous(16).map_or_else(|error| -(error.errno as isize), |_| 0))
    }),
    Row::new("memory/mmap, touch 1 page, munmap", |bench| touch(bench, 1)),
    Row::new("memory/mmap, touch 16 pages, munmap", |bench| touch(bench, 16)),
    Row::new("memory/mmap, touch 256 pages, munmap", |bench| touch(bench, 256)).copying(),
    Row::new("memory/mmap, touch 4096 pages, munmap", |bench| touch(bench, 4096)).copying(),
    Row::new("memory/copy-on-write fault", copy_on_write).copying(),
    Row::new("memory/file fault, cached page", |bench| {
        let file = files::filled(c"file", PAGES * PAGE)?;
        bench.batches(PAGES as u64, |bench, count| {
            bench.elapsed(|| {
                for _ in 0..count {
                    Mapping::file_to_read(file.as_raw_fd(), PAGES)?.read_pages(PAGES);
                }
                Ok(())
            })
        })
    }),
    Row::new("memory/file fault, new page", |bench| {
        let file = sys::create(c"file")?;
        bench.batches(PAGES as u64, |bench, count| {
            let mut ticks = 0;
            for _ in 0..count {
                check("ftruncate", sys::truncate(file.as_raw_fd(), 0))?;
                check("ftruncate", sys::truncate(file.as_raw_fd(), PAGES * PAGE))?;
                let mut mapping = Mapping::file_to_write(file.as_raw_fd(), PAGES)?;
                ticks += bench.elapsed(|| {
                    mapping.write_pages(PAGES);
                    Ok(())
                })?;
            }
            Ok(ticks)
        })
    }),
    Row::new("memory/mprotect of 16 pages, twice", |bench| {
        let mut mapping = Mapping::anonymous(16)?;
        mapping.write_pages(16);
        bench.each("mprotect", || mapping.protect(false).min(mapping.protect(true)))
    }),
    Row::new("memory/mremap of 16 pages to 64, and back", |bench| {
        let mut mapping = Mapping::anonymous(16)?;
        mapping.write_pages(16);
        bench.each("mremap", || mapping.resize(64).min(mapping.resize(16)))
    }),
    Row::new("memory/madvise(DONTNEED), touch 16 pages", |bench| {
        let mut mapping = Mapping::anonymous(16)?;
        bench.each("madvise", || {
            mapping.write_pages(16);
            mapping.drop_pages()
        })
    }),
    Row::new("memory/brk up 16 pages, and back", |bench| bench.each("brk", || sys::grow_and_shrink_data(16))),
];

fn touch(bench: &mut Bench, pages: usize) -> Result<()> {
    bench.batches(1, |bench, count| {
        bench.elapsed(|| {
            for _ in 0..count {
                Mapping::anonymous(pages)?.write_pages(pages);
            }
            Ok(())
        })
    })
}

/// Measures the first write to a page that is shared with a child.
fn copy_on_write(bench: &mut Bench) -> Result<()> {
    let mut mapping = Mapping::anonymous(PAGES)?;
    mapping.write_pages(PAGES);
    bench.batches(PAGES as u64, |bench, count| {
        let mut ticks = 0;
        for _ in 0..count {
            let _child = sys::fork(|| sys::pause())?;
            ticks += bench.elapsed(|| {
                mapping.write_pages(PAGES);
                Ok(())
            })?;
        }
        Ok(ticks)
    })
}
