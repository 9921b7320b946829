//! procfs (proc(5)): the system and its processes as files.
//!
//! Nothing is stored: a directory of a process is made when it is looked up, and the text of a file when it is read.
//!
//! - [`node`]: tables of entries, and the directories and links that show them;
//! - [`mod@file`]: files whose text is made when it is read;
//! - [`root`]: the root directory; [`system`], [`interrupts`]: its files about the system as a whole; [`sysctl`]: `/proc/sys`; [`exo`]:
//!   `/proc/exo`;
//! - [`process`]: the directory of a process; [`descriptors`]: its `fd` and `fdinfo`;
//! - [`stat`], [`status`]: texts about a process; [`memory`], [`mappings`]: what shows its memory.

mod descriptors;
mod exo;
mod file;
mod interrupts;
mod mappings;
mod memory;
mod node;
mod process;
mod root;
mod stat;
mod status;
mod sysctl;
mod system;
mod trace;

pub use root::TYPE;
