//! Root file systems: BusyBox by default, or the user's directory, tar or cpio archive.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::cpio::{Kind, Owner, Tree};
use crate::{cmd, packages, paths};

const PASSWD: &str = "\
root:x:0:0:root:/root:/bin/sh
daemon:x:1:1:daemon:/:/bin/false
user:x:1000:1000:user:/home/user:/bin/sh
nobody:x:65534:65534:nobody:/:/bin/false
";
const GROUP: &str = "root:x:0:\ndaemon:x:1:\ntty:x:5:\nuser:x:1000:\nnogroup:x:65534:\n";
/// No passwords: `su` and `login` let root in at once, which is what a machine made for one run wants.
const SHADOW: &str = "root::19723:0:99999:7:::\nuser::19723:0:99999:7:::\nnobody:*:19723:0:99999:7:::\n";
const PROFILE: &str = r#"export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PS1='\u@\h:\w\$ '
alias ll='ls -l'
"#;

/// Process 1 of the default root file system: an interactive shell on the console, then power-off.
const INIT: &str = r#"#!/bin/busybox sh
# Made by `cargo xtask run`.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export HOME=/root
[ "$TERM" ] || export TERM=linux
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev 2>/dev/null
mkdir -p /dev/pts
mount -t devpts devpts /dev/pts 2>/dev/null
hostname -F /etc/hostname
[ "$LINES" ] && stty rows "$LINES" cols "$COLUMNS"
unset LINES COLUMNS
cd /root
setsid cttyhack sh -l
poweroff -f
"#;

/// Where the runner's own files are in the guest.
pub(crate) const RUNNER_DIR: &str = ".exo";

/// A root file system ready to be given to a kernel.
pub(crate) enum Rootfs {
    /// A tree that is packed when the machine starts.
    Tree(Tree),
    /// An archive of the user's, passed on as it is; the runner's files follow in a second one.
    Archive(Vec<u8>, Tree),
}

impl Rootfs {
    /// Returns the tree into which the runner's files go.
    pub(crate) fn additions(&mut self) -> &mut Tree {
        match self {
            Self::Tree(tree) | Self::Archive(_, tree) => tree,
        }
    }

    /// Returns the bytes of the initial RAM file system.
    ///
    /// # Errors
    /// If a file is too large for the format.
    pub(crate) fn to_bytes(&self) -> Result<Vec<u8>> {
        match self {
            Self::Tree(tree) => Ok(tree.to_bytes()?),
            Self::Archive(archive, additions) => {
                let mut bytes = archive.clone();
                // A reader expects the next archive on a four-byte boundary; zeros in between are skipped.
                bytes.resize(bytes.len().next_multiple_of(4), 0);
                bytes.extend(additions.to_bytes()?);
                Ok(bytes)
            }
        }
    }
}

/// Opens what the user named as root file system, or makes the default one.
///
/// # Errors
/// If it cannot be read, or is neither a directory nor a tar or cpio archive.
pub(crate) fn open(path: Option<&Path>) -> Result<Rootfs> {
    let Some(path) = path else { return Ok(Rootfs::Tree(busybox_tree()?)) };
    let metadata = fs::metadata(path).with_context(|| format!("cannot open --rootfs {}", path.display()))?;
    if metadata.is_dir() {
        return Ok(Rootfs::Tree(directory_tree(path)?));
    }
    let mut start = Vec::new();
    decompressed(path)?.take(512).read_to_end(&mut start)?;
    if start.starts_with(b"070701") || start.starts_with(b"070702") {
        let archive = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        return Ok(Rootfs::Archive(archive, Tree::default()));
    }
    if start.get(257..262) == Some(b"ustar") {
        return Ok(Rootfs::Tree(tar_tree(path)?));
    }
    bail!(
        "{} is neither a directory nor a tar or newc cpio archive (plain, gzip, xz or zstd)",
        path.display()
    );
}

/// Returns the path of a static BusyBox, fetching Debian's package if this machine has none.
///
/// # Errors
/// If there is none and it cannot be fetched.
pub(crate) fn busybox() -> Result<PathBuf> {
    let installed = PathBuf::from("/bin/busybox");
    if is_static(&installed) {
        return Ok(installed);
    }
    let cache = paths::target().join("busybox");
    let cached = ["bin/busybox", "usr/bin/busybox"].map(|name| cache.join(name));
    if !cached.iter().any(|path| is_static(path)) {
        let deb = packages::download("busybox-static", &cache)?;
        packages::unpack(&deb, &cache)?;
    }
    cached.into_iter().find(|path| is_static(path)).context("package busybox-static holds no static busybox")
}

/// Makes the default root file system.
///
/// # Errors
/// As for [`busybox`].
pub(crate) fn busybox_tree() -> Result<Tree> {
    let busybox = busybox()?;
    let mut tree = Tree::default();
    for (path, mode) in [
        ("bin", 0o755),
        ("dev", 0o755),
        ("home", 0o755),
        ("mnt", 0o755),
        ("proc", 0o555),
        ("root", 0o700),
        ("run", 0o755),
        ("sys", 0o555),
        ("tmp", 0o1777),
        ("var/log", 0o755),
        ("var/spool/cron/crontabs", 0o755),
        ("var/tmp", 0o1777),
    ] {
        tree.directory(path, mode);
    }
    tree.add("home/user", Owner { permissions: 0o755, uid: 1000, gid: 1000 }, Kind::Directory);
    tree.file("bin/busybox", 0o755, fs::read(&busybox)?);
    for applet in cmd::capture(Command::new(&busybox).arg("--list-full"))?.lines() {
        if applet != "bin/busybox" {
            tree.symlink(applet, "/bin/busybox");
        }
    }
    tree.file("etc/passwd", 0o644, PASSWD);
    tree.file("etc/group", 0o644, GROUP);
    tree.file("etc/shadow", 0o600, SHADOW);
    tree.file("etc/profile", 0o644, PROFILE);
    tree.file("etc/hostname", 0o644, "exo\n");
    tree.file("etc/hosts", 0o644, "127.0.0.1 localhost exo\n");
    tree.file("etc/shells", 0o644, "/bin/sh\n/bin/ash\n");
    // The kernel opens it for process 1 before anything is mounted.
    tree.add("dev/console", Owner::root(0o600), Kind::Special { type_bits: 0o020_000, major: 5, minor: 1 });
    tree.file("init", 0o755, INIT);
    Ok(tree)
}

/// Reads a directory. Files of the calling user become root's, as if root had packed them.
fn directory_tree(root: &Path) -> Result<Tree> {
    let own = fs::metadata("/proc/self").map(|own| (own.uid(), own.gid())).unwrap_or((0, 0));
    let mut tree = Tree::default();
    let mut inodes: HashMap<(u64, u64), String> = HashMap::new();
    let mut pending = vec![root.to_path_buf()];
    while let Some(dir) = pending.pop() {
        let entries = fs::read_dir(&dir).with_context(|| format!("cannot read {}", dir.display()))?;
        let mut paths: Vec<PathBuf> = entries.map(|e| e.map(|e| e.path())).collect::<std::io::Result<_>>()?;
        paths.sort();
        for path in paths {
            let name = path.strip_prefix(root)?.to_str().with_context(|| {
                format!("{}: names in a root file system must be UTF-8 to be packed", path.display())
            })?;
            let metadata = fs::symlink_metadata(&path)?;
            let kind = if metadata.is_dir() {
                pending.push(path.clone());
                Kind::Directory
            } else if metadata.is_symlink() {
                Kind::Symlink(fs::read_link(&path)?.as_os_str().as_bytes().to_vec())
            } else if metadata.is_file() {
                let key = (metadata.dev(), metadata.ino());
                match inodes.get(&key) {
                    Some(first) => Kind::HardLink(first.clone()),
                    None => {
                        if metadata.nlink() > 1 {
                            inodes.insert(key, name.to_owned());
                        }
                        Kind::File(
                            fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?,
                        )
                    }
                }
            } else {
                let file_type = metadata.file_type();
                let is_device = file_type.is_char_device() || file_type.is_block_device();
                let (major, minor) = if is_device { device_numbers(metadata.rdev()) } else { (0, 0) };
                Kind::Special { type_bits: metadata.mode() & 0o170_000, major, minor }
            };
            let mapped = |id: u32, own: u32| if id == own { 0 } else { id };
            let owner = Owner {
                permissions: metadata.mode() & 0o7777,
                uid: mapped(metadata.uid(), own.0),
                gid: mapped(metadata.gid(), own.1),
            };
            tree.add(name, owner, kind);
        }
    }
    Ok(tree)
}

/// Reads a tar archive, with owners and device numbers as it has them.
fn tar_tree(path: &Path) -> Result<Tree> {
    let mut archive = tar::Archive::new(decompressed(path)?);
    let mut tree = Tree::default();
    for entry in archive.entries().with_context(|| format!("cannot read {}", path.display()))? {
        let mut entry = entry.with_context(|| format!("{} is damaged", path.display()))?;
        let name = String::from_utf8(entry.path_bytes().into_owned())
            .context("a name in the archive is not UTF-8")?;
        let name = name.trim_start_matches("./").trim_matches('/').to_owned();
        let header = entry.header();
        let id = |id: u64| u32::try_from(id).context("an owner's number in the archive is too large");
        let owner = Owner { permissions: header.mode()?, uid: id(header.uid()?)?, gid: id(header.gid()?)? };
        let device = |type_bits| -> Result<Kind> {
            let major = header.device_major()?.unwrap_or(0);
            let minor = header.device_minor()?.unwrap_or(0);
            Ok(Kind::Special { type_bits, major, minor })
        };
        let kind = match header.entry_type() {
            tar::EntryType::Directory => Kind::Directory,
            tar::EntryType::Symlink => {
                Kind::Symlink(entry.link_name_bytes().context("a symbolic link without target")?.into_owned())
            }
            tar::EntryType::Link => {
                let target = entry.link_name_bytes().context("a hard link without target")?.into_owned();
                let target = String::from_utf8(target).context("a name in the archive is not UTF-8")?;
                Kind::HardLink(target.trim_start_matches("./").trim_matches('/').to_owned())
            }
            tar::EntryType::Char => device(0o020_000)?,
            tar::EntryType::Block => device(0o060_000)?,
            tar::EntryType::Fifo => Kind::Special { type_bits: 0o010_000, major: 0, minor: 0 },
            kind if kind.is_file() || kind.is_contiguous() => {
                let mut data = Vec::new();
                entry.read_to_end(&mut data).with_context(|| format!("{} is damaged", path.display()))?;
                Kind::File(data)
            }
            tar::EntryType::XGlobalHeader => continue,
            other => bail!("{}: {name} has the unsupported type {other:?}", path.display()),
        };
        tree.add(&name, owner, kind);
    }
    Ok(tree)
}

/// Opens a file and undoes its compression, by its first bytes.
fn decompressed(path: &Path) -> Result<Box<dyn Read>> {
    let mut file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
    let mut magic = Vec::new();
    Read::by_ref(&mut file).take(6).read_to_end(&mut magic)?;
    let (program, package) = match magic.as_slice() {
        [0x1f, 0x8b, ..] => ("gzip", "gzip"),
        [0xfd, b'7', b'z', b'X', b'Z', 0] => ("xz", "xz-utils"),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => ("zstd", "zstd"),
        [b'B', b'Z', b'h', ..] => ("bzip2", "bzip2"),
        _ => return Ok(Box::new(File::open(path)?)),
    };
    packages::ensure(&[packages::Need::new(program, package)])?;
    let mut command = Command::new(program);
    command.arg("-dc").stdin(File::open(path)?).stdout(Stdio::piped());
    let mut child = command.spawn().with_context(|| format!("cannot start {program}"))?;
    let output = child.stdout.take().context("no pipe")?;
    Ok(Box::new(Decompressor { child, output }))
}

/// The output of a decompressing program, which is ended with it.
struct Decompressor {
    child: std::process::Child,
    output: std::process::ChildStdout,
}

impl Read for Decompressor {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        let count = self.output.read(buf)?;
        if count == 0 && !buf.is_empty() && !self.child.wait()?.success() {
            return Err(std::io::Error::other("the compressed data is damaged"));
        }
        Ok(count)
    }
}

impl Drop for Decompressor {
    fn drop(&mut self) {
        // Already ended if everything was read; else there is nobody to read the rest.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Splits a device number as Linux encodes it in `st_rdev`.
fn device_numbers(rdev: u64) -> (u32, u32) {
    let major = ((rdev >> 8) & 0xfff) | ((rdev >> 32) & !0xfff);
    let minor = (rdev & 0xff) | ((rdev >> 12) & !0xff);
    (u32::try_from(major & 0xffff_ffff).unwrap_or(0), u32::try_from(minor & 0xffff_ffff).unwrap_or(0))
}

/// Returns whether a file is a program that needs no dynamic loader.
fn is_static(program: &Path) -> bool {
    use object::read::elf::{FileHeader, ProgramHeader};
    let Ok(bytes) = fs::read(program) else { return false };
    let Ok(header) = object::elf::FileHeader64::<object::Endianness>::parse(&*bytes) else { return false };
    let Ok(endian) = header.endian() else { return false };
    let Ok(segments) = header.program_headers(endian, &*bytes) else { return false };
    segments.iter().all(|segment| segment.p_type(endian) != object::elf::PT_INTERP)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn device_numbers_are_split_as_linux_packs_them() {
        assert_eq!(device_numbers(0x0501), (5, 1));
        assert_eq!(device_numbers(0x1230_0845), (8, 0x12345));
    }

    #[test]
    fn a_tar_archive_keeps_owners_links_and_devices() {
        let mut builder = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Char);
        header.set_mode(0o620);
        header.set_uid(0);
        header.set_gid(5);
        header.set_device_major(4).expect("a device");
        header.set_device_minor(64).expect("a device");
        header.set_size(0);
        header.set_path("./dev/ttyS0").expect("short");
        header.set_cksum();
        builder.append(&header, std::io::empty()).expect("in memory");
        let bytes = builder.into_inner().expect("in memory");
        let path = std::env::temp_dir().join(format!("xtask-tar-{}.tar", std::process::id()));
        fs::write(&path, bytes).expect("a temporary file");
        let tree = tar_tree(&path);
        fs::remove_file(&path).expect("a temporary file");
        let mut expected = Tree::default();
        let owner = Owner { permissions: 0o620, uid: 0, gid: 5 };
        expected.add("dev/ttyS0", owner, Kind::Special { type_bits: 0o020_000, major: 4, minor: 64 });
        assert_eq!(tree.expect("readable").to_bytes().expect("small"), expected.to_bytes().expect("small"));
    }
}
