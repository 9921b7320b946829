//! The root of procfs: files about the system, and a directory for each process.

use alloc::sync::Arc;

use hal::sync::Once;
use linux_abi::errno::Errno;
use linux_abi::statfs::PROC_SUPER_MAGIC;

use super::node::{self, Common, Directory, ROOT_NUMBER, Topic};
use super::process::{self, Subject, parse_id, report_ids};
use super::system::{self, System};
use crate::fs::vfs::{
    DirectorySink, FIRST_ENTRY, FileSystem, FileSystemType, FileType, Inode, InodeState, Metadata,
    MountRequest, new_anonymous_device, pseudo_file_system,
};
use crate::process::{Pid, tree};

/// The type `mount -t proc` names.
pub static TYPE: FileSystemType = FileSystemType { name: "proc", needs_no_device: true, mount };

/// There is one procfs, however often it is mounted.
static PROC: Once<Arc<dyn FileSystem>> = Once::new();

fn mount(_request: &MountRequest<'_>) -> Result<Arc<dyn FileSystem>, Errno> {
    let make = || {
        let device = node::device_or(new_anonymous_device);
        pseudo_file_system(TYPE.name, PROC_SUPER_MAGIC, device, Arc::new(Root::new()))
    };
    Ok(PROC.get_or_init(make).clone())
}

/// The root directory.
struct Root {
    common: Common,
    system: Arc<Directory<System>>,
}

impl Root {
    fn new() -> Self {
        let common = || Common::new(ROOT_NUMBER, FileType::Directory, 0o555, System.owner());
        Self { common: common(), system: Directory::new(common(), System, &system::ENTRIES) }
    }

    /// Positions of processes come after those of the system's files.
    fn first_process_position(&self) -> u64 {
        FIRST_ENTRY + self.system.len() as u64
    }
}

impl Inode for Root {
    fn metadata(&self) -> Metadata {
        let mut metadata = self.common.metadata();
        metadata.link_count = self.system.metadata().link_count + tree::lock().iter_nodes().count() as u32;
        metadata
    }

    fn state(&self) -> &InodeState {
        self.common.state()
    }

    fn lookup(&self, name: &[u8]) -> Result<Arc<dyn Inode>, Errno> {
        if let Some(pid) = parse_id(name) {
            let subject = Subject::process(pid).ok_or(Errno::ENOENT)?;
            return Ok(process::directory(subject));
        }
        self.system.find(name).ok_or(Errno::ENOENT)
    }

    fn read_dir(&self, from: u64, sink: &mut DirectorySink<'_>) -> Result<(), Errno> {
        if self.system.report(from, sink).is_break() {
            return Ok(());
        }
        let base = self.first_process_position();
        // The position of an entry is that of the first with its id added.
        let first = Pid::try_from(from.saturating_sub(base)).unwrap_or(Pid::MAX);
        let next = |last: Pid| tree::next_process(last).map(|process| process.pid);
        let pids = core::iter::successors(next(first.saturating_sub(1)), |&last| next(last));
        // Whether the reader wants more does not matter at the end of the directory.
        let _ = report_ids(pids, from, base, false, sink);
        Ok(())
    }

    fn is_volatile(&self) -> bool {
        true
    }

    fn is_closed(&self) -> bool {
        true
    }
}
