//! File systems: the virtual file system that all share, one folder for each, and the root they are mounted on.

pub mod dev;
pub mod devpts;
pub mod epoll;
pub mod initramfs;
pub mod inotify;
pub mod proc;
mod root;
pub mod sys;
pub mod timerfd;
pub mod tmpfs;
pub mod vfs;

pub use root::{init, prepare_root, root};
