//! memfd_create(2).

use alloc::sync::Arc;

use hal::sync::Once;
use linux_abi::errno::Errno;
use linux_abi::mman::MemfdFlags;
use linux_abi::open::OpenFlags;
use linux_abi::resource::RLIMIT_NOFILE;

use super::{Args, Context, SyscallError};
use crate::fs::tmpfs::{Node, Options, Tmpfs};
use crate::fs::vfs::{Dentry, Mount, MountOptions, NewNode, NodeKind, OpenFile, Path, SuperBlock};

/// Bytes of a name, its NUL included (`MFD_NAME_MAX_LEN` and `memfd:` make 255).
const NAME_MAX: usize = 250;

/// What `/proc` shows before the name.
const PREFIX: &[u8] = b"memfd:";

hal::machine_static! {
    /// The file system of these files: without limits and never mounted.
    static FILES: Once<(Arc<Tmpfs>, Arc<Mount>)> = Once::new();
}

/// memfd_create(2): makes a file in memory and opens it for reading and writing.
///
/// # Errors
/// - `EINVAL`: an unknown flag, huge pages, or a name of more than 249 bytes.
/// - `EFAULT`: the name cannot be read. `EMFILE`: no descriptor left. `ENOMEM`.
pub(super) fn memfd_create(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let name_in = args.addr(0);
    let flags = MemfdFlags::from_bits(args.uint(1)).ok_or(Errno::EINVAL)?;
    if flags.contains(MemfdFlags::MFD_HUGETLB)
        || flags.contains(MemfdFlags::MFD_EXEC | MemfdFlags::MFD_NOEXEC_SEAL)
    {
        return Err(Errno::EINVAL);
    }
    let mut name = [0; PREFIX.len() + NAME_MAX];
    name[..PREFIX.len()].copy_from_slice(PREFIX);
    let len = hal::user::read_cstr(name_in, &mut name[PREFIX.len()..])?.ok_or(Errno::EINVAL)?;
    let name = &name[..PREFIX.len() + len];

    let (file_system, mount) = match Once::get(&FILES) {
        Some(files) => files,
        None => {
            let new = Tmpfs::new("tmpfs", Options::ramfs())?;
            let super_block = SuperBlock::new(new.clone(), false);
            let root = super_block.root().clone();
            let mount = Mount::new(super_block, root, b"tmpfs", MountOptions::empty());
            // Another CPU may have been faster; then its one is used.
            let _ = FILES.set((new, mount));
            Once::get(&FILES).ok_or(Errno::ENOMEM)?
        }
    };
    let owner = cx.credentials();
    let is_sealed_from_execution = flags.contains(MemfdFlags::MFD_NOEXEC_SEAL);
    let new = NewNode {
        kind: NodeKind::Regular,
        permissions: if is_sealed_from_execution { 0o666 } else { 0o777 },
        uid: owner.uid.fs,
        gid: owner.gid.fs,
    };
    let may_be_sealed = flags.contains(MemfdFlags::MFD_ALLOW_SEALING) || is_sealed_from_execution;
    let node = Node::new_memory_file(file_system, &new, may_be_sealed)?;
    if is_sealed_from_execution {
        node.add_seals(linux_abi::mman::Seals::F_SEAL_EXEC)?;
    }
    let dentry = Dentry::new_unnamed(node.clone(), mount.root(), name);
    let open = OpenFile::unnamed(node, Path { mount: mount.clone(), dentry }, OpenFlags::O_RDWR);
    let files = cx.files();
    let limit = cx.process().limit(RLIMIT_NOFILE);
    let reserved = files.reserve::<1>(flags.contains(MemfdFlags::MFD_CLOEXEC), limit)?;
    let [fd] = reserved.numbers();
    reserved.install([open]);
    Ok(fd as usize)
}
