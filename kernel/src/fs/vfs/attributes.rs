//! Changes of attributes: permissions, owners, times, sizes.
//!
//! Sources: chmod(2), chown(2), utimensat(2), truncate(2).

use alloc::sync::Arc;

use linux_abi::errno::Errno;
use linux_abi::inotify::{IN_ACCESS, IN_ATTRIB, IN_MODIFY};
use linux_abi::time::Timespec;

use super::access::{self, MAY_WRITE};
use super::{AttributeChanges, Caller, File, FileType, Inode, Path, clock};
use crate::fs::inotify::Subject;

/// One time to set.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NewTime {
    /// Leave it (`UTIME_OMIT`).
    Keep,
    /// The present (`UTIME_NOW`).
    Now,
    /// This time.
    At(Timespec),
}

impl Caller<'_> {
    /// Changes the permissions of the file at `place` (a symbolic link has none to change).
    ///
    /// # Errors
    /// `EPERM`: neither owner nor capable. `EROFS`. `EOPNOTSUPP`: a symbolic link.
    pub fn change_mode(&self, place: &Path, permissions: u32) -> Result<(), Errno> {
        place.mount.check_writable()?;
        self.change_mode_of(place.inode(), permissions)?;
        Subject::Entry(&place.dentry).tell(IN_ATTRIB);
        Ok(())
    }

    /// As [`Self::change_mode`], of an inode without a place.
    ///
    /// # Errors
    /// Those of [`Self::change_mode`].
    pub fn change_mode_of(&self, inode: &Arc<dyn Inode>, permissions: u32) -> Result<(), Errno> {
        let owner = inode.ownership();
        if owner.mode.is_symlink() {
            return Err(Errno::EOPNOTSUPP);
        }
        let mode = access::change_mode(owner, self.credentials, permissions)?;
        inode.set_attributes(&AttributeChanges {
            mode: Some(mode),
            changed: clock::now(),
            ..Default::default()
        })
    }

    /// Changes owner and group of the file at `place`; `None` leaves one.
    ///
    /// # Errors
    /// `EPERM`: not allowed. `EROFS`.
    pub fn change_owner(&self, place: &Path, uid: Option<u32>, gid: Option<u32>) -> Result<(), Errno> {
        place.mount.check_writable()?;
        let mode = place.inode().ownership().mode;
        self.change_owner_of(place.inode(), uid, gid)?;
        if uid.is_some() || gid.is_some() || place.inode().ownership().mode != mode {
            Subject::Entry(&place.dentry).tell(IN_ATTRIB);
        }
        Ok(())
    }

    /// As [`Self::change_owner`], of an inode without a place.
    ///
    /// # Errors
    /// Those of [`Self::change_owner`].
    pub fn change_owner_of(
        &self,
        inode: &Arc<dyn Inode>,
        uid: Option<u32>,
        gid: Option<u32>,
    ) -> Result<(), Errno> {
        let mut changes = AttributeChanges { changed: clock::now(), ..Default::default() };
        access::change_owner(inode.ownership(), self.credentials, uid, gid, &mut changes)?;
        inode.set_attributes(&changes)
    }

    /// Sets access and modification time of the file at `place`.
    ///
    /// # Errors
    /// `EPERM`: times other than the present, by neither owner nor capable. `EACCES`: the present, by one who may not
    /// write either. `EROFS`.
    pub fn change_times(&self, place: &Path, accessed: NewTime, modified: NewTime) -> Result<(), Errno> {
        place.mount.check_writable()?;
        self.change_times_of(place.inode(), accessed, modified)?;
        match (accessed, modified) {
            (NewTime::Keep, NewTime::Keep) => {}
            // A change of one looks as what usually changes it.
            (_, NewTime::Keep) => Subject::Entry(&place.dentry).tell(IN_ACCESS),
            (NewTime::Keep, _) => Subject::Entry(&place.dentry).tell(IN_MODIFY),
            _ => Subject::Entry(&place.dentry).tell(IN_ATTRIB),
        }
        Ok(())
    }

    /// As [`Self::change_times`], of an inode without a place.
    ///
    /// # Errors
    /// Those of [`Self::change_times`].
    pub fn change_times_of(
        &self,
        inode: &Arc<dyn Inode>,
        accessed: NewTime,
        modified: NewTime,
    ) -> Result<(), Errno> {
        if (accessed, modified) == (NewTime::Keep, NewTime::Keep) {
            return Ok(());
        }
        let owner = inode.ownership();
        if !access::is_owner_or_capable(owner, self.credentials) {
            if (accessed, modified) != (NewTime::Now, NewTime::Now) {
                return Err(Errno::EPERM);
            }
            access::check(owner, self.credentials, MAY_WRITE)?;
        }
        let now = clock::now();
        let resolve = |time| match time {
            NewTime::Keep => None,
            NewTime::Now => Some(now),
            NewTime::At(time) => Some(time),
        };
        inode.set_attributes(&AttributeChanges {
            accessed: resolve(accessed),
            modified: resolve(modified),
            changed: now,
            ..Default::default()
        })
    }

    /// Cuts or extends the file at `place` to `size` bytes (truncate).
    ///
    /// # Errors
    /// `EISDIR`: a directory. `EINVAL`: no regular file. `EACCES`: not writable. `EROFS`. `ETXTBSY`: being executed.
    /// `EFBIG`, `ENOSPC`.
    pub fn truncate(&self, place: &Path, size: u64) -> Result<(), Errno> {
        match place.dentry.file_type() {
            FileType::Regular => {}
            FileType::Directory => return Err(Errno::EISDIR),
            _ => return Err(Errno::EINVAL),
        }
        place.mount.check_writable()?;
        access::check(place.inode().ownership(), self.credentials, MAY_WRITE)?;
        let request = super::OpenRequest { flags: linux_abi::open::OpenFlags::O_WRONLY };
        let state = place.inode().state();
        state.begin_writing()?;
        let outcome = place.inode().clone().open(&request);
        let outcome =
            outcome.and_then(|file| truncate(self, Subject::Entry(&place.dentry), file.as_ref(), size));
        state.end_writing();
        outcome
    }
}

/// Sets the size of `file`, which is `subject` open for writing, and takes set-id bits away.
///
/// # Errors
/// Those of [`File::set_size`].
pub fn truncate(caller: &Caller<'_>, subject: Subject<'_>, file: &dyn File, size: u64) -> Result<(), Errno> {
    let mode = subject.inode().ownership().mode;
    file.set_size(size)?;
    drop_set_id(caller, subject.inode())?;
    let lost_bits = subject.inode().ownership().mode != mode;
    subject.tell(if lost_bits { IN_MODIFY | IN_ATTRIB } else { IN_MODIFY });
    Ok(())
}

/// Takes set-id bits away from a file whose contents were changed.
///
/// # Errors
/// Those of [`Inode::set_attributes`].
#[inline]
pub fn drop_set_id(caller: &Caller<'_>, inode: &Arc<dyn Inode>) -> Result<(), Errno> {
    match access::after_write(inode.ownership().mode, caller.credentials) {
        None => Ok(()),
        Some(mode) => inode.set_attributes(&AttributeChanges {
            mode: Some(mode),
            changed: clock::now(),
            ..Default::default()
        }),
    }
}
