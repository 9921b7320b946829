//! The first mount, and what a system finds there before its first program runs.

use alloc::sync::Arc;
use core::fmt;

use hal::sync::Once;
use linux_abi::errno::Errno;

use super::tmpfs::{self, Options, Tmpfs};
use super::vfs::{
    Base, Caller, DeviceNumber, FileSystem, FileSystemType, FsContext, Inode, Mount, MountOptions, NodeKind,
    Path, SuperBlock, Usage, mount, register,
};
use super::{dev, devpts, proc, sys};
use crate::process::credentials::Credentials;

/// The root of all paths.
static ROOT: Once<Path> = Once::new();

/// What `mount(2)` can make.
static TYPES: [&FileSystemType; 6] =
    [&tmpfs::TMPFS, &tmpfs::RAMFS, &proc::TYPE, &dev::devtmpfs::TYPE, &devpts::TYPE, &sys::TYPE];

/// Makes the types of file systems known, mounts an empty root and registers the drivers of character devices.
///
/// # Panics
/// Without memory for a root directory. A second call in one process (tests) keeps the first root.
pub fn init() {
    for known in TYPES {
        register(known);
    }
    ROOT.get_or_init(|| {
        let tree = Tmpfs::new("rootfs", Options::tmpfs()).expect("memory for the root directory");
        let super_block = SuperBlock::new(Arc::new(RootFs(tree)), false);
        let top = super_block.root().clone();
        let path = mount::attach_root(Mount::new(super_block, top, b"rootfs", MountOptions::empty()));
        dev::register_drivers();
        path
    });
}

/// The root directory of the first process.
///
/// # Panics
/// Before [`init`].
pub fn root() -> Path {
    ROOT.get().expect("the root is mounted at boot").clone()
}

/// Makes what programs may expect even of an empty root: `/dev` with the console, and `/root`. What exists stays.
pub fn prepare_root() {
    let context = FsContext::new(root());
    context.set_umask(0);
    let caller = Caller { fs: &context, credentials: &Credentials::root() };
    let console = NodeKind::CharDevice(DeviceNumber::new(5, 1));
    for (name, kind, permissions) in [
        ("/dev", NodeKind::Directory, 0o755),
        ("/dev/console", console, 0o600),
        ("/root", NodeKind::Directory, 0o700),
    ] {
        match caller.make_node(Base::WorkingDirectory, name.as_bytes(), kind, permissions) {
            Ok(_) | Err(Errno::EEXIST) => {}
            Err(errno) => log::warn!("cannot make {name}: {errno}"),
        }
    }
}

/// The root file system: a tmpfs under the name that Linux gives it.
struct RootFs(Arc<Tmpfs>);

impl FileSystem for RootFs {
    fn type_name(&self) -> &'static str {
        "rootfs"
    }

    fn device(&self) -> DeviceNumber {
        self.0.device()
    }

    fn root(&self) -> Arc<dyn Inode> {
        self.0.root()
    }

    fn usage(&self) -> Usage {
        self.0.usage()
    }

    fn write_options(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        self.0.write_options(out)
    }

    fn remount(&self, options: &[u8]) -> Result<(), Errno> {
        self.0.remount(options)
    }
}
