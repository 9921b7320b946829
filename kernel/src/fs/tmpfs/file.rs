//! Regular files of a file system in memory.

use alloc::sync::Arc;

use linux_abi::errno::Errno;
use linux_abi::fcntl::{FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE};
use linux_abi::mman::Seals;
use linux_abi::seek::{SEEK_CUR, SEEK_DATA, SEEK_END, SEEK_HOLE, SEEK_SET};
use linux_abi::stat::{Mode, S_ISGID, S_ISUID};

use super::Node;
use super::node::Contents;
use crate::fs::vfs::write_checks::{self, MAX_FILE_SIZE};
use crate::fs::vfs::{AttributeChanges, File, IoFlags, clock};
use crate::memory::MemoryObject;
use crate::uio::{Sink, Source};

/// The set-id bits of a mode.
const SET_ID: u32 = S_ISUID | S_ISGID;

/// Seals against any writing.
const NO_WRITE: Seals = Seals::F_SEAL_WRITE.union(Seals::F_SEAL_FUTURE_WRITE);

impl Node {
    /// Notes an access.
    fn accessed(&self, flags: IoFlags) {
        if flags.contains(IoFlags::NO_ACCESS_TIME) {
            return;
        }
        let now = clock::now();
        self.attributes.with(|metadata| {
            let relative = flags.contains(IoFlags::RELATIVE_ACCESS_TIME);
            if !relative
                || clock::access_time_is_old(metadata.accessed, metadata.modified, metadata.changed, now)
            {
                metadata.accessed = now;
            }
        });
    }

    /// Notes a change of the contents.
    fn modified(&self) {
        self.note_change();
    }

    /// Notes a write, which takes set-id bits away from whoever may not keep them.
    fn written(&self) {
        let mode = self.note_change();
        if mode.0 & SET_ID != 0
            && let Some(permissions) = write_checks::mode_after_write(mode)
        {
            self.attributes.change(&AttributeChanges {
                mode: Some(permissions),
                changed: clock::now(),
                ..Default::default()
            });
        }
    }

    /// Sets the times of a change of the contents; answers the mode.
    fn note_change(&self) -> Mode {
        let now = clock::now();
        self.attributes.with(|metadata| {
            metadata.modified = now;
            metadata.changed = now;
            metadata.mode
        })
    }
}

impl File for Node {
    fn read(&self, position: &mut u64, sink: &mut Sink<'_>, flags: IoFlags) -> Result<usize, Errno> {
        let n = self.regular()?.pages.read(*position, sink)?;
        self.accessed(flags);
        *position += n as u64;
        Ok(n)
    }

    fn write(&self, position: &mut u64, source: &mut Source<'_>, flags: IoFlags) -> Result<usize, Errno> {
        let regular = self.regular()?;
        let len = source.remaining();
        if len == 0 {
            return Ok(0);
        }
        let seals = regular.writing.lock();
        let size = regular.pages.size();
        let at = if flags.contains(IoFlags::APPEND) { size } else { *position };
        let mut len = write_checks::allowed_len(at, len)?;
        if seals.contains(Seals::F_SEAL_GROW) && at + len as u64 > size {
            // Page by page, as Linux writes: none of which a part would lie behind the end.
            let whole_pages = size & !(hal::PAGE_SIZE as u64 - 1);
            len = usize::try_from(whole_pages.saturating_sub(at)).map_or(len, |room| len.min(room));
        }
        if seals.intersects(NO_WRITE) || len == 0 {
            return Err(Errno::EPERM);
        }
        self.written();
        let n = regular.pages.write(at, source, len)?;
        *position = at + n as u64;
        Ok(n)
    }

    fn seek(&self, current: u64, offset: i64, whence: u32) -> Result<u64, Errno> {
        let pages = &self.regular()?.pages;
        let size = pages.size();
        let base = match whence {
            SEEK_SET => 0,
            SEEK_CUR => current,
            SEEK_END => size,
            SEEK_DATA | SEEK_HOLE => {
                let offset =
                    u64::try_from(offset).ok().filter(|&offset| offset < size).ok_or(Errno::ENXIO)?;
                return if whence == SEEK_DATA {
                    pages.next_data(offset).ok_or(Errno::ENXIO)
                } else {
                    Ok(pages.next_hole(offset))
                };
            }
            _ => return Err(Errno::EINVAL),
        };
        // Positions and sizes are below 2^63.
        let sum = base.cast_signed().checked_add(offset).ok_or(Errno::EINVAL)?;
        u64::try_from(sum).map_err(|_| Errno::EINVAL)
    }

    fn size(&self) -> u64 {
        match &self.contents {
            Contents::Regular(regular) => regular.pages.size(),
            _ => 0,
        }
    }

    fn set_size(&self, size: u64) -> Result<(), Errno> {
        let regular = self.regular()?;
        let seals = regular.writing.lock();
        let old = regular.pages.size();
        if size > old {
            write_checks::check_growth(size)?;
        }
        if (seals.contains(Seals::F_SEAL_SHRINK) && size < old)
            || (seals.contains(Seals::F_SEAL_GROW) && size > old)
        {
            return Err(Errno::EPERM);
        }
        if size != old {
            regular.pages.set_size(size);
        }
        self.modified();
        Ok(())
    }

    fn allocate(&self, mode: u32, offset: u64, length: u64) -> Result<(), Errno> {
        let regular = self.regular()?;
        let end = offset.checked_add(length).filter(|&end| end <= MAX_FILE_SIZE).ok_or(Errno::EFBIG)?;
        let seals = regular.writing.lock();
        let size = regular.pages.size();
        match mode {
            0 | FALLOC_FL_KEEP_SIZE => {
                if end > size && mode == 0 {
                    write_checks::check_growth(end)?;
                }
                if seals.contains(Seals::F_SEAL_GROW) && end > size {
                    return Err(Errno::EPERM);
                }
                // What cannot succeed is not begun: it would take all memory first.
                let pages = length.div_ceil(hal::PAGE_SIZE as u64);
                if pages > self.shared.pages_left() + regular.pages.page_count() as u64 {
                    return Err(Errno::ENOSPC);
                }
                regular.pages.allocate(offset..end)?;
                if mode == 0 && end > size {
                    regular.pages.set_size(end);
                }
            }
            m if m == FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE => {
                if seals.intersects(NO_WRITE) {
                    return Err(Errno::EPERM);
                }
                regular
                    .pages
                    .punch_hole(offset.min(size)..end.min(size.next_multiple_of(hal::PAGE_SIZE as u64)));
            }
            _ => return Err(Errno::EOPNOTSUPP),
        }
        self.modified();
        Ok(())
    }

    fn memory_object(self: Arc<Self>) -> Result<Arc<dyn MemoryObject>, Errno> {
        let pages = self.regular().map_err(|_| Errno::ENODEV)?.pages.clone();
        self.accessed(IoFlags::RELATIVE_ACCESS_TIME);
        Ok(pages)
    }

    fn as_memory_file(&self) -> Option<&Node> {
        Some(self)
    }
}
