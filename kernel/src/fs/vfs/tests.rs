//! Tests of the walk and of changes of names, on a file system in memory.

use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use linux_abi::errno::Errno;
use linux_abi::open::{OpenFlags, RENAME_EXCHANGE, RENAME_NOREPLACE, ResolveFlags};

use super::mount::{self, MountOptions};
use super::*;
use crate::fs::tmpfs::{Options, Tmpfs};
use crate::process::credentials::Credentials;
use crate::uio::{Sink, Source};

/// A root file system and somebody in it.
pub(crate) struct World {
    pub(crate) fs: Arc<FsContext>,
    pub(crate) credentials: Credentials,
}

impl World {
    /// An empty root file system, seen by root.
    pub(crate) fn new() -> Self {
        let root = mount::attach_root(new_mount(Options { mode: 0o755, ..Options::ramfs() }));
        let fs = FsContext::new(root);
        fs.set_umask(0o022);
        Self { fs, credentials: Credentials::root() }
    }

    /// A file system in which `text` has been made: one line for each file, `d PATH`, `f PATH [CONTENTS]`,
    /// `l PATH TARGET`.
    pub(crate) fn with(text: &str) -> Self {
        let world = Self::new();
        world.make(text);
        world
    }

    pub(crate) fn make(&self, text: &str) {
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let mut words = line.split(' ');
            let (kind, path) = (words.next().unwrap(), words.next().unwrap());
            match kind {
                "d" => self.mkdir(path).unwrap(),
                "f" => self.write(path, words.next().unwrap_or("").as_bytes()),
                "l" => self.symlink(words.next().unwrap(), path).unwrap(),
                _ => panic!("{line}"),
            }
        }
    }

    pub(crate) fn caller(&self) -> Caller<'_> {
        Caller { fs: &self.fs, credentials: &self.credentials }
    }

    pub(crate) fn as_user(&self, id: u32) -> Self {
        let credentials = Credentials::root()
            .set_groups(Vec::new())
            .unwrap()
            .set_resgid([Some(id); 3])
            .unwrap()
            .set_uid(id)
            .unwrap();
        Self { fs: self.fs.duplicate(), credentials }
    }

    pub(crate) fn node(&self, path: &str, kind: NodeKind<'_>, mode: u32) -> Result<(), Errno> {
        self.caller().make_node(Base::WorkingDirectory, path.as_bytes(), kind, mode).map(drop)
    }

    pub(crate) fn mkdir(&self, path: &str) -> Result<(), Errno> {
        self.node(path, NodeKind::Directory, 0o777)
    }

    pub(crate) fn symlink(&self, target: &str, path: &str) -> Result<(), Errno> {
        self.node(path, NodeKind::Symlink(target.as_bytes()), 0)
    }

    pub(crate) fn open(&self, path: &str, flags: OpenFlags) -> Result<Arc<OpenFile>, Errno> {
        let how = OpenParameters { flags, permissions: 0o666, scope: ResolveFlags::empty() };
        self.caller().open(Base::WorkingDirectory, path.as_bytes(), &how)
    }

    pub(crate) fn write(&self, path: &str, bytes: &[u8]) {
        let flags = OpenFlags::O_WRONLY | OpenFlags::O_CREAT | OpenFlags::O_TRUNC;
        let file = self.open(path, flags).unwrap();
        assert_eq!(file.write(&mut Source::kernel(bytes), IoFlags::empty()), Ok(bytes.len()));
    }

    pub(crate) fn read(&self, path: &str) -> Result<Vec<u8>, Errno> {
        let file = self.open(path, OpenFlags::O_RDONLY)?;
        let mut buffer = alloc::vec![0; 65536];
        let n = file.read(&mut Sink::kernel(&mut buffer), IoFlags::empty())?;
        buffer.truncate(n);
        Ok(buffer)
    }

    pub(crate) fn resolve(&self, path: &str, follow: bool) -> Result<Path, Errno> {
        self.caller().resolve(Base::WorkingDirectory, path.as_bytes(), follow)
    }

    pub(crate) fn name_of(&self, path: &Path) -> String {
        String::from_utf8(path.display(&self.fs.root()).unwrap()).unwrap()
    }

    pub(crate) fn stat(&self, path: &str) -> Result<Metadata, Errno> {
        Ok(self.resolve(path, false)?.inode().metadata())
    }

    pub(crate) fn unlink(&self, path: &str) -> Result<(), Errno> {
        self.caller().remove(Base::WorkingDirectory, path.as_bytes(), Removal::File)
    }

    pub(crate) fn rmdir(&self, path: &str) -> Result<(), Errno> {
        self.caller().remove(Base::WorkingDirectory, path.as_bytes(), Removal::Directory)
    }

    pub(crate) fn rename(&self, old: &str, new: &str, flags: u32) -> Result<(), Errno> {
        self.caller().rename(
            Base::WorkingDirectory,
            old.as_bytes(),
            Base::WorkingDirectory,
            new.as_bytes(),
            flags,
        )
    }

    pub(crate) fn link(&self, old: &str, new: &str) -> Result<(), Errno> {
        self.caller().link(&self.resolve(old, false)?, Base::WorkingDirectory, new.as_bytes())
    }

    pub(crate) fn chdir(&self, path: &str) {
        self.fs.set_working_directory(self.resolve(path, true).unwrap());
    }

    pub(crate) fn list(&self, path: &str) -> Vec<String> {
        let mut names = Vec::new();
        let directory = self.resolve(path, true).unwrap();
        directory
            .inode()
            .read_dir(FIRST_ENTRY, &mut |entry| {
                names.push(String::from_utf8(entry.name.to_vec()).unwrap());
                core::ops::ControlFlow::Continue(())
            })
            .unwrap();
        names
    }

    /// Mounts an empty file system at `path`.
    pub(crate) fn mount(&self, path: &str) -> Arc<Mount> {
        let mount = new_mount(Options::ramfs());
        mount::attach(mount.clone(), &self.resolve(path, true).unwrap()).unwrap();
        mount
    }
}

pub(crate) fn new_mount(options: Options) -> Arc<Mount> {
    let super_block = SuperBlock::new(Tmpfs::new("tmpfs", options).unwrap(), false);
    let root = super_block.root().clone();
    Mount::new(super_block, root, b"none", MountOptions::empty())
}

/// What Linux 6.1 answers for paths in the tree below, the last component followed or not.
#[test]
fn paths_lead_where_they_lead_on_linux() {
    let world = World::with(
        "d a
         d a/b
         f a/file x
         l a/link file
         l a/dirlink b
         l a/abs /a/b
         l a/dangling nowhere
         l a/loop loop
         l a/up ../a/b/../file
         l a/slash b/
         l a/fileslash file/
         d locked
         f locked/file",
    );
    type Answer = Result<&'static str, Errno>;
    let table: &[(&str, bool, Answer)] = &[
        ("/", true, Ok("/")),
        ("//", true, Ok("/")),
        ("/..", true, Ok("/")),
        ("/../../a/", true, Ok("/a")),
        ("a", true, Ok("/a")),
        (".", true, Ok("/")),
        ("./a/./b/.", true, Ok("/a/b")),
        ("a/b/..", true, Ok("/a")),
        ("a//b///", true, Ok("/a/b")),
        ("", true, Err(Errno::ENOENT)),
        ("x", true, Err(Errno::ENOENT)),
        ("x/y", true, Err(Errno::ENOENT)),
        ("a/x", true, Err(Errno::ENOENT)),
        ("a/file", true, Ok("/a/file")),
        ("a/file/", true, Err(Errno::ENOTDIR)),
        ("a/file/.", true, Err(Errno::ENOTDIR)),
        ("a/file/..", true, Err(Errno::ENOTDIR)),
        ("a/file/x", true, Err(Errno::ENOTDIR)),
        ("a/link", true, Ok("/a/file")),
        ("a/link", false, Ok("/a/link")),
        ("a/link/", false, Err(Errno::ENOTDIR)),
        ("a/dirlink", true, Ok("/a/b")),
        ("a/dirlink", false, Ok("/a/dirlink")),
        ("a/dirlink/", false, Ok("/a/b")),
        ("a/dirlink/.", false, Ok("/a/b")),
        ("a/dirlink/..", false, Ok("/a")),
        ("a/dirlink/../file", false, Ok("/a/file")),
        ("a/abs", true, Ok("/a/b")),
        ("a/abs/../link", true, Ok("/a/file")),
        ("a/dangling", true, Err(Errno::ENOENT)),
        ("a/dangling", false, Ok("/a/dangling")),
        ("a/dangling/", false, Err(Errno::ENOENT)),
        ("a/loop", true, Err(Errno::ELOOP)),
        ("a/loop", false, Ok("/a/loop")),
        ("a/loop/x", false, Err(Errno::ELOOP)),
        ("a/up", true, Ok("/a/file")),
        ("a/slash", true, Ok("/a/b")),
        ("a/fileslash", true, Err(Errno::ENOTDIR)),
        ("a/fileslash", false, Ok("/a/fileslash")),
    ];
    for (path, follow, expected) in table {
        let found = world.resolve(path, *follow).map(|path| world.name_of(&path));
        assert_eq!(found, expected.map(String::from), "{path:?}, following: {follow}");
    }
    let long = "n".repeat(256);
    assert_eq!(world.resolve(&long, true).err(), Some(Errno::ENAMETOOLONG));
    assert_eq!(world.resolve(&long[1..], true).err(), Some(Errno::ENOENT));
    assert_eq!(world.mkdir(&long), Err(Errno::ENAMETOOLONG));
    world.mkdir(&long[1..]).unwrap();
}

#[test]
fn forty_links_are_followed_and_no_more() {
    let world = World::with("f target");
    world.symlink("target", "link1").unwrap();
    for n in 2..=41 {
        world.symlink(&format!("link{}", n - 1), &format!("link{n}")).unwrap();
    }
    assert_eq!(world.name_of(&world.resolve("link40", true).unwrap()), "/target");
    assert_eq!(world.resolve("link41", true).err(), Some(Errno::ELOOP));
}

#[test]
fn directories_must_be_searchable() {
    let world = World::with("d open\nd open/closed\nf open/closed/file");
    world.caller().change_mode(&world.resolve("open/closed", true).unwrap(), 0o600).unwrap();
    let user = world.as_user(1000);
    assert_eq!(user.resolve("open/closed", true).map(drop), Ok(()));
    assert_eq!(user.resolve("open/closed/file", true).err(), Some(Errno::EACCES));
    assert_eq!(user.resolve("open/closed/..", true).err(), Some(Errno::EACCES));
    assert_eq!(user.resolve("open/closed/none", true).err(), Some(Errno::EACCES));
    assert_eq!(user.mkdir("open/new"), Err(Errno::EACCES));
    assert_eq!(world.resolve("open/closed/file", true).map(drop), Ok(()));
}

#[test]
fn dot_dot_stops_at_the_root_of_a_chroot() {
    let world = World::with("d jail\nd jail/in\nf secret\nl jail/out /secret\nf jail/secret jailed");
    world.chdir("jail");
    world.fs.set_root(world.resolve(".", true).unwrap());
    assert_eq!(world.name_of(&world.resolve("../../in", true).unwrap()), "/in");
    assert_eq!(world.read("/out").unwrap(), b"jailed");
}

#[test]
fn opening_obeys_the_flags() {
    use OpenFlags as F;
    let world = World::with("d d\nf f hello\nl l f\nl dangling new\nl dl d");
    let open = |path: &str, flags| world.open(path, flags).map(|open| world.name_of(open.path().unwrap()));
    let creat = F::O_CREAT | F::O_WRONLY;
    assert_eq!(open("d", F::O_WRONLY), Err(Errno::EISDIR));
    assert_eq!(open("d", F::O_RDWR), Err(Errno::EISDIR));
    assert_eq!(open("d", F::O_RDONLY | F::O_CREAT), Err(Errno::EISDIR));
    assert_eq!(open("d", F::O_TRUNC), Err(Errno::EISDIR));
    assert_eq!(open("f", F::O_DIRECTORY), Err(Errno::ENOTDIR));
    assert_eq!(open("l", F::O_NOFOLLOW), Err(Errno::ELOOP));
    assert_eq!(open("dl", F::O_NOFOLLOW | F::O_DIRECTORY), Err(Errno::ENOTDIR));
    assert_eq!(open("l", F::O_NOFOLLOW | F::O_PATH), Ok("/l".into()));
    assert_eq!(open("f", creat | F::O_EXCL), Err(Errno::EEXIST));
    assert_eq!(open("dangling", creat | F::O_EXCL), Err(Errno::EEXIST));
    assert_eq!(open("f/", creat), Err(Errno::EISDIR));
    assert_eq!(open("x/", creat), Err(Errno::EISDIR));
    assert_eq!(open("dangling", creat), Ok("/new".into()));
    assert_eq!(open("f/x", creat), Err(Errno::ENOTDIR));
    assert_eq!(open("none/x", creat), Err(Errno::ENOENT));
    assert_eq!(open(".", creat), Err(Errno::EISDIR));
    assert_eq!(open("/", creat | F::O_EXCL), Err(Errno::EEXIST));
    assert_eq!(world.read("f").unwrap(), b"hello");
    open("f", F::O_RDONLY | F::O_TRUNC).unwrap();
    assert_eq!(world.read("f").unwrap(), b"");
}

#[test]
fn a_new_file_may_be_written_whatever_its_permissions() {
    let world = World::with("d pub");
    world.caller().change_mode(&world.resolve("pub", true).unwrap(), 0o777).unwrap();
    let user = world.as_user(7);
    let how = OpenParameters {
        flags: OpenFlags::O_CREAT | OpenFlags::O_RDWR,
        permissions: 0,
        scope: ResolveFlags::empty(),
    };
    user.caller().open(Base::WorkingDirectory, b"pub/x", &how).unwrap();
    assert_eq!(user.open("pub/x", OpenFlags::O_RDONLY).err(), Some(Errno::EACCES));
    let made = user.stat("pub/x").unwrap();
    assert_eq!((made.uid, made.gid, made.mode.permissions()), (7, 7, 0));
}

#[test]
fn removing_says_what_linux_says() {
    let world = World::with("d d\nd d/full\nf d/full/f\nd e\nf f\nl l d\nl dangling x");
    assert_eq!(world.unlink("d"), Err(Errno::EISDIR));
    assert_eq!(world.unlink("none"), Err(Errno::ENOENT));
    assert_eq!(world.unlink("f/"), Err(Errno::ENOTDIR));
    assert_eq!(world.unlink("d/"), Err(Errno::EISDIR));
    assert_eq!(world.unlink("d/."), Err(Errno::EISDIR));
    assert_eq!(world.rmdir("f"), Err(Errno::ENOTDIR));
    assert_eq!(world.rmdir("l"), Err(Errno::ENOTDIR));
    assert_eq!(world.rmdir("d/full"), Err(Errno::ENOTEMPTY));
    assert_eq!(world.rmdir("e/."), Err(Errno::EINVAL));
    assert_eq!(world.rmdir("e/.."), Err(Errno::ENOTEMPTY));
    assert_eq!(world.rmdir("/"), Err(Errno::EBUSY));
    assert_eq!(world.rmdir("e/"), Ok(()));
    assert_eq!(world.unlink("dangling"), Ok(()));
    assert_eq!(world.stat("dangling").err(), Some(Errno::ENOENT));
    assert_eq!(world.mkdir("e/x"), Err(Errno::ENOENT));
}

#[test]
fn making_says_what_linux_says() {
    let world = World::with("d d\nf f\nl dangling x");
    assert_eq!(world.mkdir("d"), Err(Errno::EEXIST));
    assert_eq!(world.mkdir("d/"), Err(Errno::EEXIST));
    assert_eq!(world.mkdir("/"), Err(Errno::EEXIST));
    assert_eq!(world.mkdir("d/.."), Err(Errno::EEXIST));
    assert_eq!(world.mkdir("dangling"), Err(Errno::EEXIST));
    assert_eq!(world.mkdir("new/"), Ok(()));
    assert_eq!(world.mkdir("none/new"), Err(Errno::ENOENT));
    assert_eq!(world.mkdir("f/new"), Err(Errno::ENOTDIR));
    assert_eq!(world.symlink("", "l"), Err(Errno::ENOENT));
    assert_eq!(world.symlink("x", "l/"), Err(Errno::ENOENT));
    assert_eq!(world.symlink("x", "d"), Err(Errno::EEXIST));
    assert_eq!(world.link("f", "d"), Err(Errno::EEXIST));
    assert_eq!(world.link("d", "e"), Err(Errno::EPERM));
    assert_eq!(world.link("f", "g"), Ok(()));
    assert_eq!(world.stat("g").unwrap().link_count, 2);
    let user = world.as_user(5);
    let device = NodeKind::CharDevice(DeviceNumber::new(1, 3));
    world.caller().change_mode(&world.resolve("d", true).unwrap(), 0o777).unwrap();
    assert_eq!(user.node("d/null", device, 0o666), Err(Errno::EPERM));
    assert_eq!(user.node("d/fifo", NodeKind::Fifo, 0o666), Ok(()));
    assert_eq!(world.node("d/null", device, 0o666), Ok(()));
    assert_eq!(world.stat("d/null").unwrap().represents.0, 0x103);
}

/// Every kind of source against every kind of target.
#[test]
fn renames_answer_as_linux_does() {
    type Case = (&'static str, &'static str, u32, Result<(), Errno>);
    let cases: &[Case] = &[
        ("f", "new", 0, Ok(())),
        ("f", "g", 0, Ok(())),
        ("f", "f", 0, Ok(())),
        ("f", "hard", 0, Ok(())),
        ("f", "d", 0, Err(Errno::EISDIR)),
        ("f", "new/", 0, Err(Errno::ENOTDIR)),
        ("f/", "new", 0, Err(Errno::ENOTDIR)),
        ("f", "g", RENAME_NOREPLACE, Err(Errno::EEXIST)),
        ("f", "new", RENAME_NOREPLACE, Ok(())),
        ("f", "new", RENAME_EXCHANGE, Err(Errno::ENOENT)),
        ("f", "d", RENAME_EXCHANGE, Ok(())),
        ("f", "g", RENAME_EXCHANGE | RENAME_NOREPLACE, Err(Errno::EINVAL)),
        ("f", "g", 4, Err(Errno::EINVAL)),
        ("d", "new", 0, Ok(())),
        ("d", "new/", 0, Ok(())),
        ("d", "f", 0, Err(Errno::ENOTDIR)),
        ("d", "empty", 0, Ok(())),
        ("d", "full", 0, Err(Errno::ENOTEMPTY)),
        ("d", "d/x", 0, Err(Errno::EINVAL)),
        ("d", "d/in/x", 0, Err(Errno::EINVAL)),
        ("d/in", "d", 0, Err(Errno::ENOTEMPTY)),
        ("d/in", "d", RENAME_EXCHANGE, Err(Errno::EINVAL)),
        ("d/in", "empty", 0, Ok(())),
        ("none", "new", 0, Err(Errno::ENOENT)),
        (".", "new", 0, Err(Errno::EBUSY)),
        ("d/..", "new", 0, Err(Errno::EBUSY)),
        ("f", "d/.", 0, Err(Errno::EBUSY)),
        ("f", "/", 0, Err(Errno::EBUSY)),
        ("f", "d/.", RENAME_NOREPLACE, Err(Errno::EEXIST)),
        ("l", "new", 0, Ok(())),
        ("f", "l", 0, Ok(())),
    ];
    for (old, new, flags, expected) in cases {
        let world = World::with("f f F\nf g G\nd d\nd d/in\nd empty\nd full\nf full/f\nl l g");
        world.link("f", "hard").unwrap();
        assert_eq!(world.rename(old, new, *flags), *expected, "{old} -> {new}, flags {flags}");
    }
}

#[test]
fn after_a_rename_the_names_are_right() {
    let world = World::with("d a\nd a/sub\nf a/sub/f one\nd b\nf b/old two");
    let inside = world.resolve("a/sub", true).unwrap();
    let file = world.open("a/sub/f", OpenFlags::O_RDONLY).unwrap();
    assert_eq!(world.stat("b/moved").err(), Some(Errno::ENOENT));
    world.rename("a/sub", "b/moved", 0).unwrap();
    assert_eq!(world.stat("a/sub").err(), Some(Errno::ENOENT));
    assert_eq!(world.read("b/moved/f").unwrap(), b"one");
    assert_eq!(world.name_of(&inside), "/b/moved");
    assert_eq!(world.name_of(file.path().unwrap()), "/b/moved/f");
    assert_eq!((world.stat("a").unwrap().link_count, world.stat("b").unwrap().link_count), (2, 3));

    world.rename("b/moved", "b/old", RENAME_EXCHANGE).unwrap();
    assert_eq!(world.read("b/moved").unwrap(), b"two");
    assert_eq!(world.read("b/old/f").unwrap(), b"one");
    assert_eq!(world.name_of(&inside), "/b/old");

    world.unlink("b/old/f").unwrap();
    assert_eq!(world.name_of(file.path().unwrap()), "/b/old/f (deleted)");
    world.chdir("b/old");
    world.rmdir("/b/old").unwrap();
    assert_eq!(world.resolve("..", true).map(|path| world.name_of(&path)), Ok("/b".into()));
    assert_eq!(world.resolve("x", true).err(), Some(Errno::ENOENT));
    assert!(world.fs.working_directory().dentry.is_removed());
}

#[test]
fn sticky_directories_and_other_peoples_files() {
    let world = World::with("d tmp");
    world.caller().change_mode(&world.resolve("tmp", true).unwrap(), 0o1777).unwrap();
    let (alice, bob) = (world.as_user(1), world.as_user(2));
    alice.write("tmp/a", b"");
    bob.write("tmp/b", b"");
    assert_eq!(bob.unlink("tmp/a"), Err(Errno::EPERM));
    assert_eq!(bob.rename("tmp/b", "tmp/a", 0), Err(Errno::EPERM));
    assert_eq!(bob.link("tmp/a", "tmp/c"), Err(Errno::EPERM));
    assert_eq!(alice.rename("tmp/a", "tmp/c", 0), Ok(()));
    assert_eq!(world.unlink("tmp/c"), Ok(()));
}

#[test]
fn mounts_cover_what_is_below() {
    let world = World::with("d mnt\nf mnt/below under");
    let mount = world.mount("mnt");
    assert_eq!(world.stat("mnt/below").err(), Some(Errno::ENOENT));
    world.make("d mnt/dir\nf mnt/dir/f");
    assert_eq!(world.name_of(&world.resolve("mnt/dir/../..", true).unwrap()), "/");
    assert_eq!(world.name_of(&world.resolve("mnt/dir", true).unwrap()), "/mnt/dir");
    assert_ne!(world.stat("mnt").unwrap().device, world.stat("/").unwrap().device);
    assert_eq!(world.rename("mnt/dir", "dir", 0), Err(Errno::EXDEV));
    assert_eq!(world.link("mnt/dir/f", "f"), Err(Errno::EXDEV));
    assert_eq!(world.rmdir("mnt"), Err(Errno::EBUSY));
    assert_eq!(world.rename("mnt", "mnt2", 0), Err(Errno::EBUSY));

    let busy = world.open("mnt/dir/f", OpenFlags::O_RDONLY).unwrap();
    assert_eq!(mount::detach(&mount, 1), Err(Errno::EBUSY));
    drop(busy);
    assert_eq!(mount::detach(&mount, 1), Ok(()));
    assert_eq!(world.read("mnt/below").unwrap(), b"under");
    assert_eq!(mount::detach(&mount, 1), Err(Errno::EINVAL));
}

#[test]
fn a_lazily_detached_mount_lives_for_its_users() {
    let world = World::with("d mnt");
    let mount = world.mount("mnt");
    world.make("d mnt/in\nf mnt/f data");
    let inner = world.mount("mnt/in");
    let file = world.open("mnt/f", OpenFlags::O_RDONLY).unwrap();
    assert_eq!(mount::detach(&mount, 1), Err(Errno::EBUSY));
    mount::detach_lazily(&mount).unwrap();
    assert_eq!(world.stat("mnt/f").err(), Some(Errno::ENOENT));
    assert_eq!(inner.mounted_on().map(|_| ()), None);
    let mut buffer = [0; 4];
    assert_eq!(file.read(&mut Sink::kernel(&mut buffer), IoFlags::empty()), Ok(4));
    assert_eq!(world.rmdir("mnt"), Ok(()));
}

#[test]
fn a_read_only_mount_changes_nothing() {
    let world = World::with("d mnt");
    let mount = world.mount("mnt");
    world.make("f mnt/f x\nd mnt/d");
    mount.set_options(MountOptions::READ_ONLY);
    assert_eq!(world.open("mnt/f", OpenFlags::O_RDWR).err(), Some(Errno::EROFS));
    assert_eq!(world.open("mnt/f", OpenFlags::O_TRUNC).err(), Some(Errno::EROFS));
    assert_eq!(world.open("mnt/new", OpenFlags::O_CREAT).err(), Some(Errno::EROFS));
    assert_eq!(world.open("mnt/f", OpenFlags::O_CREAT).map(drop), Ok(()));
    assert_eq!(world.mkdir("mnt/d"), Err(Errno::EEXIST));
    assert_eq!(world.mkdir("mnt/e"), Err(Errno::EROFS));
    assert_eq!(world.unlink("mnt/f"), Err(Errno::EROFS));
    assert_eq!(world.rename("mnt/f", "mnt/g", 0), Err(Errno::EROFS));
    let place = world.resolve("mnt/f", true).unwrap();
    assert_eq!(world.caller().change_mode(&place, 0), Err(Errno::EROFS));
    assert_eq!(world.caller().truncate(&place, 0), Err(Errno::EROFS));
    assert_eq!(world.caller().change_times(&place, NewTime::Now, NewTime::Now), Err(Errno::EROFS));
    assert_eq!(world.read("mnt/f").unwrap(), b"x");
}

#[test]
fn the_mount_table_reads_as_on_linux() {
    let world = World::with("d a\\x\nd b");
    world.make("d a\\x/y");
    let mount = new_mount(Options { mode: 0o700, max_pages: Some(256), ..Options::ramfs() });
    mount.set_options(MountOptions::NO_SUID | MountOptions::RELATIVE_ACCESS_TIME);
    mount::attach(mount, &world.resolve("a\\x/y", true).unwrap()).unwrap();
    let mut text = text::Text::new();
    mount::all().for_each(|mount| mount.write_mounts_line(&world.fs.root(), &mut text));
    let text = String::from_utf8(text.finish().unwrap()).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 2);
    assert!(lines[0].starts_with("none / tmpfs rw,"), "{}", lines[0]);
    assert_eq!(
        lines[1],
        "none /a\\134x/y tmpfs rw,nosuid,relatime,size=1024k,nr_inodes=0,mode=700,inode64 0 0"
    );
}

#[test]
fn scoped_walks_stay_inside() {
    let world =
        World::with("d a\nd a/b\nf f top\nf a/f inner\nl a/b/up ../f\nl a/b/out ../../f\nl a/b/abs /f");
    let base = world.resolve("a/b", true).unwrap();
    let base_a = world.resolve("a", true).unwrap();
    let walk = |base: &Path, path: &str, scope| {
        let place = world.caller().resolve_scoped(Base::At(base), path.as_bytes(), true, scope);
        place.map(|place| world.name_of(&place))
    };
    let beneath = ResolveFlags::RESOLVE_BENEATH;
    assert_eq!(walk(&base, "../f", beneath), Err(Errno::EXDEV));
    assert_eq!(walk(&base, "/f", beneath), Err(Errno::EXDEV));
    assert_eq!(walk(&base_a, "b/up", beneath), Ok("/a/f".into()));
    assert_eq!(walk(&base_a, "b/out", beneath), Err(Errno::EXDEV));
    assert_eq!(walk(&base_a, "b/abs", beneath), Err(Errno::EXDEV));
    let in_root = ResolveFlags::RESOLVE_IN_ROOT;
    assert_eq!(walk(&base_a, "b/out", in_root), Ok("/a/f".into()));
    assert_eq!(walk(&base_a, "b/abs", in_root), Ok("/a/f".into()));
    assert_eq!(walk(&base_a, "b/up", ResolveFlags::RESOLVE_NO_SYMLINKS), Err(Errno::ELOOP));
    assert_eq!(walk(&base_a, "b/up", ResolveFlags::RESOLVE_CACHED), Err(Errno::EAGAIN));
}

#[test]
fn names_nobody_uses_can_be_forgotten() {
    let world = World::with("d d\nd d/e\nf d/e/f x\nf d/e/g");
    let held = world.resolve("d/e/g", true).unwrap();
    for _ in 0..10 {
        let _ = world.stat("d/none");
    }
    let before = cached_names();
    let forgotten = forget_unused(usize::MAX);
    assert!(forgotten >= 2, "the absent name and the unused file");
    assert_eq!(cached_names(), before - forgotten);
    assert_eq!(world.name_of(&held), "/d/e/g");
    assert_eq!(world.read("d/e/f").unwrap(), b"x");
    assert!(Arc::ptr_eq(&world.resolve("d/e/g", true).unwrap().dentry, &held.dentry));
}

#[test]
fn a_deep_tree_comes_and_goes_without_recursion() {
    let world = World::with("d mnt");
    let mount = world.mount("mnt");
    world.chdir("mnt");
    for _ in 0..20_000 {
        world.mkdir("d").unwrap();
        world.chdir("d");
    }
    assert_eq!(world.fs.working_directory().display(&world.fs.root()).err(), Some(Errno::ENAMETOOLONG));
    world.chdir("/");
    mount::detach(&mount, 1).unwrap();
    drop(mount);
}
