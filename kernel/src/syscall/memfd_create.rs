//! memfd_create(2).

use alloc::sync::Arc;

use hal::sync::Once;
use linux_abi::errno::Errno;
use linux_abi::mman::MemfdFlags;
use linux_abi::open::OpenFlags;
use linux_abi::resource::RLIMIT_NOFILE;

use super::{Args, Context, SyscallError};
use crate::fs::tmpfs::{Node, Options, Tmpfs};
use crate::fs::vfs::{NewNode, NodeKind, OpenFile};

/// Bytes of a name, its NUL included (`MFD_NAME_MAX_LEN` and `memfd:` make 255).
const NAME_MAX: usize = 250;

hal::machine_static! {
    /// The file system of these files: without limits and never mounted.
    static FILES: Once<Arc<Tmpfs>> = Once::new();
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
    let mut name = [0; NAME_MAX];
    hal::user::read_cstr(name_in, &mut name)?.ok_or(Errno::EINVAL)?;

    let file_system = match Once::get(&FILES) {
        Some(file_system) => file_system.clone(),
        None => {
            let new = Tmpfs::new("tmpfs", Options::ramfs())?;
            // Another CPU may have been faster; then its one is used.
            let _ = FILES.set(new);
            Once::get(&FILES).cloned().ok_or(Errno::ENOMEM)?
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
    let node = Node::new_memory_file(&file_system, &new, may_be_sealed)?;
    if is_sealed_from_execution {
        node.add_seals(linux_abi::mman::Seals::F_SEAL_EXEC)?;
    }
    let open = OpenFile::anonymous(node.clone(), node, OpenFlags::O_RDWR);
    let files = cx.files();
    let limit = cx.process().limit(RLIMIT_NOFILE);
    let reserved = files.reserve::<1>(flags.contains(MemfdFlags::MFD_CLOEXEC), limit)?;
    let [fd] = reserved.numbers();
    reserved.install([open]);
    Ok(fd as usize)
}
