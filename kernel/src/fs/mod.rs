//! File systems: the virtual file system that all share, and one folder for each.

pub mod tmpfs;
pub mod vfs;
