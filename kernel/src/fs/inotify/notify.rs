//! What the virtual file system tells: the events, from where they happen to who watches.
//!
//! The masks, and which of file and directory hear of what, are those of Linux (`fsnotify`).

use alloc::sync::Arc;
use core::sync::atomic::{AtomicU32, AtomicUsize, Ordering::Relaxed};

use linux_abi::errno::Errno;
use linux_abi::inotify::*;

use super::group;
use crate::fs::vfs::name::Name;
use crate::fs::vfs::{Dentry, Inode, OpenFile};

hal::machine_static! {
    /// Watches there are.
    pub(super) static WATCHES: AtomicUsize = AtomicUsize::new(0);
}

/// Whether anything is watched at all. All that follows is for when it is.
#[inline]
pub fn is_in_use() -> bool {
    WATCHES.load(Relaxed) != 0
}

/// What an event is about.
#[derive(Clone, Copy)]
pub enum Subject<'a> {
    /// An entry: its directory hears of it too.
    Entry(&'a Arc<Dentry>),
    /// A file alone.
    Inode(&'a Arc<dyn Inode>),
}

impl<'a> Subject<'a> {
    /// The file behind `open`.
    pub fn of(open: &'a OpenFile) -> Self {
        match open.path() {
            Some(path) => Self::Entry(&path.dentry),
            None => Self::Inode(open.inode()),
        }
    }

    /// The inode.
    pub fn inode(self) -> &'a Arc<dyn Inode> {
        match self {
            Self::Entry(dentry) => dentry.inode(),
            Self::Inode(inode) => inode,
        }
    }

    /// Tells of `event` (`IN_*`).
    #[inline]
    pub fn tell(self, event: u32) {
        if is_in_use() {
            self.tell_all(event, false);
        }
    }

    #[cold]
    fn tell_all(self, event: u32, through_file: bool) {
        let (mut event, mut is_unlinked) = (event, false);
        if let Self::Entry(dentry) = self {
            if dentry.is_directory() {
                event |= IN_ISDIR;
            }
            is_unlinked = through_file && dentry.is_removed();
            let watched = dentry.with_link(|parent, name| {
                let parent = parent.filter(|parent| parent.inode().state().is_watched_for(event))?;
                Some((parent.clone(), Name::from_slice(name)))
            });
            if let Some((parent, name)) = watched {
                parent.inode().state().tell_watches(event, 0, &name, is_unlinked);
            }
        } else if self.inode().ownership().mode.is_directory() {
            event |= IN_ISDIR;
        }
        let state = self.inode().state();
        if state.is_watched_for(event) {
            state.tell_watches(event, 0, b"", is_unlinked);
        }
    }
}

/// Tells that `event` happened to the file behind `open`, through it.
#[inline]
pub fn file_event(open: &OpenFile, event: u32) {
    if is_in_use() && !open.is_path_only() {
        Subject::of(open).tell_all(event, true);
    }
}

/// Makes the write `write` to `open` and tells what came of it: that the file has changed, and that it lost set-id bits.
#[cold]
pub fn with_events_of_write(
    open: &OpenFile,
    write: &mut dyn FnMut() -> Result<usize, Errno>,
) -> Result<usize, Errno> {
    let mode = open.inode().ownership().mode;
    let outcome = write();
    if open.inode().ownership().mode != mode {
        Subject::of(open).tell(IN_ATTRIB);
    }
    if matches!(outcome, Ok(1..)) {
        file_event(open, IN_MODIFY);
    }
    outcome
}

/// Tells who watches `directory` that `event` happened to its entry `name`, which is or was one of a directory or not.
pub fn entry_event(directory: &Dentry, name: &[u8], is_directory: bool, event: u32, cookie: u32) {
    if is_in_use() && directory.inode().state().is_watched_for(event) {
        let kind = if is_directory { IN_ISDIR } else { 0 };
        directory.inode().state().tell_watches(event | kind, cookie, name, false);
    }
}

/// A number that ties the two halves of a rename together.
pub fn next_cookie() -> u32 {
    hal::machine_static! {
        static LAST: AtomicU32 = AtomicU32::new(0);
    }
    LAST.fetch_add(1, Relaxed).wrapping_add(1)
}

/// Tells that the last name of `inode` is gone and nobody uses it any more: its watches end.
pub fn removed(inode: &Arc<dyn Inode>) {
    let state = inode.state();
    if state.is_watched_for(IN_DELETE_SELF) {
        state.tell_watches(IN_DELETE_SELF, 0, b"", false);
    }
    state.end_watches();
}

/// Tells that the file system whose super block was at this address is gone.
#[cold]
pub fn unmounted(super_block: usize) {
    group::end_watches_of(super_block);
}
