//! Opening files by name: what the flags of open(2) mean.

use alloc::sync::Arc;

use linux_abi::errno::Errno;
use linux_abi::inotify::{IN_CREATE, IN_OPEN};
use linux_abi::open::{OpenFlags, ResolveFlags};

use super::access::{self, MAY_EXECUTE, MAY_READ, MAY_WRITE};
use super::dentry::trim_cache;
use super::device::{self, DeviceClass};
use super::mount::MountOptions;
use super::name::hash_name;
use super::{
    Base, Caller, Dentry, File, FileType, Last, NodeKind, OpenFile, OpenRequest, Parent, Path, Walked,
    truncate,
};
use crate::fs::inotify::{Subject, entry_event, file_event};

/// The wishes (`MAY_*`) that an access mode stands for: read, write, both, both.
const ACCESS_WISHES: [u32; 4] = [MAY_READ, MAY_WRITE, MAY_READ | MAY_WRITE, MAY_READ | MAY_WRITE];

/// What to open, with which rights.
#[derive(Clone, Copy, Debug)]
pub struct OpenParameters {
    /// Flags of open(2), free of contradictions.
    pub flags: OpenFlags,
    /// Permissions of a new file, before the umask.
    pub permissions: u32,
    /// Restrictions of the walk (openat2).
    pub scope: ResolveFlags,
}

impl OpenParameters {
    /// Parameters that only read.
    pub const fn read_only() -> Self {
        Self { flags: OpenFlags::O_RDONLY, permissions: 0, scope: ResolveFlags::empty() }
    }
}

impl Caller<'_> {
    /// Opens the file called `path`, which may be created first.
    ///
    /// # Errors
    /// - `EEXIST`: `O_CREAT | O_EXCL`, and it exists.
    /// - `EISDIR`: a directory is to be written or created.
    /// - `ENOTDIR`: `O_DIRECTORY`, and it is none.
    /// - `ELOOP`: a symbolic link with `O_NOFOLLOW`.
    /// - `EACCES`, `EPERM`, `EROFS`: not allowed.
    /// - `ENXIO`: no driver, a socket, or a FIFO without readers to be written without waiting.
    /// - `ETXTBSY`: to be written while it is executed.
    /// - The errors of the walk and of the file itself.
    pub fn open(&self, base: Base<'_>, path: &[u8], how: &OpenParameters) -> Result<Arc<OpenFile>, Errno> {
        let flags = how.flags;
        let follow = !flags.contains(OpenFlags::O_NOFOLLOW);
        if flags.contains(OpenFlags::O_PATH) {
            let place = self.resolve_scoped(base, path, follow, how.scope)?;
            check_directory(flags, &place.dentry)?;
            return Ok(OpenFile::path_only(place, flags));
        }
        if flags.contains(OpenFlags::O_TMPFILE) {
            return self.open_unnamed(base, path, how);
        }
        if !flags.contains(OpenFlags::O_CREAT) {
            return self.open_existing(self.resolve_scoped(base, path, follow, how.scope)?, flags);
        }
        if path.last() == Some(&b'/') && matches!(self.resolve_parent(base, path)?.last, Last::Normal(_)) {
            return Err(Errno::EISDIR);
        }
        let exclusive = flags.contains(OpenFlags::O_EXCL);
        loop {
            match self.resolve_or_parent(base, path, follow && !exclusive, how.scope)? {
                Walked::Found(_) if exclusive => return Err(Errno::EEXIST),
                Walked::Found(place) => return self.open_existing(place, flags),
                Walked::Missing(parent) => {
                    if let Some(open) = self.create_and_open(&parent, how)? {
                        return Ok(open);
                    }
                    // Somebody was faster: now it exists, and may be anything.
                }
            }
        }
    }

    /// Creates and opens a regular file; `None` if the name is taken after all.
    fn create_and_open(&self, parent: &Parent, how: &OpenParameters) -> Result<Option<Arc<OpenFile>>, Errno> {
        let name = parent.name(Errno::EISDIR)?;
        if parent.has_trailing_slash {
            return Err(Errno::EISDIR);
        }
        let directory = &parent.directory;
        let changes = directory.dentry.lock_changes()?;
        let hash = hash_name(name);
        if directory.dentry.lookup_locked(name, hash)?.is_some() {
            return if how.flags.contains(OpenFlags::O_EXCL) { Err(Errno::EEXIST) } else { Ok(None) };
        }
        if directory.dentry.is_removed() {
            return Err(Errno::ENOENT);
        }
        directory.mount.check_writable()?;
        let owner = directory.inode().ownership();
        access::check(owner, self.credentials, MAY_WRITE | MAY_EXECUTE)?;
        let permissions = how.permissions & !self.fs.umask();
        let node = access::new_node(owner, self.credentials, NodeKind::Regular, permissions);
        let inode = directory.inode().create(name, &node)?;
        let dentry = directory.dentry.attach(name, hash, inode);
        entry_event(&directory.dentry, name, false, IN_CREATE, 0);
        drop(changes);
        trim_cache();
        let place = Path { mount: directory.mount.clone(), dentry };
        // The permissions of the new file do not apply to this very open.
        check_directory(how.flags, &place.dentry)?;
        open_place(place, how.flags).map(Some)
    }

    /// Opens an unnamed file in the directory called `path` (`O_TMPFILE`).
    fn open_unnamed(
        &self,
        base: Base<'_>,
        path: &[u8],
        how: &OpenParameters,
    ) -> Result<Arc<OpenFile>, Errno> {
        let follow = !how.flags.contains(OpenFlags::O_NOFOLLOW);
        let directory = self.resolve_scoped(base, path, follow, how.scope)?;
        if !directory.dentry.is_directory() {
            return Err(Errno::ENOTDIR);
        }
        directory.mount.check_writable()?;
        let owner = directory.inode().ownership();
        access::check(owner, self.credentials, MAY_WRITE | MAY_EXECUTE)?;
        let permissions = how.permissions & !self.fs.umask();
        let node = access::new_node(owner, self.credentials, NodeKind::Regular, permissions);
        let inode = directory.inode().create_unnamed(&node)?;
        let name = alloc::format!("#{}", inode.metadata().inode_number);
        let dentry = Dentry::new_unnamed(inode, &directory.dentry, name.as_bytes());
        open_place(Path { mount: directory.mount.clone(), dentry }, how.flags)
    }

    /// Opens what is at `place`, if the caller may. `flags` contain no `O_PATH`.
    ///
    /// # Errors
    /// Those of [`Self::open`] for a file that exists.
    pub fn open_existing(&self, place: Path, flags: OpenFlags) -> Result<Arc<OpenFile>, Errno> {
        let dentry = &place.dentry;
        if flags.contains(OpenFlags::O_CREAT) {
            if dentry.is_directory() {
                return Err(Errno::EISDIR);
            }
            if let Some(directory) = dentry.parent() {
                let directory = directory.inode().ownership();
                access::check_open_existing(directory, place.inode().ownership(), self.credentials)?;
            }
        }
        check_directory(flags, dentry)?;
        let truncates = flags.contains(OpenFlags::O_TRUNC) && dentry.file_type() == FileType::Regular;
        if truncates {
            place.mount.check_writable()?;
        }
        let mut wish = ACCESS_WISHES[flags.access_mode() as usize & 3];
        if flags.contains(OpenFlags::O_TRUNC) {
            wish |= MAY_WRITE;
        }
        self.check_open(&place, wish, flags)?;
        let open = open_place(place, flags)?;
        if truncates {
            truncate(self, Subject::of(&open), open.file().as_ref(), 0)?;
        }
        Ok(open)
    }

    fn check_open(&self, place: &Path, wish: u32, flags: OpenFlags) -> Result<(), Errno> {
        let options = place.mount.options();
        match place.dentry.file_type() {
            FileType::Symlink => return Err(Errno::ELOOP),
            FileType::Directory if wish & MAY_WRITE != 0 => return Err(Errno::EISDIR),
            FileType::CharDevice | FileType::BlockDevice if options.contains(MountOptions::NO_DEVICES) => {
                return Err(Errno::EACCES);
            }
            FileType::Regular | FileType::Directory
                if wish & MAY_WRITE != 0 && place.mount.super_block().is_read_only() =>
            {
                return Err(Errno::EROFS);
            }
            _ => {}
        }
        let owner = place.inode().ownership();
        access::check(owner, self.credentials, wish)?;
        if flags.contains(OpenFlags::O_NOATIME) && !access::is_owner_or_capable(owner, self.credentials) {
            return Err(Errno::EPERM);
        }
        Ok(())
    }

    /// Opens the program called `path` for execution: readable, and nobody can write it while the handle lives.
    ///
    /// # Errors
    /// - `EACCES`: no regular file, not executable for the caller, or on a mount without execution.
    /// - `ETXTBSY`: somebody has it open for writing.
    /// - `ELOOP`: a symbolic link, with `follow` false.
    /// - The errors of the walk and of the file itself.
    pub fn open_program(&self, base: Base<'_>, path: &[u8], follow: bool) -> Result<Arc<OpenFile>, Errno> {
        let place = self.resolve(base, path, follow)?;
        self.open_program_at(place)
    }

    /// As [`Self::open_program`], of the file at `place`.
    ///
    /// # Errors
    /// Those of [`Self::open_program`].
    pub fn open_program_at(&self, place: Path) -> Result<Arc<OpenFile>, Errno> {
        match place.dentry.file_type() {
            FileType::Regular => {}
            FileType::Symlink => return Err(Errno::ELOOP),
            _ => return Err(Errno::EACCES),
        }
        if place.mount.options().contains(MountOptions::NO_EXECUTE) {
            return Err(Errno::EACCES);
        }
        access::check(place.inode().ownership(), self.credentials, MAY_EXECUTE)?;
        let request = OpenRequest { flags: OpenFlags::O_RDONLY };
        let file = place.inode().clone().open(&request)?;
        let program = OpenFile::for_execution(file, place)?;
        file_event(&program, IN_OPEN);
        Ok(program)
    }
}

impl Caller<'_> {
    /// Whether the caller may read a file that is open.
    pub fn may_read(&self, file: &OpenFile) -> bool {
        access::check(file.inode().ownership(), self.credentials, MAY_READ).is_ok()
    }
}

fn check_directory(flags: OpenFlags, dentry: &Dentry) -> Result<(), Errno> {
    if flags.contains(OpenFlags::O_DIRECTORY) && !dentry.is_directory() {
        Err(Errno::ENOTDIR)
    } else {
        Ok(())
    }
}

/// Opens what is at `place`; the caller has checked that it may be.
fn open_place(place: Path, flags: OpenFlags) -> Result<Arc<OpenFile>, Errno> {
    let request = OpenRequest { flags };
    let inode = place.inode();
    let file: Arc<dyn File> = match place.dentry.file_type() {
        FileType::Directory => place.dentry.clone(),
        FileType::Regular => {
            if flags.writable() {
                place.mount.check_writable()?;
            }
            inode.clone().open(&request)?
        }
        FileType::CharDevice => device::open(DeviceClass::Char, inode.metadata().represents, &request)?,
        FileType::BlockDevice => device::open(DeviceClass::Block, inode.metadata().represents, &request)?,
        FileType::Fifo => inode.clone().fifo()?.open(&request)?,
        FileType::Socket => return Err(Errno::ENXIO),
        FileType::Symlink => return Err(Errno::ELOOP),
    };
    OpenFile::at_path(file, place, flags)
}
