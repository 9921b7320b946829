//! procfs (proc(5)): the system and its processes as files.
//!
//! Nothing is stored: a directory of a process is made when it is looked up, and the text of a file when it is read.
//!
//! - [`node`]: the three kinds of inodes (text, directory, link) everything here is made of;
//! - [`system`]: files about the system as a whole; [`sysctl`]: `/proc/sys`;
//! - [`process`]: the directory of a process; [`descriptors`]: its `fd` and `fdinfo`;
//! - [`status`]: the long texts about a process (`stat`, `status`, `maps`, ...).

mod descriptors;
mod node;
mod process;
mod root;
mod status;
mod sysctl;
mod system;

pub use root::TYPE;
