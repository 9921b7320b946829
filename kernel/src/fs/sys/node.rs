//! The inodes of sysfs: a directory, a text made when read, a symbolic link; and the plan they are made from.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use linux_abi::errno::Errno;
use linux_abi::stat::Mode;

use crate::fs::vfs::anonymous::Attributes;
use crate::fs::vfs::{
    AttributeChanges, DeviceNumber, DirectoryEntry, DirectorySink, FIRST_ENTRY, File, FileType, Inode,
    InodeState, IoFlags, LinkTarget, Metadata, OpenRequest, clock,
};
use crate::uio::{Sink, Source};

/// Bytes of a value that is written; no setting has longer ones.
const MAX_VALUE: usize = 64;
/// Inode number of the root.
const ROOT_NUMBER: u64 = 1;

/// Makes the text of a file.
pub(super) type Show = dyn Fn() -> String + Send + Sync;
/// Takes what is written to a file.
pub(super) type Store = dyn Fn(&[u8]) -> Result<(), Errno> + Send + Sync;

/// What is planned under a name.
enum Plan {
    Directory(Directory),
    Text(Arc<Show>, Option<Arc<Store>>),
    Link(String),
}

/// A directory that is being planned.
#[derive(Default)]
pub(super) struct Directory {
    entries: Vec<(String, Plan)>,
}

impl Directory {
    /// Returns the directory called `path` (names with `/` between), made with those above it where it is missing.
    ///
    /// # Panics
    /// If a name on the way is no directory: the plan is wrong.
    pub(super) fn directory(&mut self, path: &str) -> &mut Self {
        let mut at = self;
        for name in path.split('/') {
            let known = at.entries.iter().position(|entry| entry.0 == name);
            let index = known.unwrap_or_else(|| {
                at.entries.push((name.into(), Plan::Directory(Self::default())));
                at.entries.len() - 1
            });
            let Plan::Directory(next) = &mut at.entries[index].1 else {
                panic!("{name} of {path} is no directory")
            };
            at = next;
        }
        at
    }

    /// Adds a file whose text `show` makes.
    pub(super) fn text(&mut self, name: &str, show: impl Fn() -> String + Send + Sync + 'static) {
        self.entries.push((name.into(), Plan::Text(Arc::new(show), None)));
    }

    /// Adds a file whose text `show` makes, and whose new value `store` takes.
    pub(super) fn setting(
        &mut self,
        name: &str,
        show: impl Fn() -> String + Send + Sync + 'static,
        store: impl Fn(&[u8]) -> Result<(), Errno> + Send + Sync + 'static,
    ) {
        self.entries.push((name.into(), Plan::Text(Arc::new(show), Some(Arc::new(store)))));
    }

    /// Adds a symbolic link.
    pub(super) fn link(&mut self, name: &str, target: String) {
        self.entries.push((name.into(), Plan::Link(target)));
    }

    /// Makes the inodes, on `device`.
    pub(super) fn finish(self, device: DeviceNumber) -> Arc<Node> {
        self.build(device, &mut { ROOT_NUMBER })
    }

    fn build(self, device: DeviceNumber, next_number: &mut u64) -> Arc<Node> {
        let number = take_number(next_number);
        let mut subdirectories = 0;
        let mut entries = Vec::new();
        for (name, plan) in self.entries {
            let node = match plan {
                Plan::Directory(directory) => {
                    subdirectories += 1;
                    directory.build(device, next_number)
                }
                Plan::Text(show, store) => Node::new(
                    device,
                    take_number(next_number),
                    FileType::Regular,
                    if store.is_some() { 0o644 } else { 0o444 },
                    Contents::Text(TextFile { show, store }),
                ),
                Plan::Link(target) => {
                    let target = Contents::Link(target.into_bytes().into());
                    Node::new(device, take_number(next_number), FileType::Symlink, 0o777, target)
                }
            };
            entries.push((name, node));
        }
        let permissions = if number == ROOT_NUMBER { 0o555 } else { 0o755 };
        let node = Node::new(device, number, FileType::Directory, permissions, Contents::Directory(entries));
        node.attributes.with(|metadata| metadata.link_count = 2 + subdirectories);
        node
    }
}

fn take_number(next: &mut u64) -> u64 {
    *next += 1;
    *next - 1
}

/// An inode.
pub(super) struct Node {
    attributes: Attributes,
    contents: Contents,
    state: InodeState,
}

enum Contents {
    Directory(Vec<(String, Arc<Node>)>),
    Text(TextFile),
    Link(Arc<[u8]>),
}

impl Node {
    fn new(
        device: DeviceNumber,
        number: u64,
        file_type: FileType,
        permissions: u32,
        contents: Contents,
    ) -> Arc<Self> {
        let mode = Mode::new(file_type.mode_bits(), permissions);
        let mut metadata = Metadata::new(device, number, mode, clock::now());
        // Linux shows a page for every attribute, however long its text is.
        metadata.size = match &contents {
            Contents::Text(_) => hal::PAGE_SIZE as u64,
            Contents::Directory(_) | Contents::Link(_) => 0,
        };
        Arc::new(Self { attributes: Attributes::new(metadata), contents, state: InodeState::new() })
    }

    fn entries(&self) -> Result<&[(String, Arc<Self>)], Errno> {
        match &self.contents {
            Contents::Directory(entries) => Ok(entries),
            _ => Err(Errno::ENOTDIR),
        }
    }
}

impl Inode for Node {
    fn metadata(&self) -> Metadata {
        self.attributes.get()
    }

    fn state(&self) -> &InodeState {
        &self.state
    }

    fn set_attributes(&self, changes: &AttributeChanges) -> Result<(), Errno> {
        self.attributes.change(changes);
        Ok(())
    }

    fn lookup(&self, name: &[u8]) -> Result<Arc<dyn Inode>, Errno> {
        let found = self.entries()?.iter().find(|entry| entry.0.as_bytes() == name);
        Ok(found.ok_or(Errno::ENOENT)?.1.clone())
    }

    fn read_dir(&self, from: u64, sink: &mut DirectorySink<'_>) -> Result<(), Errno> {
        let start = usize::try_from(from.saturating_sub(FIRST_ENTRY)).unwrap_or(usize::MAX);
        for (index, (name, node)) in self.entries()?.iter().enumerate().skip(start) {
            let metadata = node.metadata();
            let entry = DirectoryEntry {
                name: name.as_bytes(),
                inode_number: metadata.inode_number,
                file_type: FileType::of_mode(metadata.mode).unwrap_or(FileType::Regular),
                next: FIRST_ENTRY + index as u64 + 1,
            };
            if sink(&entry).is_break() {
                break;
            }
        }
        Ok(())
    }

    fn read_link(&self) -> Result<LinkTarget, Errno> {
        match &self.contents {
            Contents::Link(target) => Ok(LinkTarget::Text(target.clone())),
            _ => Err(Errno::EINVAL),
        }
    }

    fn open(self: Arc<Self>, request: &OpenRequest) -> Result<Arc<dyn File>, Errno> {
        match &self.contents {
            // Not even root may write what nothing takes.
            Contents::Text(text) if request.writes() && text.store.is_none() => Err(Errno::EACCES),
            Contents::Text(text) => Ok(Arc::new(text.clone())),
            _ => Err(Errno::ENXIO),
        }
    }
}

/// An open text. Texts are short and change only where the system does, so each read makes its own.
#[derive(Clone)]
struct TextFile {
    show: Arc<Show>,
    store: Option<Arc<Store>>,
}

impl File for TextFile {
    fn read(&self, position: &mut u64, sink: &mut Sink<'_>, _flags: IoFlags) -> Result<usize, Errno> {
        let text = (self.show)();
        let start = usize::try_from(*position).unwrap_or(usize::MAX).min(text.len());
        let end = text.len().min(start.saturating_add(sink.remaining()));
        let done = sink.put(&text.as_bytes()[start..end])?;
        *position += done as u64;
        Ok(done)
    }

    /// A write is a whole value, wherever it is written to.
    fn write(&self, position: &mut u64, source: &mut Source<'_>, _flags: IoFlags) -> Result<usize, Errno> {
        let store = self.store.as_ref().ok_or(Errno::EINVAL)?;
        let mut value = [0; MAX_VALUE];
        let len = source.remaining().min(value.len());
        source.take(&mut value[..len])?;
        store(&value[..len])?;
        *position += len as u64;
        Ok(len)
    }

    fn set_size(&self, _size: u64) -> Result<(), Errno> {
        // A value is no file that could be cut; opening it with O_TRUNC changes nothing.
        Ok(())
    }

    fn size(&self) -> u64 {
        hal::PAGE_SIZE as u64
    }
}
