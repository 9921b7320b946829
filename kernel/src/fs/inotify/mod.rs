//! inotify(7): programs are told what happens to files.
//!
//! # Terms
//! - *Group* ([`Group`]): what one inotify_init(2) made: its watches and the events nobody has read yet.
//! - *Watch* ([`Watch`]): the interest of a group in an inode. It keeps the inode, and the inode's state lists it, until
//!   it ends: by inotify_rm_watch(2), with its group, with the file, or with the file system.
//! - *Subject* ([`Subject`]): what an event is about. An event of an entry is told to who watches the inode, and, with
//!   the name of the entry, to who watches its directory.
//!
//! # Cost
//! While nobody watches anything, an operation on a file pays one look at a counter ([`is_in_use`]). Else it looks at
//! the interests that are noted in the state of the inode and of its parent.
//!
//! # Lock order
//! Watches of a group, then watches of an inode, then the events of a group.

mod group;
mod limits;
mod notify;
mod watch;

pub use group::{Group, Inotify};
pub use limits::{MAX_QUEUED_EVENTS, MAX_USER_INSTANCES, max_user_watches, set_max_user_watches};
pub use notify::{
    Subject, entry_event, file_event, is_in_use, next_cookie, removed, unmounted, with_events_of_write,
};
pub use watch::{Watch, WatchList};

#[cfg(test)]
mod tests;
