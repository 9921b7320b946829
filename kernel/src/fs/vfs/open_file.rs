//! Open files ("open file descriptions"): a file, its position, its status flags.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::{Deref, DerefMut};
use core::sync::atomic::{AtomicI32, AtomicU32, AtomicU64, Ordering};

use hal::sync::{Mutex, MutexGuard, SpinLock};
use linux_abi::errno::Errno;
use linux_abi::inotify::{IN_ACCESS, IN_CLOSE_NOWRITE, IN_CLOSE_WRITE};
use linux_abi::open::OpenFlags;
use linux_abi::seek::SEEK_HOLE;

use super::mount::MountOptions;
use super::{Dentry, File, FileType, Inode, IoFlags, Metadata, Path, PollEvents, anonymous};
use crate::fs::inotify;
use crate::lock_order;
use crate::scheduler::wait::PollTable;
use crate::uio::{Sink, Source};

/// What an open file leads back to.
enum Place {
    /// A place in the tree of files.
    Named(Path),
    /// An inode outside of it: a pipe, an eventfd.
    Anonymous(Arc<dyn Inode>),
}

/// How an open file counts in its inode's state.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Claim {
    /// Not at all.
    None,
    /// As one that may write.
    Write,
    /// As a program that must not be written.
    Execute,
}

/// Who is told by a signal that the file is ready (`F_SETOWN`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct SignalOwner {
    /// `F_OWNER_TID`, `F_OWNER_PID` or `F_OWNER_PGRP`.
    pub kind: i32,
    /// The id; 0: nobody.
    pub id: i32,
}

/// A position: changed by one at a time, looked at by anyone.
struct Position {
    holder: Mutex<()>,
    value: AtomicU64,
}

/// The right to change a position. What it has become is stored when this is dropped.
struct HeldPosition<'a> {
    value: u64,
    stored: &'a AtomicU64,
    _held: MutexGuard<'a, ()>,
}

impl Position {
    const fn new() -> Self {
        Self { holder: Mutex::new(lock_order::FILE_POSITION, ()), value: AtomicU64::new(0) }
    }

    #[inline]
    fn hold(&self) -> HeldPosition<'_> {
        let held = self.holder.lock();
        HeldPosition { value: self.value.load(Ordering::Relaxed), stored: &self.value, _held: held }
    }
}

impl Deref for HeldPosition<'_> {
    type Target = u64;

    #[inline]
    fn deref(&self) -> &u64 {
        &self.value
    }
}

impl DerefMut for HeldPosition<'_> {
    #[inline]
    fn deref_mut(&mut self) -> &mut u64 {
        &mut self.value
    }
}

impl Drop for HeldPosition<'_> {
    #[inline]
    fn drop(&mut self) {
        self.stored.store(self.value, Ordering::Relaxed);
    }
}

/// An open file, shared by all descriptors that `dup` and `fork` made of it.
pub struct OpenFile {
    file: Arc<dyn File>,
    place: Place,
    is_readable: bool,
    is_writable: bool,
    is_seekable: bool,
    is_path_only: bool,
    /// What it forbids others.
    claim: Claim,
    flags: AtomicU32,
    position: Position,
    signal_owner: SpinLock<SignalOwner>,
    signal_number: AtomicI32,
}

impl OpenFile {
    /// Opens `file`, which is the inode at `path`. With write access the file counts as written from now on.
    ///
    /// # Errors
    /// `ETXTBSY`: opened for writing while it is being executed.
    pub fn at_path(file: Arc<dyn File>, path: Path, flags: OpenFlags) -> Result<Arc<Self>, Errno> {
        let mut claim = Claim::None;
        if flags.writable() && path.dentry.file_type() == FileType::Regular {
            path.inode().state().begin_writing()?;
            claim = Claim::Write;
        }
        Ok(Arc::new(Self::new(file, Place::Named(path), flags, claim)))
    }

    /// Opens `file`, a program at `path`, to read and execute it: nobody can write it as long as this lives.
    ///
    /// # Errors
    /// `ETXTBSY`: somebody has it open for writing.
    pub fn for_execution(file: Arc<dyn File>, path: Path) -> Result<Arc<Self>, Errno> {
        path.inode().state().begin_executing()?;
        Ok(Arc::new(Self::new(file, Place::Named(path), OpenFlags::O_RDONLY, Claim::Execute)))
    }

    /// Opens `file`, whose attributes are those of `inode`, a node without a name.
    pub fn anonymous(file: Arc<dyn File>, inode: Arc<dyn Inode>, flags: OpenFlags) -> Arc<Self> {
        Arc::new(Self::new(file, Place::Anonymous(inode), flags, Claim::None))
    }

    /// Opens `file`, which is the inode at `path`, in no directory: writing it keeps nobody from executing it.
    pub fn unnamed(file: Arc<dyn File>, path: Path, flags: OpenFlags) -> Arc<Self> {
        Arc::new(Self::new(file, Place::Named(path), flags, Claim::None))
    }

    /// Makes a mere handle on `path` (`O_PATH`).
    pub fn path_only(path: Path, flags: OpenFlags) -> Arc<Self> {
        let file: Arc<dyn File> = path.dentry.clone();
        Arc::new(Self::new(
            file,
            Place::Named(path),
            flags & OpenFlags::WITH_PATH | OpenFlags::O_PATH,
            Claim::None,
        ))
    }

    fn new(file: Arc<dyn File>, place: Place, flags: OpenFlags, claim: Claim) -> Self {
        let is_path_only = flags.contains(OpenFlags::O_PATH);
        Self {
            is_readable: flags.readable() && !is_path_only,
            is_writable: flags.writable() && !is_path_only,
            is_seekable: !is_path_only && file.is_seekable(),
            is_path_only,
            claim,
            flags: AtomicU32::new((flags - OpenFlags::ONLY_AT_OPEN).bits()),
            position: Position::new(),
            signal_owner: SpinLock::new(lock_order::FILE_OWNER, SignalOwner::default()),
            signal_number: AtomicI32::new(0),
            file,
            place,
        }
    }

    /// The file itself.
    #[inline]
    pub fn file(&self) -> &Arc<dyn File> {
        &self.file
    }

    /// The inode whose attributes the file shows.
    pub fn inode(&self) -> &Arc<dyn Inode> {
        match &self.place {
            Place::Named(path) => path.inode(),
            Place::Anonymous(inode) => inode,
        }
    }

    /// The place in the tree of files, if it has one.
    pub fn path(&self) -> Option<&Path> {
        match &self.place {
            Place::Named(path) => Some(path),
            Place::Anonymous(_) => None,
        }
    }

    /// A place from which the file can be opened again: its own, or one outside the tree.
    pub fn place(&self) -> Path {
        match &self.place {
            Place::Named(path) => path.clone(),
            Place::Anonymous(inode) => anonymous::place_of(inode.clone()),
        }
    }

    /// What `/proc/<pid>/fd` shows to a process whose root is `root`.
    ///
    /// # Errors
    /// `ENAMETOOLONG`.
    pub fn display(&self, root: &Path) -> Result<Vec<u8>, Errno> {
        match &self.place {
            Place::Named(path) => path.display(root),
            Place::Anonymous(inode) => Ok(inode.anonymous_name()),
        }
    }

    /// The dentry, for a directory.
    ///
    /// # Errors
    /// `ENOTDIR`.
    pub fn directory(&self) -> Result<&Arc<Dentry>, Errno> {
        self.path().map(|path| &path.dentry).filter(|dentry| dentry.is_directory()).ok_or(Errno::ENOTDIR)
    }

    /// The attributes.
    pub fn metadata(&self) -> Metadata {
        self.inode().metadata()
    }

    /// Status flags and access mode, as `F_GETFL` shows them.
    pub fn flags(&self) -> OpenFlags {
        OpenFlags::from_bits_retain(self.flags.load(Ordering::Relaxed))
    }

    /// Replaces the flags that `F_SETFL` can change by those in `flags`.
    pub fn set_flags(&self, flags: OpenFlags) {
        let settable = OpenFlags::SETTABLE.bits();
        let new = flags.bits() & settable;
        // The closure never refuses, so the update cannot fail.
        let _ =
            self.flags.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |old| Some(old & !settable | new));
    }

    /// Sets or clears one flag (`FIONBIO`, `FIOASYNC`).
    pub fn set_flag(&self, flag: OpenFlags, on: bool) {
        if on {
            self.flags.fetch_or(flag.bits(), Ordering::Relaxed);
        } else {
            self.flags.fetch_and(!flag.bits(), Ordering::Relaxed);
        }
    }

    /// Whether it was opened for reading.
    #[inline]
    pub fn is_readable(&self) -> bool {
        self.is_readable
    }

    /// Whether it was opened for writing.
    #[inline]
    pub fn is_writable(&self) -> bool {
        self.is_writable
    }

    /// Whether it has a position.
    #[inline]
    pub fn is_seekable(&self) -> bool {
        self.is_seekable
    }

    /// Whether it is a mere handle (`O_PATH`), of which nothing can be read.
    #[inline]
    pub fn is_path_only(&self) -> bool {
        self.is_path_only
    }

    /// Whether operations must not wait (`O_NONBLOCK`).
    pub fn is_nonblocking(&self) -> bool {
        self.flags().contains(OpenFlags::O_NONBLOCK)
    }

    /// How reads and writes are done, according to the status flags and the mount.
    #[inline]
    pub fn io_flags(&self) -> IoFlags {
        let flags = self.flags.load(Ordering::Relaxed);
        let mut io = IoFlags::empty();
        const RARE: u32 = OpenFlags::O_NONBLOCK.bits()
            | OpenFlags::O_APPEND.bits()
            | OpenFlags::O_SYNC.bits()
            | OpenFlags::O_DIRECT.bits()
            | OpenFlags::O_NOATIME.bits();
        if flags & RARE != 0 {
            io.set(IoFlags::NONBLOCK, flags & OpenFlags::O_NONBLOCK.bits() != 0);
            io.set(IoFlags::APPEND, flags & OpenFlags::O_APPEND.bits() != 0);
            io.set(IoFlags::SYNC, flags & OpenFlags::O_SYNC.bits() != 0);
            io.set(IoFlags::DIRECT, flags & OpenFlags::O_DIRECT.bits() != 0);
            io.set(IoFlags::NO_ACCESS_TIME, flags & OpenFlags::O_NOATIME.bits() != 0);
        }
        if let Place::Named(path) = &self.place {
            io |= access_time_flags(path);
        }
        io
    }

    /// Reads at the file's position and moves it.
    ///
    /// # Errors
    /// `EBADF`: not open for reading. Else those of [`File::read`].
    #[inline]
    pub fn read(&self, sink: &mut Sink<'_>, extra: IoFlags) -> Result<usize, Errno> {
        self.tell_of_read(self.read_untold(sink, extra))
    }

    /// As [`Self::read`], without telling who watches the file: for calls that tell once, of all they have read.
    ///
    /// # Errors
    /// Those of [`Self::read`].
    #[inline]
    pub fn read_untold(&self, sink: &mut Sink<'_>, extra: IoFlags) -> Result<usize, Errno> {
        if !self.is_readable {
            return Err(Errno::EBADF);
        }
        let flags = self.io_flags() | extra;
        if self.is_seekable {
            self.file.read(&mut self.position.hold(), sink, flags)
        } else {
            self.file.read(&mut 0, sink, flags)
        }
    }

    /// Writes at the file's position, or at the end (`O_APPEND`), and moves the position.
    ///
    /// # Errors
    /// `EBADF`: not open for writing. Else those of [`File::write`].
    #[inline]
    pub fn write(&self, source: &mut Source<'_>, extra: IoFlags) -> Result<usize, Errno> {
        if inotify::is_in_use() {
            return inotify::with_events_of_write(self, &mut || self.write_untold(source, extra));
        }
        self.write_untold(source, extra)
    }

    #[inline]
    fn write_untold(&self, source: &mut Source<'_>, extra: IoFlags) -> Result<usize, Errno> {
        if !self.is_writable {
            return Err(Errno::EBADF);
        }
        let flags = self.io_flags() | extra;
        if self.is_seekable {
            self.file.write(&mut self.position.hold(), source, flags)
        } else {
            self.file.write(&mut 0, source, flags)
        }
    }

    /// Reads at `position`; the file's own position stays.
    ///
    /// # Errors
    /// `EBADF`: not open for reading. `ESPIPE`: a stream. Else those of [`File::read`].
    pub fn read_at(&self, position: u64, sink: &mut Sink<'_>, extra: IoFlags) -> Result<usize, Errno> {
        self.tell_of_read(self.read_at_untold(position, sink, extra))
    }

    /// As [`Self::read_at`], without telling who watches the file.
    ///
    /// # Errors
    /// Those of [`Self::read_at`].
    pub fn read_at_untold(
        &self,
        mut position: u64,
        sink: &mut Sink<'_>,
        extra: IoFlags,
    ) -> Result<usize, Errno> {
        if !self.is_readable {
            return Err(Errno::EBADF);
        }
        if !self.is_seekable {
            return Err(Errno::ESPIPE);
        }
        self.file.read(&mut position, sink, self.io_flags() | extra)
    }

    /// Tells who watches the file that it was read.
    #[inline]
    fn tell_of_read(&self, outcome: Result<usize, Errno>) -> Result<usize, Errno> {
        if inotify::is_in_use() && matches!(outcome, Ok(1..)) {
            inotify::file_event(self, IN_ACCESS);
        }
        outcome
    }

    /// Writes at `position` (or at the end with `O_APPEND`, as Linux does); the file's own position stays.
    ///
    /// # Errors
    /// `EBADF`: not open for writing. `ESPIPE`: a stream. Else those of [`File::write`].
    pub fn write_at(&self, position: u64, source: &mut Source<'_>, extra: IoFlags) -> Result<usize, Errno> {
        if inotify::is_in_use() {
            return inotify::with_events_of_write(self, &mut || {
                self.write_at_untold(position, source, extra)
            });
        }
        self.write_at_untold(position, source, extra)
    }

    #[inline]
    fn write_at_untold(
        &self,
        mut position: u64,
        source: &mut Source<'_>,
        extra: IoFlags,
    ) -> Result<usize, Errno> {
        if !self.is_writable {
            return Err(Errno::EBADF);
        }
        if !self.is_seekable {
            return Err(Errno::ESPIPE);
        }
        self.file.write(&mut position, source, self.io_flags() | extra)
    }

    /// Moves the position (`lseek`) and returns it.
    ///
    /// # Errors
    /// `EINVAL`: no such `whence`. `ESPIPE`: a stream. Else those of [`File::seek`].
    pub fn seek(&self, offset: i64, whence: u32) -> Result<u64, Errno> {
        if self.is_path_only {
            return Err(Errno::EBADF);
        }
        if whence > SEEK_HOLE {
            return Err(Errno::EINVAL);
        }
        if !self.is_seekable {
            return if self.file.ignores_seek() { Ok(0) } else { Err(Errno::ESPIPE) };
        }
        let mut position = self.position.hold();
        *position = self.file.seek(*position, offset, whence)?;
        Ok(*position)
    }

    /// Calls `f` with the position, which nobody else changes meanwhile (directories, sendfile).
    pub fn with_position<R>(&self, f: impl FnOnce(&mut u64) -> R) -> R {
        f(&mut self.position.hold())
    }

    /// The position as the last read, write or seek that ended left it, without waiting for one under way.
    pub fn last_position(&self) -> u64 {
        self.position.value.load(Ordering::Relaxed)
    }

    /// Returns what the file is ready for; see [`File::poll`].
    pub fn poll(&self, table: Option<&mut PollTable>) -> PollEvents {
        if self.is_path_only {
            return PollEvents::empty();
        }
        self.file.poll(table)
    }

    /// Who gets signals about the file.
    pub fn signal_owner(&self) -> SignalOwner {
        *self.signal_owner.lock()
    }

    /// Replaces who gets signals about the file.
    pub fn set_signal_owner(&self, owner: SignalOwner) {
        *self.signal_owner.lock() = owner;
    }

    /// Signal sent instead of `SIGIO`; 0: `SIGIO`.
    pub fn signal_number(&self) -> i32 {
        self.signal_number.load(Ordering::Relaxed)
    }

    /// Replaces the signal sent instead of `SIGIO`.
    pub fn set_signal_number(&self, number: i32) {
        self.signal_number.store(number, Ordering::Relaxed);
    }
}

/// Returns what the mount of `path` says about access times.
#[inline]
fn access_time_flags(path: &Path) -> IoFlags {
    let options = path.mount.options();
    if options.contains(MountOptions::RELATIVE_ACCESS_TIME) {
        return IoFlags::RELATIVE_ACCESS_TIME | read_only_flags(path, options);
    }
    let off = options.contains(MountOptions::NO_ACCESS_TIME)
        || (options.contains(MountOptions::NO_DIRECTORY_ACCESS_TIME) && path.dentry.is_directory());
    if off { IoFlags::NO_ACCESS_TIME } else { read_only_flags(path, options) }
}

#[inline]
fn read_only_flags(path: &Path, options: MountOptions) -> IoFlags {
    if options.contains(MountOptions::READ_ONLY) || path.mount.super_block().is_read_only() {
        IoFlags::NO_ACCESS_TIME
    } else {
        IoFlags::empty()
    }
}

impl Drop for OpenFile {
    fn drop(&mut self) {
        inotify::file_event(self, if self.is_writable { IN_CLOSE_WRITE } else { IN_CLOSE_NOWRITE });
        match self.claim {
            Claim::None => {}
            Claim::Write => self.inode().state().end_writing(),
            Claim::Execute => self.inode().state().end_executing(),
        }
        if let Some(locks) = self.inode().state().existing_locks() {
            locks.release_open_file(core::ptr::from_ref(self).addr());
        }
    }
}
