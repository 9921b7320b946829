//! `inotify(7)`.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

consts! { u32;
    IN_ACCESS = 0x1, "Read.";
    IN_MODIFY = 0x2, "Written.";
    IN_ATTRIB = 0x4, "Metadata changed.";
    IN_CLOSE_WRITE = 0x8, "Closed after being open for writing.";
    IN_CLOSE_NOWRITE = 0x10, "Closed after being open for reading.";
    IN_OPEN = 0x20, "Opened.";
    IN_MOVED_FROM = 0x40, "An entry left the directory.";
    IN_MOVED_TO = 0x80, "An entry came to the directory.";
    IN_CREATE = 0x100, "An entry was created.";
    IN_DELETE = 0x200, "An entry was removed.";
    IN_DELETE_SELF = 0x400, "The object itself was removed.";
    IN_MOVE_SELF = 0x800, "The object itself was renamed.";
    IN_ALL_EVENTS = 0xfff, "All of the above.";
    IN_UNMOUNT = 0x2000, "The file system was unmounted.";
    IN_Q_OVERFLOW = 0x4000, "Events were lost.";
    IN_IGNORED = 0x8000, "The watch is gone.";
    IN_ONLYDIR = 0x0100_0000, "Watch only a directory.";
    IN_DONT_FOLLOW = 0x0200_0000, "Do not follow the last symbolic link.";
    IN_EXCL_UNLINK = 0x0400_0000, "No events of removed entries.";
    IN_MASK_CREATE = 0x1000_0000, "Fail if a watch exists.";
    IN_MASK_ADD = 0x2000_0000, "Add to an existing watch.";
    IN_ISDIR = 0x4000_0000, "The event is about a directory.";
    IN_ONESHOT = 0x8000_0000, "One event, then no more.";
    IN_CLOEXEC = 0o2000000, "`inotify_init1`: close on exec.";
    IN_NONBLOCK = 0o4000, "`inotify_init1`: do not wait.";
}

/// `struct inotify_event`: before the name, which is filled with zeros to a multiple of 16 bytes.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct InotifyEvent {
    /// Watch.
    pub wd: i32,
    /// `IN_*`.
    pub mask: u32,
    /// Ties the two halves of a rename.
    pub cookie: u32,
    /// Bytes of the name that follows, zeros included.
    pub len: u32,
}

const _: () = assert!(size_of::<InotifyEvent>() == 16);
