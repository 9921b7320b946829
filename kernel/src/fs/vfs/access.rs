//! Who may do what to a file: permission bits, owners, sticky and set-id rules, the capabilities that override them.
//!
//! Everything here is a decision over values: no inode is touched. Sources: path_resolution(7), inode(7),
//! capabilities(7), chmod(2), chown(2), proc_sys_fs(5).

use core::sync::atomic::{AtomicU32, Ordering};

use linux_abi::cap::{CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_FOWNER, CAP_FSETID};
use linux_abi::errno::Errno;
use linux_abi::stat::{Mode, S_ISGID, S_ISUID, S_ISVTX, S_IWGRP, S_IWOTH, S_IXGRP};

use super::{AttributeChanges, NewNode, NodeKind, Ownership};
use crate::process::credentials::Credentials;

/// Wish to execute a file, or search a directory.
pub const MAY_EXECUTE: u32 = 1;
/// Wish to write a file, or change a directory.
pub const MAY_WRITE: u32 = 2;
/// Wish to read a file, or list a directory.
pub const MAY_READ: u32 = 4;

hal::machine_static! {
    /// `fs.protected_symlinks`: in a sticky directory that all may write, follow only links of the follower or of the
    /// directory's owner.
    pub static PROTECTED_SYMLINKS: AtomicU32 = AtomicU32::new(1);

    /// `fs.protected_hardlinks`: link only to files that one owns or could read and write.
    pub static PROTECTED_HARDLINKS: AtomicU32 = AtomicU32::new(1);

    /// `fs.protected_fifos`: how strictly `O_CREAT` refuses existing FIFOs of others in sticky directories; 0: not.
    pub static PROTECTED_FIFOS: AtomicU32 = AtomicU32::new(0);

    /// `fs.protected_regular`: the same for regular files.
    pub static PROTECTED_REGULAR: AtomicU32 = AtomicU32::new(0);
}

/// Checks that `who` may do all of `wish` to a file.
///
/// # Errors
/// `EACCES`.
#[inline]
pub fn check(file: Ownership, who: &Credentials, wish: u32) -> Result<(), Errno> {
    let bits = if who.uid.fs == file.uid {
        file.mode.owner_bits()
    } else if file.mode.group_bits() != file.mode.other_bits() && who.in_group(file.gid) {
        file.mode.group_bits()
    } else {
        file.mode.other_bits()
    };
    if wish & !bits == 0 { Ok(()) } else { check_override(file.mode, who, wish) }
}

/// Checks that a capability grants what the permission bits refuse.
#[cold]
fn check_override(mode: Mode, who: &Credentials, wish: u32) -> Result<(), Errno> {
    let reads_only = if mode.is_directory() { wish & MAY_WRITE == 0 } else { wish == MAY_READ };
    let may_override = mode.is_directory() || wish & MAY_EXECUTE == 0 || mode.is_executable_by_any();
    let granted = (reads_only && who.has(CAP_DAC_READ_SEARCH)) || (may_override && who.has(CAP_DAC_OVERRIDE));
    if granted { Ok(()) } else { Err(Errno::EACCES) }
}

/// Whether `who` owns the file or may act as the owner of any.
pub fn is_owner_or_capable(file: Ownership, who: &Credentials) -> bool {
    who.uid.fs == file.uid || who.has(CAP_FOWNER)
}

/// Checks that `who` may remove the entry of `victim` from `directory`, or put another in its place.
///
/// # Errors
/// `EACCES`: the directory may not be changed. `EPERM`: it is sticky, and neither it nor the file is the caller's.
pub fn check_removal(directory: Ownership, victim: Ownership, who: &Credentials) -> Result<(), Errno> {
    check(directory, who, MAY_WRITE | MAY_EXECUTE)?;
    let sticky = directory.mode.has_sticky() && who.uid.fs != victim.uid && who.uid.fs != directory.uid;
    if sticky && !who.has(CAP_FOWNER) { Err(Errno::EPERM) } else { Ok(()) }
}

/// Returns the node that `who` makes in `directory`, with owner and final permissions; `umask` is already applied.
pub fn new_node<'a>(
    directory: Ownership,
    who: &Credentials,
    kind: NodeKind<'a>,
    permissions: u32,
) -> NewNode<'a> {
    let mut permissions = permissions & 0o7777;
    let mut gid = who.gid.fs;
    if directory.mode.0 & S_ISGID != 0 {
        gid = directory.gid;
        if matches!(kind, NodeKind::Directory) {
            permissions |= S_ISGID;
        } else if permissions & (S_ISGID | S_IXGRP) == S_ISGID | S_IXGRP
            && !who.in_group(gid)
            && !who.has(CAP_FSETID)
        {
            permissions &= !S_ISGID;
        }
    }
    NewNode { kind, permissions, uid: who.uid.fs, gid }
}

/// Adds to `changes` what chown(2) asks, and the loss of set-id bits that comes with it.
///
/// # Errors
/// `EPERM`: neither owner nor capable.
pub fn change_owner(
    file: Ownership,
    who: &Credentials,
    uid: Option<u32>,
    gid: Option<u32>,
    changes: &mut AttributeChanges,
) -> Result<(), Errno> {
    let owns = who.uid.fs == file.uid;
    let capable = || who.has(CAP_CHOWN);
    if uid.is_some_and(|uid| !(owns && uid == file.uid)) && !capable() {
        return Err(Errno::EPERM);
    }
    if gid.is_some_and(|gid| !(owns && (gid == file.gid || who.in_group(gid)))) && !capable() {
        return Err(Errno::EPERM);
    }
    changes.uid = uid;
    changes.gid = gid;
    if !file.mode.is_directory() {
        let mut lost = file.mode.0 & S_ISUID;
        if file.mode.0 & S_ISGID != 0
            && (file.mode.0 & S_IXGRP != 0 || !(who.in_group(file.gid) || who.has(CAP_FSETID)))
        {
            lost |= S_ISGID;
        }
        if lost != 0 {
            changes.mode = Some(file.mode.permissions() & !lost);
        }
    }
    Ok(())
}

/// Returns the permissions that chmod(2) to `permissions` really gives.
///
/// # Errors
/// `EPERM`: neither owner nor capable.
pub fn change_mode(file: Ownership, who: &Credentials, permissions: u32) -> Result<u32, Errno> {
    if !is_owner_or_capable(file, who) {
        return Err(Errno::EPERM);
    }
    let keeps_set_gid = who.in_group(file.gid) || who.has(CAP_FSETID);
    Ok(permissions & if keeps_set_gid { 0o7777 } else { 0o7777 & !S_ISGID })
}

/// Returns the permissions that remain after `who` wrote to the file, if that takes set-id bits away.
#[inline]
pub fn after_write(mode: Mode, who: &Credentials) -> Option<u32> {
    if mode.0 & (S_ISUID | S_ISGID) == 0 || !mode.is_regular() {
        return None;
    }
    let mut lost = mode.0 & S_ISUID;
    if mode.has_setgid() {
        lost |= S_ISGID;
    }
    (lost != 0 && !who.has(CAP_FSETID)).then(|| mode.permissions() & !lost)
}

/// Checks that `who` may follow the last symbolic link of a path (`fs.protected_symlinks`).
///
/// # Errors
/// `EACCES`.
pub fn check_follow(directory: Ownership, link: Ownership, who: &Credentials) -> Result<(), Errno> {
    const SHARED: u32 = S_ISVTX | S_IWOTH;
    let safe = who.uid.fs == link.uid
        || directory.mode.0 & SHARED != SHARED
        || directory.uid == link.uid
        || PROTECTED_SYMLINKS.load(Ordering::Relaxed) == 0;
    if safe { Ok(()) } else { Err(Errno::EACCES) }
}

/// Checks that `who` may make another name for a file (`fs.protected_hardlinks`).
///
/// # Errors
/// `EPERM`.
pub fn check_hard_link(file: Ownership, who: &Credentials) -> Result<(), Errno> {
    if PROTECTED_HARDLINKS.load(Ordering::Relaxed) == 0 || is_owner_or_capable(file, who) {
        return Ok(());
    }
    let safe = file.mode.is_regular()
        && !file.mode.has_setuid()
        && !file.mode.has_setgid()
        && check(file, who, MAY_READ | MAY_WRITE).is_ok();
    if safe { Ok(()) } else { Err(Errno::EPERM) }
}

/// Checks that `O_CREAT` may open an existing file (`fs.protected_fifos`, `fs.protected_regular`).
///
/// # Errors
/// `EACCES`.
pub fn check_open_existing(directory: Ownership, file: Ownership, who: &Credentials) -> Result<(), Errno> {
    let level = if file.mode.is_fifo() {
        PROTECTED_FIFOS.load(Ordering::Relaxed)
    } else if file.mode.is_regular() {
        PROTECTED_REGULAR.load(Ordering::Relaxed)
    } else {
        0
    };
    if level == 0 || !directory.mode.has_sticky() || file.uid == directory.uid || who.uid.fs == file.uid {
        return Ok(());
    }
    let shared = directory.mode.0 & S_IWOTH != 0 || (directory.mode.0 & S_IWGRP != 0 && level >= 2);
    if shared { Err(Errno::EACCES) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs::vfs::FileType;

    fn user(id: u32) -> Credentials {
        Credentials::root()
            .set_resgid([Some(id); 3])
            .unwrap()
            .set_groups(alloc::vec::Vec::new())
            .unwrap()
            .set_uid(id)
            .unwrap()
    }

    fn file(kind: FileType, permissions: u32, uid: u32, gid: u32) -> Ownership {
        Ownership { mode: Mode::new(kind.mode_bits(), permissions), uid, gid }
    }

    #[test]
    fn only_one_of_the_three_classes_counts() {
        let f = file(FileType::Regular, 0o077, 1, 1);
        assert_eq!(check(f, &user(1), MAY_READ), Err(Errno::EACCES));
        let f = file(FileType::Regular, 0o707, 2, 1);
        assert_eq!(check(f, &user(1), MAY_READ), Err(Errno::EACCES));
        assert_eq!(check(f, &user(3), MAY_READ | MAY_WRITE), Ok(()));
    }

    #[test]
    fn supplementary_groups_count() {
        let who = Credentials::root().set_groups(alloc::vec![7, 5]).unwrap().set_uid(1).unwrap();
        let f = file(FileType::Regular, 0o040, 2, 7);
        assert_eq!(check(f, &who, MAY_READ), Ok(()));
        assert_eq!(check(f, &user(1), MAY_READ), Err(Errno::EACCES));
    }

    #[test]
    fn root_may_all_but_execute_what_nobody_may() {
        let root = Credentials::root();
        let f = file(FileType::Regular, 0, 1, 1);
        assert_eq!(check(f, &root, MAY_READ | MAY_WRITE), Ok(()));
        assert_eq!(check(f, &root, MAY_EXECUTE), Err(Errno::EACCES));
        assert_eq!(check(file(FileType::Regular, 0o001, 1, 1), &root, MAY_EXECUTE), Ok(()));
        assert_eq!(check(file(FileType::Directory, 0, 1, 1), &root, MAY_EXECUTE | MAY_WRITE), Ok(()));
    }

    #[test]
    fn a_sticky_directory_protects_the_files_of_others() {
        let tmp = file(FileType::Directory, 0o1777, 0, 0);
        let victim = file(FileType::Regular, 0o666, 1, 1);
        assert_eq!(check_removal(tmp, victim, &user(1)), Ok(()));
        assert_eq!(check_removal(tmp, victim, &user(2)), Err(Errno::EPERM));
        assert_eq!(check_removal(tmp, victim, &Credentials::root()), Ok(()));
        let own = file(FileType::Directory, 0o1777, 2, 0);
        assert_eq!(check_removal(own, victim, &user(2)), Ok(()));
        let closed = file(FileType::Directory, 0o755, 0, 0);
        assert_eq!(check_removal(closed, victim, &user(1)), Err(Errno::EACCES));
    }

    #[test]
    fn set_gid_directories_pass_on_their_group() {
        let dir = file(FileType::Directory, 0o2775, 0, 50);
        let made = new_node(dir, &user(1), NodeKind::Directory, 0o755);
        assert_eq!((made.gid, made.permissions), (50, 0o2755));
        let made = new_node(dir, &user(1), NodeKind::Regular, 0o2755);
        assert_eq!((made.uid, made.gid, made.permissions), (1, 50, 0o755));
        let plain = file(FileType::Directory, 0o755, 0, 50);
        assert_eq!(new_node(plain, &user(1), NodeKind::Regular, 0o2755).permissions, 0o2755);
    }

    #[test]
    fn chown_takes_set_id_bits_and_asks_for_the_capability() {
        let f = file(FileType::Regular, 0o6755, 1, 1);
        let mut changes = AttributeChanges::default();
        change_owner(f, &Credentials::root(), Some(5), None, &mut changes).unwrap();
        assert_eq!((changes.uid, changes.gid, changes.mode), (Some(5), None, Some(0o755)));
        assert_eq!(change_owner(f, &user(1), Some(5), None, &mut changes), Err(Errno::EPERM));
        assert_eq!(change_owner(f, &user(1), None, Some(5), &mut changes), Err(Errno::EPERM));
        assert_eq!(change_owner(f, &user(1), Some(1), Some(1), &mut changes), Ok(()));
        assert_eq!(change_owner(f, &user(2), Some(1), None, &mut changes), Err(Errno::EPERM));
        let group = Credentials::root().set_groups(alloc::vec![9]).unwrap().set_uid(1).unwrap();
        assert_eq!(change_owner(f, &group, None, Some(9), &mut changes), Ok(()));
        let mut changes = AttributeChanges::default();
        let dir = file(FileType::Directory, 0o2755, 1, 1);
        change_owner(dir, &Credentials::root(), Some(5), None, &mut changes).unwrap();
        assert_eq!(changes.mode, None);
    }

    #[test]
    fn writing_takes_set_id_bits_from_all_but_root() {
        let mode = Mode::new(FileType::Regular.mode_bits(), 0o6755);
        assert_eq!(after_write(mode, &user(1)), Some(0o755));
        assert_eq!(after_write(mode, &Credentials::root()), None);
        assert_eq!(after_write(Mode::new(FileType::Regular.mode_bits(), 0o2644), &user(1)), None);
    }

    #[test]
    fn links_of_strangers_are_not_followed_in_tmp() {
        let tmp = file(FileType::Directory, 0o1777, 0, 0);
        let link = file(FileType::Symlink, 0o777, 1, 1);
        assert_eq!(check_follow(tmp, link, &user(1)), Ok(()));
        assert_eq!(check_follow(tmp, link, &Credentials::root()), Err(Errno::EACCES));
        assert_eq!(check_follow(file(FileType::Directory, 0o755, 0, 0), link, &user(2)), Ok(()));
        assert_eq!(check_follow(tmp, file(FileType::Symlink, 0o777, 0, 0), &user(2)), Ok(()));
    }
}
