//! Changes of names: making, linking, removing and renaming entries of directories.
//!
//! Sources: mkdir(2), mknod(2), symlink(2), link(2), unlink(2), rmdir(2), rename(2).

use alloc::sync::Arc;

use hal::sync::{Mutex, MutexGuard};
use linux_abi::cap::CAP_MKNOD;
use linux_abi::errno::Errno;
use linux_abi::inotify::{IN_ATTRIB, IN_CREATE, IN_DELETE, IN_MOVE_SELF, IN_MOVED_FROM, IN_MOVED_TO};
use linux_abi::limits::PATH_MAX;
use linux_abi::open::{RENAME_EXCHANGE, RENAME_NOREPLACE};

use super::access::{self, MAY_EXECUTE, MAY_WRITE};
use super::dentry::{ChangeGuard, trim_cache};
use super::name::hash_name;
use super::{Base, Caller, Dentry, DeviceNumber, Last, NodeKind, Parent, Path, RenameMode};
use crate::fs::inotify::{self, Subject, entry_event};
use crate::lock_order;

hal::machine_static! {
    /// Held while a directory may get another parent, so that "is above" does not change.
    static RENAME: Mutex<()> = Mutex::new(lock_order::RENAME, ());
}

/// What is to be removed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Removal {
    /// Anything but a directory (unlink).
    File,
    /// A directory (rmdir).
    Directory,
}

impl Caller<'_> {
    /// Makes a node called `path`, with `permissions` less the umask (a symbolic link has all permissions).
    ///
    /// # Errors
    /// - `EEXIST`: the name is taken.
    /// - `ENOENT`: the directory is missing or removed, a name with a slash behind it is to be no directory, or the
    ///   text of a symbolic link is empty.
    /// - `EROFS`, `EACCES`: the directory cannot or may not be changed.
    /// - `EPERM`: a device without `CAP_MKNOD`, or the file system has no such nodes.
    /// - `ENAMETOOLONG`: of a name or the text of a symbolic link.
    /// - `ENOSPC`, `ENOMEM`, and the errors of the walk.
    pub fn make_node(
        &self,
        base: Base<'_>,
        path: &[u8],
        kind: NodeKind<'_>,
        permissions: u32,
    ) -> Result<Path, Errno> {
        if let NodeKind::Symlink(text) = kind {
            if text.is_empty() {
                return Err(Errno::ENOENT);
            }
            if text.len() >= PATH_MAX {
                return Err(Errno::ENAMETOOLONG);
            }
        }
        let parent = self.resolve_parent(base, path)?;
        let is_directory = matches!(kind, NodeKind::Directory);
        let (name, changes) = self.prepare_new(&parent, is_directory)?;
        self.check_device(kind)?;
        let permissions = match kind {
            NodeKind::Symlink(_) => 0o777,
            _ => permissions & !self.fs.umask(),
        };
        let directory = &parent.directory;
        let node = access::new_node(directory.inode().ownership(), self.credentials, kind, permissions);
        let inode = directory.inode().create(name, &node)?;
        let dentry = directory.dentry.attach(name, hash_name(name), inode);
        entry_event(&directory.dentry, name, is_directory, IN_CREATE, 0);
        drop(changes);
        trim_cache();
        Ok(Path { mount: directory.mount.clone(), dentry })
    }

    /// Checks that a new entry can be made and returns its name and the right to make it.
    fn prepare_new<'p>(
        &self,
        parent: &'p Parent,
        is_directory: bool,
    ) -> Result<(&'p [u8], ChangeGuard<'p>), Errno> {
        let name = parent.name(Errno::EEXIST)?;
        let directory = &parent.directory;
        let changes = directory.dentry.lock_changes()?;
        if directory.dentry.lookup_locked(name, hash_name(name))?.is_some() {
            return Err(Errno::EEXIST);
        }
        if parent.has_trailing_slash && !is_directory {
            return Err(Errno::ENOENT);
        }
        directory.mount.check_writable()?;
        self.check_new_entry(&directory.dentry)?;
        Ok((name, changes))
    }

    /// Checks that an entry may be added to `directory`.
    fn check_new_entry(&self, directory: &Dentry) -> Result<(), Errno> {
        if directory.is_removed() {
            return Err(Errno::ENOENT);
        }
        access::check(directory.inode().ownership(), self.credentials, MAY_WRITE | MAY_EXECUTE)
    }

    fn check_device(&self, kind: NodeKind<'_>) -> Result<(), Errno> {
        match kind {
            // A whiteout is no device.
            NodeKind::CharDevice(DeviceNumber::NONE) => Ok(()),
            NodeKind::CharDevice(_) | NodeKind::BlockDevice(_) => self.credentials.require(CAP_MKNOD),
            _ => Ok(()),
        }
    }

    /// Makes `path` another name of the file at `target`. Only with `CAP_DAC_READ_SEARCH` or by name can a file be
    /// linked; the caller has checked how it got hold of `target`.
    ///
    /// # Errors
    /// - `EEXIST`: the name is taken.
    /// - `EXDEV`: it would be on another mount.
    /// - `EPERM`: a directory; a file protected by `fs.protected_hardlinks`; no links in this file system.
    /// - `ENOENT`: the last name of the file is gone, or the directory is.
    /// - `EMLINK`, `EROFS`, `EACCES`, `ENOSPC`, and the errors of the walk.
    pub fn link(&self, target: &Path, base: Base<'_>, path: &[u8]) -> Result<(), Errno> {
        let parent = self.resolve_parent(base, path)?;
        let (name, changes) = self.prepare_new(&parent, false)?;
        let directory = &parent.directory;
        if !Arc::ptr_eq(&target.mount, &directory.mount) {
            return Err(Errno::EXDEV);
        }
        access::check_hard_link(target.inode().ownership(), self.credentials)?;
        if target.dentry.is_directory() {
            return Err(Errno::EPERM);
        }
        directory.inode().link(name, target.inode())?;
        directory.dentry.attach(name, hash_name(name), target.inode().clone());
        Subject::Inode(target.inode()).tell(IN_ATTRIB);
        entry_event(&directory.dentry, name, false, IN_CREATE, 0);
        drop(changes);
        Ok(())
    }

    /// Removes the entry `path`.
    ///
    /// # Errors
    /// - `ENOENT`: there is none.
    /// - `EISDIR`: a directory is to be removed as a file. `ENOTDIR`: the reverse.
    /// - `EBUSY`: something is mounted on it, or it is a root.
    /// - `EINVAL`, `ENOTEMPTY`: rmdir of `.`, of `..` or a directory with entries.
    /// - `EROFS`, `EACCES`, `EPERM`: the directory cannot or may not be changed.
    /// - The errors of the walk.
    pub fn remove(&self, base: Base<'_>, path: &[u8], what: Removal) -> Result<(), Errno> {
        let parent = self.resolve_parent(base, path)?;
        let name = parent.name(match (what, &parent.last) {
            (Removal::File, _) => Errno::EISDIR,
            (Removal::Directory, Last::Dot) => Errno::EINVAL,
            (Removal::Directory, Last::DotDot) => Errno::ENOTEMPTY,
            (Removal::Directory, _) => Errno::EBUSY,
        })?;
        let directory = &parent.directory;
        directory.mount.check_writable()?;
        let changes = directory.dentry.lock_changes()?;
        let victim = directory.dentry.lookup_locked(name, hash_name(name))?.ok_or(Errno::ENOENT)?;
        if what == Removal::File && parent.has_trailing_slash {
            return Err(if victim.is_directory() { Errno::EISDIR } else { Errno::ENOTDIR });
        }
        let (owner, inode) = (directory.inode().ownership(), victim.inode().clone());
        access::check_removal(owner, inode.ownership(), self.credentials)?;
        match what {
            Removal::File if victim.is_directory() => return Err(Errno::EISDIR),
            Removal::Directory if !victim.is_directory() => return Err(Errno::ENOTDIR),
            _ => {}
        }
        if victim.is_mount_point() {
            return Err(Errno::EBUSY);
        }
        match what {
            Removal::File => {
                directory.inode().unlink(name, &inode)?;
                Subject::Inode(&inode).tell(IN_ATTRIB);
                directory.dentry.detach(&victim);
            }
            Removal::Directory => {
                let _inside = victim.lock_changes()?;
                directory.inode().rmdir(name, &inode)?;
                directory.dentry.detach(&victim);
            }
        }
        drop(victim);
        entry_event(&directory.dentry, name, what == Removal::Directory, IN_DELETE, 0);
        drop(changes);
        // The last handle on the file may free much: not under the lock.
        drop(inode);
        Ok(())
    }

    /// Renames `old_path` to `new_path`; `flags` are `RENAME_NOREPLACE`, `RENAME_EXCHANGE`.
    ///
    /// # Errors
    /// - `EINVAL`: unknown or contradictory flags; a directory is to become part of itself.
    /// - `ENOENT`: no such entry, or none to exchange with.
    /// - `EEXIST`: with `RENAME_NOREPLACE`, the new name is taken.
    /// - `ENOTEMPTY`: the directory to be replaced has entries.
    /// - `EISDIR`, `ENOTDIR`: a directory and something else.
    /// - `EXDEV`: another mount. `EBUSY`: a mount point, a root, `.` or `..`.
    /// - `EROFS`, `EACCES`, `EPERM`, `ENOSPC`, and the errors of the walk.
    pub fn rename(
        &self,
        old_base: Base<'_>,
        old_path: &[u8],
        new_base: Base<'_>,
        new_path: &[u8],
        flags: u32,
    ) -> Result<(), Errno> {
        let exchange = flags & RENAME_EXCHANGE != 0;
        let no_replace = flags & RENAME_NOREPLACE != 0;
        if flags & !(RENAME_EXCHANGE | RENAME_NOREPLACE) != 0 || (exchange && no_replace) {
            return Err(Errno::EINVAL);
        }
        let old = self.resolve_parent(old_base, old_path)?;
        let new = self.resolve_parent(new_base, new_path)?;
        if !Arc::ptr_eq(&old.directory.mount, &new.directory.mount) {
            return Err(Errno::EXDEV);
        }
        let old_name = old.name(Errno::EBUSY)?;
        let new_name = new.name(if no_replace { Errno::EEXIST } else { Errno::EBUSY })?;
        old.directory.mount.check_writable()?;

        let (old_dir, new_dir) = (&old.directory.dentry, &new.directory.dentry);
        let locked = lock_both(old_dir, new_dir)?;
        let source = old_dir.lookup_locked(old_name, hash_name(old_name))?.ok_or(Errno::ENOENT)?;
        let target = new_dir.lookup_locked(new_name, hash_name(new_name))?;
        match &target {
            Some(_) if no_replace => return Err(Errno::EEXIST),
            None if exchange => return Err(Errno::ENOENT),
            _ => {}
        }
        if !source.is_directory() && (old.has_trailing_slash || (!exchange && new.has_trailing_slash)) {
            return Err(Errno::ENOTDIR);
        }
        if exchange && new.has_trailing_slash && target.as_ref().is_some_and(|target| !target.is_directory())
        {
            return Err(Errno::ENOTDIR);
        }
        if locked.above_new.as_ref().is_some_and(|above| Arc::ptr_eq(above, &source)) {
            return Err(Errno::EINVAL);
        }
        if let (Some(above), Some(target)) = (&locked.above_old, &target)
            && Arc::ptr_eq(above, target)
        {
            return Err(if exchange { Errno::EINVAL } else { Errno::ENOTEMPTY });
        }
        if target.as_ref().is_some_and(|target| Arc::ptr_eq(target.inode(), source.inode())) {
            // Two names of one file: nothing to do, by POSIX.
            return Ok(());
        }
        self.check_rename(old_dir, &source, new_dir, target.as_ref(), exchange)?;

        let mode = if exchange { RenameMode::Exchange } else { RenameMode::Replace };
        let inside = match &target {
            Some(target) if target.is_directory() && !exchange => Some(target.lock_changes()?),
            _ => None,
        };
        let existing = target.as_ref().map(|target| target.inode());
        old_dir.inode().rename(old_name, source.inode(), new_dir.inode(), new_name, existing, mode)?;
        match (&target, exchange) {
            (Some(target), true) => old_dir.exchanged(&source, new_dir, target),
            _ => old_dir.moved(&source, new_dir, new_name, target.as_deref()),
        }
        if inotify::is_in_use() {
            let replaced = target.as_ref().filter(|_| !exchange);
            tell_of_move(&source, (old_dir, old_name), (new_dir, new_name), replaced);
            if let Some(target) = target.as_ref().filter(|_| exchange) {
                tell_of_move(target, (new_dir, new_name), (old_dir, old_name), None);
            }
        }
        drop(inside);
        drop(locked);
        Ok(())
    }

    fn check_rename(
        &self,
        old_dir: &Dentry,
        source: &Dentry,
        new_dir: &Dentry,
        target: Option<&Arc<Dentry>>,
        exchange: bool,
    ) -> Result<(), Errno> {
        let who = self.credentials;
        access::check_removal(old_dir.inode().ownership(), source.inode().ownership(), who)?;
        match target {
            None => self.check_new_entry(new_dir)?,
            Some(target) => {
                access::check_removal(new_dir.inode().ownership(), target.inode().ownership(), who)?;
                if !exchange && source.is_directory() && !target.is_directory() {
                    return Err(Errno::ENOTDIR);
                }
                if !exchange && !source.is_directory() && target.is_directory() {
                    return Err(Errno::EISDIR);
                }
            }
        }
        if !core::ptr::eq(old_dir, new_dir) {
            // The `..` of a moved directory changes: that is a write to it.
            if source.is_directory() {
                access::check(source.inode().ownership(), who, MAY_WRITE)?;
            }
            if let Some(target) = target.filter(|target| exchange && target.is_directory()) {
                access::check(target.inode().ownership(), who, MAY_WRITE)?;
            }
        }
        if source.is_mount_point() || target.is_some_and(|target| target.is_mount_point()) {
            return Err(Errno::EBUSY);
        }
        Ok(())
    }
}

/// Tells of an entry that has gone from one directory and name to another, in place of `replaced`.
#[cold]
fn tell_of_move(
    entry: &Arc<Dentry>,
    from: (&Dentry, &[u8]),
    to: (&Dentry, &[u8]),
    replaced: Option<&Arc<Dentry>>,
) {
    let (cookie, is_directory) = (inotify::next_cookie(), entry.is_directory());
    entry_event(from.0, from.1, is_directory, IN_MOVED_FROM, cookie);
    entry_event(to.0, to.1, is_directory, IN_MOVED_TO, cookie);
    if let Some(replaced) = replaced {
        Subject::Inode(replaced.inode()).tell(IN_ATTRIB);
    }
    Subject::Inode(entry.inode()).tell(IN_MOVE_SELF);
}

/// The right to change two directories, and how they lie to each other.
struct BothLocked<'a> {
    /// The entry of the old directory that is the new directory or above it.
    above_new: Option<Arc<Dentry>>,
    /// The entry of the new directory that is the old directory or above it.
    above_old: Option<Arc<Dentry>>,
    _changes: [Option<ChangeGuard<'a>>; 2],
    _rename: Option<MutexGuard<'static, ()>>,
}

fn lock_both<'a>(old: &'a Arc<Dentry>, new: &'a Arc<Dentry>) -> Result<BothLocked<'a>, Errno> {
    if Arc::ptr_eq(old, new) {
        let changes = old.lock_changes()?;
        return Ok(BothLocked {
            above_new: None,
            above_old: None,
            _changes: [Some(changes), None],
            _rename: None,
        });
    }
    let rename = RENAME.lock();
    let above_new = child_towards(old, new);
    let above_old = child_towards(new, old);
    let by_address = Arc::as_ptr(old).addr() < Arc::as_ptr(new).addr();
    let old_first = above_new.is_some() || (above_old.is_none() && by_address);
    let (first, second) = if old_first { (old, new) } else { (new, old) };
    let changes = [Some(first.lock_changes()?), Some(second.lock_changes()?)];
    Ok(BothLocked { above_new, above_old, _changes: changes, _rename: Some(rename) })
}

/// If `top` is above `bottom`: the entry of `top` that is `bottom` or above it.
fn child_towards(top: &Arc<Dentry>, bottom: &Arc<Dentry>) -> Option<Arc<Dentry>> {
    let mut at = bottom.clone();
    while let Some(parent) = at.parent() {
        if Arc::ptr_eq(&parent, top) {
            return Some(at);
        }
        at = parent;
    }
    None
}
