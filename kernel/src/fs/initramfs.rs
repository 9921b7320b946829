//! Unpacks the initial RAM file system into the root.
//!
//! The rules are those of Linux: what an entry replaces goes away first if it is of another type; a node that cannot be
//! made (its directory is missing, say) is passed over in silence, its data with it; the modification times of
//! directories are set last, when nothing changes them any more. Unlike Linux, running out of space is an error that
//! names the file, for a system without half of its files fails later and less clearly.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use cpio::Header;
use cpio::initramfs::{self, Sink};
use linux_abi::errno::Errno;
use linux_abi::open::{OpenFlags, ResolveFlags};
use linux_abi::stat::Mode;
use linux_abi::time::Timespec;

use super::vfs::{
    Base, Caller, DeviceNumber, FileType, FsContext, IoFlags, NewTime, NodeKind, OpenFile, OpenParameters,
    Path, Removal,
};
use crate::process::credentials::Credentials;
use crate::uio::Source;

/// Why an image was not unpacked to its end.
pub type Error = initramfs::Error<StoreError>;

/// A file did not find room.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoreError {
    name: Vec<u8>,
    errno: Errno,
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot store {}: {}", String::from_utf8_lossy(&self.name), self.errno)
    }
}

/// Unpacks `image` into the root.
///
/// # Errors
/// The image is wrong, or a file does not fit. What came before has been unpacked.
pub fn unpack(image: &[u8]) -> Result<(), Error> {
    unpack_into(super::root(), image)
}

/// Unpacks `image` into the directory `root`, as if that were the root of all.
fn unpack_into(root: Path, image: &[u8]) -> Result<(), Error> {
    let context = FsContext::new(root);
    context.set_umask(0);
    let credentials = Credentials::root();
    let caller = Caller { fs: &context, credentials: &credentials };
    let mut tree = Tree { caller, entry: None, links: BTreeMap::new(), directories: Vec::new() };
    let outcome = initramfs::unpack(image, &mut tree);
    tree.finish();
    outcome
}

/// What tells the names of one file apart from others, within one archive: inode, device, type.
type LinkKey = (u32, u32, u32, u32);

/// The root while it is being filled.
struct Tree<'a> {
    caller: Caller<'a>,
    entry: Option<Entry>,
    /// The first name of each file that has several.
    links: BTreeMap<LinkKey, Vec<u8>>,
    /// Directories and their modification times.
    directories: Vec<(Vec<u8>, NewTime)>,
}

/// The entry at hand.
struct Entry {
    name: Vec<u8>,
    modified: NewTime,
    body: Body,
}

/// Where the data of an entry goes.
enum Body {
    /// Nowhere.
    None,
    /// Into a file.
    File(Arc<OpenFile>),
    /// To be the text of a symbolic link of this owner.
    Symlink { text: Vec<u8>, uid: u32, gid: u32 },
}

const HERE: Base<'static> = Base::WorkingDirectory;

impl Tree<'_> {
    /// Removes what is called `name` unless it is of type `keep`.
    fn clear(&self, name: &[u8], keep: Option<FileType>) {
        let Ok(place) = self.caller.resolve(HERE, name, false) else { return };
        let found = place.dentry.file_type();
        if Some(found) != keep {
            let removal = if found == FileType::Directory { Removal::Directory } else { Removal::File };
            // What cannot be removed shows when the new node cannot be made.
            let _ = self.caller.remove(HERE, name, removal);
        }
    }

    /// Makes `name` a further name of a file that had one before. `Ok(false)`: it had none.
    fn link(&mut self, header: &Header, name: &[u8]) -> Result<bool, Errno> {
        if header.nlink < 2 {
            return Ok(false);
        }
        let file_type = Mode(header.mode).file_type();
        let key = (header.ino, header.dev_major, header.dev_minor, file_type);
        let Some(first) = self.links.get(&key) else {
            self.links.insert(key, name.to_vec());
            return Ok(false);
        };
        self.clear(name, None);
        let target = self.caller.resolve(HERE, first, false)?;
        self.caller.link(&target, HERE, name)?;
        Ok(true)
    }

    /// Sets owner and permissions of `place`; permissions last, for a new owner takes set-id bits away.
    fn set_owner(&self, place: &Path, header: &Header) -> Result<(), Errno> {
        self.caller.change_owner(place, Some(header.uid), Some(header.gid))?;
        self.caller.change_mode(place, Mode(header.mode).permissions())
    }

    fn begin(&mut self, header: &Header, name: &[u8], modified: NewTime) -> Result<Body, Errno> {
        let Some(file_type) = FileType::of_mode(Mode(header.mode)) else { return Ok(Body::None) };
        if file_type == FileType::Symlink {
            return Ok(Body::Symlink { text: Vec::new(), uid: header.uid, gid: header.gid });
        }
        self.clear(name, Some(file_type));
        let kind = match file_type {
            FileType::Regular => return self.begin_file(header, name),
            FileType::Directory => {
                match self.caller.make_node(HERE, name, NodeKind::Directory, 0o700) {
                    Ok(_) | Err(Errno::EEXIST) => {}
                    Err(errno) => return Err(errno),
                }
                let place = self.caller.resolve(HERE, name, true)?;
                self.set_owner(&place, header)?;
                self.directories.push((name.to_vec(), modified));
                return Ok(Body::None);
            }
            FileType::CharDevice => {
                NodeKind::CharDevice(DeviceNumber::new(header.rdev_major, header.rdev_minor))
            }
            FileType::BlockDevice => {
                NodeKind::BlockDevice(DeviceNumber::new(header.rdev_major, header.rdev_minor))
            }
            FileType::Fifo => NodeKind::Fifo,
            FileType::Socket => NodeKind::Socket,
            FileType::Symlink => return Ok(Body::None),
        };
        if self.link(header, name)? {
            return Ok(Body::None);
        }
        let place = match self.caller.make_node(HERE, name, kind, 0) {
            Ok(place) => place,
            Err(Errno::EEXIST) => self.caller.resolve(HERE, name, false)?,
            Err(errno) => return Err(errno),
        };
        self.set_owner(&place, header)?;
        self.caller.change_times(&place, modified, modified)?;
        Ok(Body::None)
    }

    fn begin_file(&mut self, header: &Header, name: &[u8]) -> Result<Body, Errno> {
        let is_link = self.link(header, name)?;
        let mut flags = OpenFlags::O_WRONLY | OpenFlags::O_CREAT;
        // A link without data must not empty the file that another name has filled.
        flags.set(OpenFlags::O_TRUNC, !is_link);
        let how = OpenParameters { flags, permissions: 0o600, scope: ResolveFlags::empty() };
        let open = self.caller.open(HERE, name, &how)?;
        self.set_owner(&open.place(), header)?;
        if header.size != 0 {
            open.file().set_size(u64::from(header.size))?;
        }
        Ok(Body::File(open))
    }

    /// Sets the modification times of directories.
    fn finish(&mut self) {
        for (name, modified) in core::mem::take(&mut self.directories).into_iter().rev() {
            if let Ok(place) = self.caller.resolve(HERE, &name, false) {
                // The caller is root and the file system takes all times.
                let _ = self.caller.change_times(&place, modified, modified);
            }
        }
    }
}

/// Passes over what Linux passes over; keeps the lack of room.
fn skip_unless_full<T>(outcome: Result<T, Errno>, name: &[u8], instead: T) -> Result<T, StoreError> {
    match outcome {
        Ok(value) => Ok(value),
        Err(errno @ (Errno::ENOSPC | Errno::ENOMEM | Errno::EFBIG)) => {
            Err(StoreError { name: name.to_vec(), errno })
        }
        Err(errno) => {
            log::debug!("initramfs: skipped {}: {errno}", String::from_utf8_lossy(name));
            Ok(instead)
        }
    }
}

fn write_all(open: &OpenFile, bytes: &[u8]) -> Result<(), Errno> {
    let mut source = Source::kernel(bytes);
    while !source.is_empty() {
        // No progress without an error would be a loop without end.
        if open.write(&mut source, IoFlags::empty())? == 0 {
            return Err(Errno::ENOSPC);
        }
    }
    Ok(())
}

impl Sink for Tree<'_> {
    type Error = StoreError;

    fn entry(&mut self, header: &Header, name: &[u8]) -> Result<(), StoreError> {
        let modified = NewTime::At(Timespec { tv_sec: i64::from(header.mtime), tv_nsec: 0 });
        let outcome = self.begin(header, name, modified);
        let body = skip_unless_full(outcome, name, Body::None)?;
        self.entry = Some(Entry { name: name.to_vec(), modified, body });
        Ok(())
    }

    fn data(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        let Some(entry) = &mut self.entry else { return Ok(()) };
        match &mut entry.body {
            Body::None => Ok(()),
            Body::Symlink { text, .. } => {
                text.extend_from_slice(bytes);
                Ok(())
            }
            Body::File(open) => {
                write_all(open, bytes).map_err(|errno| StoreError { name: entry.name.clone(), errno })
            }
        }
    }

    fn end_entry(&mut self) -> Result<(), StoreError> {
        let Some(Entry { name, modified, body }) = self.entry.take() else { return Ok(()) };
        let place = match body {
            Body::None => return Ok(()),
            Body::File(open) => Ok(open.place()),
            Body::Symlink { text, uid, gid } => {
                self.clear(&name, None);
                let end = text.iter().position(|&byte| byte == 0).unwrap_or(text.len());
                let made = self.caller.make_node(HERE, &name, NodeKind::Symlink(&text[..end]), 0o777);
                made.and_then(|place| self.caller.change_owner(&place, Some(uid), Some(gid)).map(|()| place))
            }
        };
        let outcome = place.and_then(|place| self.caller.change_times(&place, modified, modified));
        skip_unless_full(outcome, &name, ())
    }

    fn end_archive(&mut self) -> Result<(), StoreError> {
        self.links.clear();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs::tmpfs::{Options, Tmpfs};
    use crate::fs::vfs::{LinkTarget, Metadata, Mount, MountOptions, SuperBlock};
    use crate::uio::Sink as ReadSink;

    struct Archive(Vec<u8>);

    impl Archive {
        fn add(mut self, name: &str, mode: u32, ino: u32, nlink: u32, data: &[u8]) -> Self {
            let fields =
                [ino, mode, 7, 8, nlink, 1_000_000, data.len() as u32, 1, 2, 5, 1, name.len() as u32 + 1, 0];
            self.0.extend_from_slice(b"070701");
            for field in fields {
                self.0.extend_from_slice(alloc::format!("{field:08x}").as_bytes());
            }
            self.0.extend_from_slice(name.as_bytes());
            self.0.push(0);
            self.pad();
            self.0.extend_from_slice(data);
            self.pad();
            self
        }

        fn pad(&mut self) {
            while !self.0.len().is_multiple_of(4) {
                self.0.push(0);
            }
        }

        fn end(self) -> Self {
            self.add("TRAILER!!!", 0, 0, 1, b"")
        }
    }

    struct Root {
        context: Arc<FsContext>,
        path: Path,
    }

    impl Root {
        fn new(max_pages: u64) -> Self {
            let options = Options { mode: 0o755, max_pages: Some(max_pages), ..Options::ramfs() };
            let super_block = SuperBlock::new(Tmpfs::new("tmpfs", options).unwrap(), false);
            let top = super_block.root().clone();
            let mount = Mount::new(super_block, top.clone(), b"test", MountOptions::empty());
            let path = Path { mount, dentry: top };
            Self { context: FsContext::new(path.clone()), path }
        }

        fn find(&self, name: &str) -> Result<Path, Errno> {
            let caller = Caller { fs: &self.context, credentials: &Credentials::root() };
            caller.resolve(HERE, name.as_bytes(), false)
        }

        fn metadata(&self, name: &str) -> Metadata {
            self.find(name).unwrap().inode().metadata()
        }

        fn contents(&self, name: &str) -> Vec<u8> {
            let caller = Caller { fs: &self.context, credentials: &Credentials::root() };
            let open = caller.open(HERE, name.as_bytes(), &OpenParameters::read_only()).unwrap();
            let mut bytes = [0; 4096];
            let len = open.read(&mut ReadSink::kernel(&mut bytes), IoFlags::empty()).unwrap();
            bytes[..len].to_vec()
        }
    }

    #[test]
    fn every_type_of_file_comes_out_as_it_went_in() {
        let root = Root::new(100);
        let image = Archive(Vec::new())
            .add(".", 0o040_755, 1, 2, b"")
            .add("bin", 0o040_750, 2, 2, b"")
            .add("bin/sh", 0o104_755, 3, 1, b"program")
            .add("sh", 0o120_777, 4, 1, b"bin/sh")
            .add("console", 0o020_600, 5, 1, b"")
            .add("fifo", 0o010_644, 6, 1, b"")
            .add("/missing/file", 0o100_644, 7, 1, b"lost")
            .add("bin/../up", 0o100_644, 8, 1, b"up")
            .end();
        unpack_into(root.path.clone(), &image.0).unwrap();
        assert_eq!(root.contents("/bin/sh"), b"program");
        assert_eq!(root.contents("/sh"), b"program");
        assert_eq!(root.contents("/up"), b"up");
        let program = root.metadata("/bin/sh");
        assert_eq!((program.mode.0, program.uid, program.gid), (0o104_755, 7, 8));
        assert_eq!(program.modified.tv_sec, 1_000_000);
        let directory = root.metadata("/bin");
        assert_eq!((directory.mode.0, directory.modified.tv_sec), (0o040_750, 1_000_000));
        assert_eq!(root.metadata("/console").represents, DeviceNumber::new(5, 1));
        assert_eq!(root.metadata("/fifo").mode.0, 0o010_644);
        let link = root.find("/sh").unwrap();
        assert!(matches!(link.inode().read_link(), Ok(LinkTarget::Text(text)) if *text == *b"bin/sh"));
        assert_eq!(link.inode().metadata().uid, 7);
        assert!(matches!(root.find("/missing"), Err(Errno::ENOENT)));
    }

    #[test]
    fn hard_links_share_the_data_of_the_last_within_one_archive() {
        let root = Root::new(100);
        let image = Archive(Vec::new())
            .add("a", 0o100_755, 9, 3, b"")
            .add("b", 0o100_755, 9, 3, b"")
            .add("c", 0o100_755, 9, 3, b"shared")
            .end()
            .add("other", 0o100_755, 9, 2, b"else")
            .end();
        unpack_into(root.path.clone(), &image.0).unwrap();
        for name in ["/a", "/b", "/c"] {
            assert_eq!(root.contents(name), b"shared");
            assert_eq!(root.metadata(name).link_count, 3);
        }
        assert_eq!(root.contents("/other"), b"else");
        assert_eq!(root.metadata("/other").link_count, 1);
    }

    #[test]
    fn later_entries_replace_earlier_ones_of_another_type() {
        let root = Root::new(100);
        let image = Archive(Vec::new())
            .add("x", 0o120_777, 1, 1, b"nowhere")
            .add("x", 0o040_755, 2, 2, b"")
            .add("x/y", 0o100_644, 3, 1, b"long contents")
            .add("x/y", 0o100_600, 4, 1, b"short")
            .end();
        unpack_into(root.path.clone(), &image.0).unwrap();
        assert_eq!(root.contents("/x/y"), b"short");
        assert_eq!(root.metadata("/x/y").mode.0, 0o100_600);
    }

    #[test]
    fn a_file_without_room_is_named() {
        let root = Root::new(2);
        let image = Archive(Vec::new()).add("big", 0o100_644, 1, 1, &[b'x'; 4 * 4096]).end();
        let error = unpack_into(root.path.clone(), &image.0).unwrap_err();
        assert_eq!(error, initramfs::Error::Sink(StoreError { name: b"big".to_vec(), errno: Errno::ENOSPC }));
    }
}
