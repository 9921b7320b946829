//! Mounts: which tree of names is visible where.
//!
//! # Invariants
//! 1. A mount is in [`MOUNTS`] from the moment it is attached until it is detached; only then can a walk enter it.
//! 2. What a mount is attached to changes only under the write lock of [`MOUNTS`].
//! 3. A dentry counts the attached mounts on it (in whatever mount of its tree), so that a walk asks the table only
//!    where something is mounted.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt::{self, Write};
use core::sync::atomic::{AtomicU32, Ordering};

use bitflags::bitflags;
use hal::sync::{RwSpinLock, SpinLock};
use hashbrown::HashMap;
use linux_abi::errno::Errno;
use linux_abi::mount::MountFlags;
use linux_abi::statfs as st;

use super::text::Text;
use super::{Backwards, Dentry, Path, SuperBlock};
use crate::lock_order;
use crate::memory::{fallible, reserve};

bitflags! {
    /// Properties of one mount. Kinds of access time: strict when none of the three is set.
    #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
    pub struct MountOptions: u32 {
        /// Nothing changes through this mount.
        const READ_ONLY = 1;
        /// Set-id bits have no effect.
        const NO_SUID = 2;
        /// Devices cannot be opened.
        const NO_DEVICES = 4;
        /// Nothing can be executed.
        const NO_EXECUTE = 8;
        /// Access times are not kept.
        const NO_ACCESS_TIME = 16;
        /// Access times of directories are not kept.
        const NO_DIRECTORY_ACCESS_TIME = 32;
        /// Access times are kept relative to modification.
        const RELATIVE_ACCESS_TIME = 64;
        /// Symbolic links are not followed.
        const NO_SYMLINK_FOLLOW = 128;
        /// All that say which access times are kept.
        const ACCESS_TIMES = 16 | 32 | 64;
    }
}

/// Each option with its flag of `mount(2)`, of `statfs(2)` and its word in `/proc/mounts`, in the order shown there.
const OPTION_TABLE: [(MountOptions, MountFlags, i64, &str); 8] = [
    (MountOptions::READ_ONLY, MountFlags::MS_RDONLY, st::ST_RDONLY, ""),
    (MountOptions::NO_SUID, MountFlags::MS_NOSUID, st::ST_NOSUID, ",nosuid"),
    (MountOptions::NO_DEVICES, MountFlags::MS_NODEV, st::ST_NODEV, ",nodev"),
    (MountOptions::NO_EXECUTE, MountFlags::MS_NOEXEC, st::ST_NOEXEC, ",noexec"),
    (MountOptions::NO_ACCESS_TIME, MountFlags::MS_NOATIME, st::ST_NOATIME, ",noatime"),
    (MountOptions::NO_DIRECTORY_ACCESS_TIME, MountFlags::MS_NODIRATIME, st::ST_NODIRATIME, ",nodiratime"),
    (MountOptions::RELATIVE_ACCESS_TIME, MountFlags::MS_RELATIME, st::ST_RELATIME, ",relatime"),
    (MountOptions::NO_SYMLINK_FOLLOW, MountFlags::MS_NOSYMFOLLOW, st::ST_NOSYMFOLLOW, ",nosymfollow"),
];

impl MountOptions {
    /// Returns the options that the flags of `mount(2)` ask for: relative access times unless told otherwise.
    pub fn from_flags(flags: MountFlags) -> Self {
        let mut options = Self::empty();
        for (option, flag, _, _) in OPTION_TABLE {
            options.set(option, flags.contains(flag));
        }
        options.set(Self::RELATIVE_ACCESS_TIME, !flags.contains(MountFlags::MS_NOATIME));
        if flags.contains(MountFlags::MS_STRICTATIME) {
            options -= Self::RELATIVE_ACCESS_TIME | Self::NO_ACCESS_TIME;
        }
        options
    }

    /// Returns the flags of `statfs(2)`.
    pub fn statfs_flags(self) -> i64 {
        OPTION_TABLE.iter().filter(|row| self.contains(row.0)).fold(0, |bits, row| bits | row.2)
    }
}

/// A tree of names, or a part of one, made visible at a place.
pub struct Mount {
    id: u32,
    super_block: Arc<SuperBlock>,
    root: Arc<Dentry>,
    source: Box<[u8]>,
    options: AtomicU32,
    mounted_on: SpinLock<Option<Path>>,
}

impl Mount {
    /// Makes a mount that is not attached anywhere: of `root`, a directory (or, for a bind mount, a file) in the tree
    /// of `super_block`. `source` is what `/proc/mounts` names first.
    pub fn new(
        super_block: Arc<SuperBlock>,
        root: Arc<Dentry>,
        source: &[u8],
        options: MountOptions,
    ) -> Arc<Self> {
        hal::machine_static! {
            static NEXT_ID: AtomicU32 = AtomicU32::new(1);
        }
        Arc::new(Self {
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            super_block,
            root,
            source: source.into(),
            options: AtomicU32::new(options.bits()),
            mounted_on: SpinLock::new(lock_order::MOUNT_LINK, None),
        })
    }

    /// Number shown in `mountinfo` and `statx`.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// The mounted file system.
    #[inline]
    pub fn super_block(&self) -> &Arc<SuperBlock> {
        &self.super_block
    }

    /// The topmost dentry that the mount shows.
    #[inline]
    pub fn root(&self) -> &Arc<Dentry> {
        &self.root
    }

    /// Its properties.
    #[inline]
    pub fn options(&self) -> MountOptions {
        MountOptions::from_bits_truncate(self.options.load(Ordering::Relaxed))
    }

    /// Replaces its properties.
    pub fn set_options(&self, options: MountOptions) {
        self.options.store(options.bits(), Ordering::Relaxed);
    }

    /// The place it is attached to.
    pub fn mounted_on(&self) -> Option<Path> {
        self.mounted_on.lock().clone()
    }

    /// Checks that files may change through this mount.
    ///
    /// # Errors
    /// `EROFS`.
    #[inline]
    pub fn check_writable(&self) -> Result<(), Errno> {
        if self.options().contains(MountOptions::READ_ONLY) || self.super_block.is_read_only() {
            return Err(Errno::EROFS);
        }
        Ok(())
    }

    fn parent_is(&self, mount: &Arc<Self>) -> bool {
        self.mounted_on.lock().as_ref().is_some_and(|place| Arc::ptr_eq(&place.mount, mount))
    }
}

/// All attached mounts.
struct MountTable {
    /// The mount on a dentry of a mount, by the id of the latter and the address of the former.
    by_place: HashMap<(u32, usize), Arc<Mount>, hashbrown::DefaultHashBuilder>,
    /// In the order of mounting; the first is the root.
    in_order: Vec<Arc<Mount>>,
}

/// Most mounts at one time (`fs.mount-max`).
const MAX_MOUNTS: usize = 100_000;

/// Kernel memory that a mount takes, roughly, bytes.
const MOUNT_COST: usize = 1024;

/// A table entry and the list hold a mount each.
const TABLE_REFERENCES: usize = 2;

hal::machine_static! {
    static MOUNTS: RwSpinLock<Option<MountTable>> = RwSpinLock::new(lock_order::MOUNTS, None);
}

fn key(mount: &Mount, dentry: &Arc<Dentry>) -> (u32, usize) {
    (mount.id, Arc::as_ptr(dentry).addr())
}

fn write<R>(change: impl FnOnce(&mut MountTable) -> R) -> R {
    let mut table = MOUNTS.write();
    change(table.get_or_insert_with(|| MountTable { by_place: HashMap::default(), in_order: Vec::new() }))
}

/// Makes `mount` the root of all paths. Called once, before the first process.
pub fn attach_root(mount: Arc<Mount>) -> Path {
    let root = Path { dentry: mount.root.clone(), mount: mount.clone() };
    write(|table| table.in_order.push(mount));
    root
}

/// Attaches `mount` at `place`, on top of what is mounted there.
///
/// # Errors
/// - `ENOTDIR`: a directory on a file or a file on a directory.
/// - `ENOENT`: the place has been removed.
/// - `EBUSY`: the same tree is the topmost thing there already.
/// - `ENOSPC`: [`MAX_MOUNTS`]. `ENOMEM`.
pub fn attach(mount: Arc<Mount>, place: &Path) -> Result<(), Errno> {
    if mount.root.is_directory() != place.dentry.is_directory() {
        return Err(Errno::ENOTDIR);
    }
    if place.dentry.is_removed() {
        return Err(Errno::ENOENT);
    }
    place.dentry.pin_in_parent();
    let place = topmost(place.clone());
    if Arc::ptr_eq(&place.mount.root, &place.dentry)
        && Arc::ptr_eq(&place.dentry, &mount.root)
        && place.mount.mounted_on().is_some()
    {
        return Err(Errno::EBUSY);
    }
    write(|table| {
        if table.in_order.len() >= MAX_MOUNTS {
            return Err(Errno::ENOSPC);
        }
        table.make_room()?;
        place.dentry.add_mount();
        table.by_place.insert(key(&place.mount, &place.dentry), mount.clone());
        *mount.mounted_on.lock() = Some(place);
        table.in_order.push(mount);
        Ok(())
    })
}

/// Makes what `from` shows visible at `place` as well; `source` is what `/proc/mounts` names first. With `is_recursive`
/// the mounts below `from` are copied too (`MS_BIND`, `MS_REC`).
///
/// # Errors
/// Those of [`attach`].
pub fn bind(from: &Path, place: &Path, source: &[u8], is_recursive: bool) -> Result<(), Errno> {
    let copy = |mount: &Mount, root: &Arc<Dentry>, source: &[u8]| {
        reserve::check(MOUNT_COST + source.len())?;
        Ok::<_, Errno>(Mount::new(mount.super_block.clone(), root.clone(), source, mount.options()))
    };
    let below = if is_recursive { mounts_below(from)? } else { Vec::new() };
    let top = copy(&from.mount, &from.dentry, source)?;
    attach(top.clone(), place)?;
    // Each original with its copy; a mount comes behind the one it is mounted on.
    let mut copies = fallible::vec(1 + below.len())?;
    copies.push((from.mount.clone(), top.clone()));
    for (original, place) in below {
        let Some((_, parent)) = copies.iter().find(|(parent, _)| Arc::ptr_eq(parent, &place.mount)) else {
            continue;
        };
        let place = Path { mount: parent.clone(), dentry: place.dentry };
        let new = copy(&original, &original.root, &original.source)
            .and_then(|new| attach(new.clone(), &place).map(|()| new));
        let new = match new {
            Ok(new) => new,
            Err(error) => {
                // Either the whole tree or nothing; somebody may have taken it off already.
                let _ = detach_lazily(&top);
                return Err(error);
            }
        };
        copies.push((original, new));
    }
    Ok(())
}

/// Lists the mounts on `top`, or on what is below it, and theirs in turn, each with its place.
///
/// # Errors
/// `ENOMEM`.
fn mounts_below(top: &Path) -> Result<Vec<(Arc<Mount>, Path)>, Errno> {
    let mut pending = Vec::new();
    for mount in all() {
        if let Some(place) = mount.mounted_on() {
            fallible::push(&mut pending, Some((mount, place)))?;
        }
    }
    let mut found: Vec<(Arc<Mount>, Path)> = fallible::vec(pending.len())?;
    // `MS_MOVE` may have put a mount on a later one, so one pass is not enough.
    loop {
        let known = found.len();
        for slot in &mut pending {
            let is_inside = slot.as_ref().is_some_and(|(_, place)| {
                found[..known].iter().any(|(mount, _)| Arc::ptr_eq(mount, &place.mount))
                    || Arc::ptr_eq(&place.mount, &top.mount) && top.dentry.is_ancestor_of(&place.dentry)
            });
            if is_inside {
                found.extend(slot.take());
            }
        }
        if found.len() == known {
            return Ok(found);
        }
    }
}

/// Takes `mount` off its place.
///
/// # Errors
/// - `EINVAL`: it is not attached, or is the root.
/// - `EBUSY`: other mounts are on it, or files in it are in use beyond the `own` handles the caller holds.
pub fn detach(mount: &Arc<Mount>, own: usize) -> Result<(), Errno> {
    let removed = write(|table| {
        let place = mount.mounted_on().ok_or(Errno::EINVAL)?;
        let busy = Arc::strong_count(mount) > TABLE_REFERENCES + own
            || table.in_order.iter().any(|other| other.parent_is(mount));
        if busy {
            return Err(Errno::EBUSY);
        }
        Ok((table.remove(mount, &place), place))
    })?;
    drop(removed);
    Ok(())
}

/// Takes `mount` and everything mounted below it out of the tree, however busy (`MNT_DETACH`). Who uses it keeps it.
///
/// # Errors
/// `EINVAL`: it is not attached, or is the root. `ENOMEM`.
pub fn detach_lazily(mount: &Arc<Mount>) -> Result<(), Errno> {
    let removed = write(|table| {
        if mount.mounted_on().is_none() {
            return Err(Errno::EINVAL);
        }
        let mut doomed = Vec::new();
        fallible::push(&mut doomed, mount.clone())?;
        let mut next = 0;
        while let Some(parent) = doomed.get(next).cloned() {
            for child in table.in_order.iter().filter(|other| other.parent_is(&parent)) {
                fallible::push(&mut doomed, child.clone())?;
            }
            next += 1;
        }
        let mut removed = fallible::vec(doomed.len())?;
        for mount in doomed.into_iter().rev() {
            if let Some(place) = mount.mounted_on() {
                removed.push((table.remove(&mount, &place), place, mount));
            }
        }
        Ok(removed)
    })?;
    drop(removed);
    Ok(())
}

/// Moves `mount` to `place` (`MS_MOVE`).
///
/// # Errors
/// - `EINVAL`: it is the root.
/// - `ELOOP`: the place is inside the mount.
/// - Those of [`attach`].
pub fn relocate(mount: &Arc<Mount>, place: &Path) -> Result<(), Errno> {
    if mount.root.is_directory() != place.dentry.is_directory() {
        return Err(Errno::ENOTDIR);
    }
    if place.dentry.is_removed() {
        return Err(Errno::ENOENT);
    }
    let mut above = Some(place.mount.clone());
    while let Some(at) = above {
        if Arc::ptr_eq(&at, mount) {
            return Err(Errno::ELOOP);
        }
        above = at.mounted_on().map(|place| place.mount);
    }
    place.dentry.pin_in_parent();
    let place = topmost(place.clone());
    let old = write(|table| {
        let old = mount.mounted_on().ok_or(Errno::EINVAL)?;
        table.make_room()?;
        let removed = table.by_place.remove(&key(&old.mount, &old.dentry));
        old.dentry.remove_mount();
        place.dentry.add_mount();
        table.by_place.insert(key(&place.mount, &place.dentry), mount.clone());
        let old = mount.mounted_on.lock().replace(place);
        Ok::<_, Errno>((old, removed))
    })?;
    drop(old);
    Ok(())
}

/// Makes `new_root` the root of all mounts and moves the old root mount to `put_old` (pivot_root(2), after its checks).
///
/// # Errors
/// `EINVAL`: `new_root` is not attached.
pub fn pivot(new_root: &Arc<Mount>, old_root: &Arc<Mount>, put_old: &Path) -> Result<(), Errno> {
    put_old.dentry.pin_in_parent();
    let old = write(|table| {
        let old = new_root.mounted_on().ok_or(Errno::EINVAL)?;
        table.make_room()?;
        let removed = table.by_place.remove(&key(&old.mount, &old.dentry));
        old.dentry.remove_mount();
        let old_place = new_root.mounted_on.lock().take();
        // The old root may itself be mounted on the first root.
        let above = old_root.mounted_on.lock().take();
        if let Some(above) = &above {
            table.by_place.remove(&key(&above.mount, &above.dentry));
            table.by_place.insert(key(&above.mount, &above.dentry), new_root.clone());
            *new_root.mounted_on.lock() = Some(above.clone());
        }
        put_old.dentry.add_mount();
        table.by_place.insert(key(&put_old.mount, &put_old.dentry), old_root.clone());
        *old_root.mounted_on.lock() = Some(put_old.clone());
        if let Some(index) = table.in_order.iter().position(|mount| Arc::ptr_eq(mount, new_root)) {
            let mount = table.in_order.remove(index);
            table.in_order.insert(0, mount);
        }
        Ok::<_, Errno>((old, removed, old_place, above))
    })?;
    drop(old);
    Ok(())
}

impl MountTable {
    /// Sees to it that one more mount fits in.
    ///
    /// # Errors
    /// `ENOMEM`.
    fn make_room(&mut self) -> Result<(), Errno> {
        fallible::make_room(&mut self.in_order, 1)?;
        if self.by_place.capacity() == self.by_place.len() {
            reserve::check(2 * self.in_order.len() * size_of::<((u32, usize), Arc<Mount>)>())?;
        }
        self.by_place.try_reserve(1).map_err(|_| Errno::ENOMEM)
    }

    fn remove(&mut self, mount: &Arc<Mount>, place: &Path) -> [Option<Arc<Mount>>; 2] {
        let by_place = self.by_place.remove(&key(&place.mount, &place.dentry));
        place.dentry.remove_mount();
        let index = self.in_order.iter().position(|other| Arc::ptr_eq(other, mount));
        let in_order = index.map(|index| self.in_order.remove(index));
        *mount.mounted_on.lock() = None;
        [by_place, in_order]
    }
}

/// Returns the mount attached exactly at `dentry` of `mount`.
pub fn mount_at(mount: &Mount, dentry: &Arc<Dentry>) -> Option<Arc<Mount>> {
    MOUNTS.read().as_ref()?.by_place.get(&key(mount, dentry)).cloned()
}

/// Follows the mounts on `path` to the topmost root.
#[inline]
pub fn topmost(mut path: Path) -> Path {
    while path.dentry.is_mount_point() {
        let Some(mount) = mount_at(&path.mount, &path.dentry) else { break };
        path = Path { dentry: mount.root.clone(), mount };
    }
    path
}

/// All attached mounts, in the order of mounting; where some come or go meanwhile, one may be left out or come twice.
pub fn all() -> impl Iterator<Item = Arc<Mount>> {
    (0..).map_while(|index| MOUNTS.read().as_ref()?.in_order.get(index).cloned())
}

/// Calls `visit` with the super blocks of all attached mounts, each once unless somebody else visits them too.
pub fn for_each_super_block(mut visit: impl FnMut(&Arc<SuperBlock>)) {
    hal::machine_static! {
        static ROUND: AtomicU32 = AtomicU32::new(0);
    }
    let round = ROUND.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
    for mount in all() {
        if mount.super_block.meet(round) {
            visit(&mount.super_block);
        }
    }
}

/// Whether anything is mounted on `dentry` (in some mount of its tree).
pub fn is_mounted_on(dentry: &Dentry) -> bool {
    dentry.is_mount_point()
}

/// Bytes that are octal in a name in `/proc/mounts`, where blanks part the words.
const SPECIAL: &[u8] = b" \t\n\\#";

impl Mount {
    /// Adds its line of `/proc/<pid>/mounts` for a process whose root is `root`; nothing if it cannot be reached from
    /// there.
    pub fn write_mounts_line(self: &Arc<Self>, root: &Path, text: &mut Text) {
        let Some(place) = self.place_below(root) else { return };
        let file_system = self.super_block.file_system();
        text.push_escaped(&self.source, SPECIAL);
        text.push(b" ");
        text.push_escaped(&place, SPECIAL);
        // Writing to a text does not fail; that it has become too long, it says itself.
        let _ = write!(text, " {} ", file_system.type_name());
        let _ = write_options(self, true, text);
        let _ = file_system.write_options(text);
        text.push(b" 0 0\n");
    }

    /// Adds its line of `/proc/<pid>/mountinfo` for a process whose root is `root`; nothing if it cannot be reached from
    /// there.
    pub fn write_mountinfo_line(self: &Arc<Self>, root: &Path, text: &mut Text) {
        let Some(place) = self.place_below(root) else { return };
        let file_system = self.super_block.file_system();
        let device = file_system.device();
        let parent = self.mounted_on().map_or(self.id, |place| place.mount.id);
        // Writing to a text does not fail; that it has become too long, it says itself.
        let _ = write!(text, "{} {parent} {}:{} ", self.id, device.major(), device.minor());
        text.push_escaped(&shown_root(self), SPECIAL);
        text.push(b" ");
        text.push_escaped(&place, SPECIAL);
        text.push(b" ");
        let _ = write_options(self, false, text);
        let _ = write!(text, " - {} ", file_system.type_name());
        text.push_escaped(&self.source, SPECIAL);
        text.push(if self.super_block.is_read_only() { b" ro" } else { b" rw" });
        let _ = file_system.write_options(text);
        text.push(b"\n");
    }

    /// Its place as seen from `root`.
    fn place_below(self: &Arc<Self>, root: &Path) -> Option<Vec<u8>> {
        let here = Path { dentry: self.root.clone(), mount: self.clone() };
        let mut text = Backwards::with(b"");
        let is_reachable = here.spell(root, &mut text).ok()?;
        is_reachable.then(|| text.as_bytes().to_vec())
    }
}

/// The path, inside its file system, of what a mount shows.
fn shown_root(mount: &Mount) -> Vec<u8> {
    let top = mount.super_block.root().clone();
    let mut names = Vec::new();
    let mut at = mount.root.clone();
    while !Arc::ptr_eq(&at, &top) {
        let (parent, name) = at.with_link(|parent, name| (parent.cloned(), name.to_vec()));
        names.push(name);
        match parent {
            Some(parent) => at = parent,
            None => break,
        }
    }
    if names.is_empty() {
        return b"/".to_vec();
    }
    let mut text = Vec::new();
    for name in names.iter().rev() {
        text.push(b'/');
        text.extend_from_slice(name);
    }
    text
}

/// Writes `rw` or `ro` and the words of the options; `with_super`: a read-only file system counts too.
fn write_options(mount: &Mount, with_super: bool, out: &mut dyn Write) -> fmt::Result {
    let options = mount.options();
    let read_only =
        options.contains(MountOptions::READ_ONLY) || (with_super && mount.super_block.is_read_only());
    out.write_str(if read_only { "ro" } else { "rw" })?;
    OPTION_TABLE.iter().filter(|row| options.contains(row.0)).try_for_each(|row| out.write_str(row.3))
}
