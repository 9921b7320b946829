//! Inodes of a file system in memory.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::any::Any;

use hal::PAGE_SIZE;
use hal::sync::{Mutex, SpinLock};
use linux_abi::errno::Errno;
use linux_abi::mman::Seals;

use super::directory::{Directory, Entry};
use super::super_block::Shared;
use super::xattr::ExtendedAttributes;
use crate::fs::vfs::anonymous::Attributes;
use crate::fs::vfs::{
    AttributeChanges, DirectoryEntry, DirectorySink, File, FileType, Inode, InodeState, LinkTarget, Metadata,
    NewNode, NodeKind, OpenRequest, Ownership, RenameMode, clock,
};
use crate::lock_order;
use crate::memory::page_cache::PageCache;
use crate::memory::reserve;

/// What Linux lets an entry add to the size of its directory.
const ENTRY_SIZE: u64 = 20;
/// Symbolic links from this length on take a page.
const LONG_LINK: usize = 128;
/// Kernel memory that a node and its name take, roughly, bytes.
const NODE_COST: usize = 1024;

/// An inode.
pub struct Node {
    pub(super) shared: Arc<Shared>,
    /// Size, block count and, for directories, link count are computed: those here do not count.
    pub(super) attributes: Attributes,
    pub(super) contents: Contents,
    extended: SpinLock<ExtendedAttributes>,
    state: InodeState,
}

/// What is in a node.
pub(super) enum Contents {
    Regular(Regular),
    /// Apart, for it is larger than all others and there are fewer.
    Directory(Box<SpinLock<Directory>>),
    Symlink(Arc<[u8]>),
    /// A device, FIFO or socket: nothing here.
    Special,
}

/// The contents of a regular file.
pub(super) struct Regular {
    pub(super) pages: Arc<PageCache>,
    /// Held by a writer. What may no longer be done to the file.
    pub(super) writing: Mutex<Seals>,
}

impl Node {
    /// Makes a node that is in no directory yet.
    pub(super) fn new(shared: &Arc<Shared>, new: &NewNode<'_>) -> Result<Arc<Self>, Errno> {
        reserve::check(NODE_COST)?;
        shared.take_inode()?;
        let contents = match new_contents(shared, new) {
            Ok(contents) => contents,
            Err(error) => {
                shared.give_back_inode();
                return Err(error);
            }
        };
        let now = clock::now();
        let mut metadata = Metadata::new(shared.device(), shared.new_number(), new.mode(), now);
        (metadata.uid, metadata.gid) = (new.uid, new.gid);
        metadata.created = Some(now);
        match new.kind {
            NodeKind::CharDevice(number) | NodeKind::BlockDevice(number) => metadata.represents = number,
            NodeKind::Directory => metadata.link_count = 2,
            _ => {}
        }
        Ok(Arc::new(Self {
            shared: shared.clone(),
            attributes: Attributes::new(metadata),
            contents,
            extended: SpinLock::new(lock_order::EXTENDED_ATTRIBUTES, ExtendedAttributes::new()),
            state: InodeState::new(),
        }))
    }

    fn directory(&self) -> Result<&SpinLock<Directory>, Errno> {
        match &self.contents {
            Contents::Directory(directory) => Ok(directory),
            _ => Err(Errno::ENOTDIR),
        }
    }

    /// Notes that an entry came or went, `links` more directories being below.
    fn changed_entries(&self, links: i32) {
        let now = clock::now();
        self.attributes.with(|metadata| {
            metadata.modified = now;
            metadata.changed = now;
            metadata.link_count = metadata.link_count.saturating_add_signed(links);
        });
    }

    /// Notes that a name of this node came or went.
    fn changed_names(&self, links: i32) {
        let now = clock::now();
        self.attributes.with(|metadata| {
            metadata.changed = now;
            metadata.link_count = metadata.link_count.saturating_add_signed(links);
        });
    }

    fn is_directory(&self) -> bool {
        matches!(self.contents, Contents::Directory(_))
    }

    /// Notes that this node lost a name in `parent` for good.
    fn lost_name(&self, parent: &Self) {
        if self.is_directory() {
            // Its own `.` goes too.
            self.changed_names(-2);
            parent.changed_entries(-1);
        } else {
            if self.attributes.with(|metadata| metadata.link_count) > 1 {
                self.shared.give_back_inode();
            }
            self.changed_names(-1);
            parent.changed_entries(0);
        }
    }
}

fn new_contents(shared: &Arc<Shared>, new: &NewNode<'_>) -> Result<Contents, Errno> {
    Ok(match new.kind {
        NodeKind::Regular => Contents::Regular(Regular {
            pages: Arc::new(PageCache::new(Some(shared.page_account()))),
            writing: Mutex::new(lock_order::FILE_CONTENTS, Seals::F_SEAL_SEAL),
        }),
        NodeKind::Directory => {
            Contents::Directory(Box::new(SpinLock::new(lock_order::TMPFS_DIRECTORY, Directory::new())))
        }
        NodeKind::Symlink(text) => {
            if text.len() + 1 > LONG_LINK {
                shared.take_pages(1)?;
            }
            Contents::Symlink(text.into())
        }
        NodeKind::Fifo | NodeKind::Socket | NodeKind::CharDevice(_) | NodeKind::BlockDevice(_) => {
            Contents::Special
        }
    })
}

/// Returns `inode`, which must be of this kind of file system.
///
/// # Errors
/// `EXDEV`: it is not.
fn own(inode: &Arc<dyn Inode>) -> Result<Arc<Node>, Errno> {
    let any: Arc<dyn Any + Send + Sync> = inode.clone();
    any.downcast::<Node>().map_err(|_| Errno::EXDEV)
}

impl Inode for Node {
    fn metadata(&self) -> Metadata {
        let mut metadata = self.attributes.get();
        match &self.contents {
            Contents::Regular(regular) => {
                metadata.size = regular.pages.size();
                metadata.blocks = regular.pages.page_count() as u64 * (PAGE_SIZE as u64 / 512);
            }
            Contents::Directory(directory) => {
                metadata.size = (2 + directory.lock().len() as u64) * ENTRY_SIZE
            }
            Contents::Symlink(text) => {
                metadata.size = text.len() as u64;
                metadata.blocks = if text.len() + 1 > LONG_LINK { PAGE_SIZE as u64 / 512 } else { 0 };
            }
            Contents::Special => {}
        }
        metadata
    }

    #[inline]
    fn ownership(&self) -> Ownership {
        self.attributes.with(|metadata| metadata.ownership())
    }

    fn state(&self) -> &InodeState {
        &self.state
    }

    fn set_attributes(&self, changes: &AttributeChanges) -> Result<(), Errno> {
        self.attributes.change(changes);
        Ok(())
    }

    fn lookup(&self, name: &[u8]) -> Result<Arc<dyn Inode>, Errno> {
        let directory = self.directory()?.lock();
        let node = directory.get(name).ok_or(Errno::ENOENT)?.clone();
        Ok(node)
    }

    fn read_dir(&self, from: u64, sink: &mut DirectorySink<'_>) -> Result<(), Errno> {
        let directory = self.directory()?.lock();
        for (position, Entry { name, node }) in directory.entries_from(from) {
            let (inode_number, mode) =
                node.attributes.with(|metadata| (metadata.inode_number, metadata.mode));
            let file_type = FileType::of_mode(mode).unwrap_or(FileType::Regular);
            if sink(&DirectoryEntry { name, inode_number, file_type, next: position + 1 }).is_break() {
                break;
            }
        }
        Ok(())
    }

    fn create(&self, name: &[u8], new: &NewNode<'_>) -> Result<Arc<dyn Inode>, Errno> {
        let directory = self.directory()?;
        directory.lock().make_room()?;
        let node = Self::new(&self.shared, new)?;
        directory.lock().insert(name, node.clone());
        self.changed_entries(i32::from(node.is_directory()));
        Ok(node)
    }

    fn create_unnamed(&self, new: &NewNode<'_>) -> Result<Arc<dyn Inode>, Errno> {
        self.directory()?;
        let node = Self::new(&self.shared, new)?;
        node.attributes.with(|metadata| metadata.link_count = 0);
        Ok(node)
    }

    fn link(&self, name: &[u8], target: &Arc<dyn Inode>) -> Result<(), Errno> {
        let node = own(target)?;
        if !Arc::ptr_eq(&node.shared, &self.shared) {
            return Err(Errno::EXDEV);
        }
        let links = node.attributes.with(|metadata| metadata.link_count);
        if links == u32::MAX {
            return Err(Errno::EMLINK);
        }
        reserve::check(NODE_COST)?;
        self.directory()?.lock().make_room()?;
        // A name of its own costs as much as an inode; the first name of an unnamed file is already paid for.
        if links != 0 {
            self.shared.take_inode()?;
        }
        self.directory()?.lock().insert(name, node.clone());
        node.changed_names(1);
        self.changed_entries(0);
        Ok(())
    }

    fn unlink(&self, name: &[u8], _: &Arc<dyn Inode>) -> Result<(), Errno> {
        let node = self.directory()?.lock().remove(name).ok_or(Errno::ENOENT)?;
        node.lost_name(self);
        Ok(())
    }

    fn rmdir(&self, name: &[u8], target: &Arc<dyn Inode>) -> Result<(), Errno> {
        if !own(target)?.directory()?.lock().is_empty() {
            return Err(Errno::ENOTEMPTY);
        }
        self.unlink(name, target)
    }

    fn rename(
        &self,
        name: &[u8],
        source: &Arc<dyn Inode>,
        new_directory: &Arc<dyn Inode>,
        new_name: &[u8],
        existing: Option<&Arc<dyn Inode>>,
        mode: RenameMode,
    ) -> Result<(), Errno> {
        let (source, target) = (own(source)?, own(new_directory)?);
        let existing = existing.map(own).transpose()?;
        let (from, to) = (self.directory()?, target.directory()?);
        let moves_directory = source.is_directory();
        if let (RenameMode::Exchange, Some(existing)) = (mode, &existing) {
            from.lock().insert(name, existing.clone());
            to.lock().insert(new_name, source.clone());
            let links = i32::from(existing.is_directory()) - i32::from(moves_directory);
            self.changed_entries(links);
            target.changed_entries(-links);
            source.changed_names(0);
            existing.changed_names(0);
            return Ok(());
        }
        if let Some(existing) = existing.as_ref().filter(|existing| existing.is_directory())
            && !existing.directory()?.lock().is_empty()
        {
            return Err(Errno::ENOTEMPTY);
        }
        to.lock().make_room()?;
        from.lock().remove(name);
        let replaced = to.lock().insert(new_name, source.clone());
        if let Some(replaced) = replaced {
            replaced.lost_name(&target);
        }
        self.changed_entries(-i32::from(moves_directory));
        target.changed_entries(i32::from(moves_directory));
        source.changed_names(0);
        Ok(())
    }

    fn read_link(&self) -> Result<LinkTarget, Errno> {
        match &self.contents {
            Contents::Symlink(text) => Ok(LinkTarget::Text(text.clone())),
            _ => Err(Errno::EINVAL),
        }
    }

    fn open(self: Arc<Self>, _: &OpenRequest) -> Result<Arc<dyn File>, Errno> {
        match self.contents {
            Contents::Regular(_) => Ok(self),
            _ => Err(Errno::ENXIO),
        }
    }

    fn extended_attribute(&self, name: &[u8]) -> Result<Box<[u8]>, Errno> {
        self.extended.lock().get(name)
    }

    fn set_extended_attribute(&self, name: &[u8], value: Option<&[u8]>, flags: u32) -> Result<(), Errno> {
        self.extended.lock().set(name, value, flags)?;
        self.changed_names(0);
        Ok(())
    }

    fn for_each_extended_attribute(&self, each: &mut dyn FnMut(&[u8])) {
        self.extended.lock().names().for_each(each);
    }
}

impl Node {
    /// Makes a regular file that is in no directory and has no file system of its own to be seen (memfd_create). Only
    /// with `may_be_sealed` can seals be added.
    ///
    /// # Errors
    /// `ENOSPC`, `ENOMEM`.
    pub fn new_memory_file(
        file_system: &super::Tmpfs,
        new: &NewNode<'_>,
        may_be_sealed: bool,
    ) -> Result<Arc<Self>, Errno> {
        let node = file_system.new_node(new)?;
        node.attributes.with(|metadata| metadata.link_count = 0);
        if let (true, Contents::Regular(regular)) = (may_be_sealed, &node.contents) {
            *regular.writing.lock() = Seals::empty();
        }
        Ok(node)
    }

    /// Seals of a file, `F_SEAL_*`.
    ///
    /// # Errors
    /// `EINVAL`: no regular file.
    pub fn seals(&self) -> Result<Seals, Errno> {
        Ok(*self.regular()?.writing.lock())
    }

    /// Adds seals.
    ///
    /// # Errors
    /// `EPERM`: no more can be added. `EBUSY`: the file is mapped for writing. `EINVAL`: no regular file.
    pub fn add_seals(&self, seals: Seals) -> Result<(), Errno> {
        let regular = self.regular()?;
        let mut held = regular.writing.lock();
        if held.contains(Seals::F_SEAL_SEAL) {
            return Err(Errno::EPERM);
        }
        if (seals - *held).contains(Seals::F_SEAL_WRITE) {
            regular.pages.deny_shared_mappings()?;
        }
        if seals.intersects(Seals::F_SEAL_WRITE | Seals::F_SEAL_FUTURE_WRITE) {
            regular.pages.forbid_stores();
        }
        *held |= seals;
        Ok(())
    }

    pub(super) fn regular(&self) -> Result<&Regular, Errno> {
        match &self.contents {
            Contents::Regular(regular) => Ok(regular),
            _ => Err(Errno::EINVAL),
        }
    }
}

impl Drop for Node {
    /// Gives back what the node took. The nodes below a directory, which is only possible when its whole file system
    /// goes away, are let go of one by one: a deep tree must not become a deep recursion.
    fn drop(&mut self) {
        let mut below: Vec<Arc<Self>> = Vec::new();
        if let Contents::Directory(directory) = &mut self.contents {
            below.extend(directory.get_mut().drain());
        }
        while let Some(node) = below.pop() {
            if let Some(mut node) = Arc::into_inner(node)
                && let Contents::Directory(directory) = &mut node.contents
            {
                below.extend(directory.get_mut().drain());
            }
        }
        if let Contents::Symlink(text) = &self.contents
            && text.len() + 1 > LONG_LINK
        {
            self.shared.give_back_pages(1);
        }
        self.shared.give_back_inode();
    }
}
