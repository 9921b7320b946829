//! The inode of a socket: what `fstat` and `/proc/PID/fd` see.

use alloc::format;
use alloc::vec::Vec;

use linux_abi::stat::{Mode, S_IFSOCK};

use crate::fs::vfs::anonymous::{self, Attributes};
use crate::fs::vfs::{InodeState, Metadata, clock};

/// The inode part of a socket. What embeds it implements [`Inode`](crate::fs::vfs::Inode) with it.
pub(super) struct SocketNode {
    number: u64,
    pub(super) attributes: Attributes,
    pub(super) state: InodeState,
}

impl SocketNode {
    /// Makes a node that `uid` and `gid` own, with all permissions, as Linux has it.
    pub(super) fn new(uid: u32, gid: u32) -> Self {
        let number = anonymous::new_inode_number();
        let mode = Mode::new(S_IFSOCK, 0o777);
        let mut metadata = Metadata::new(anonymous::device(), number, mode, clock::now());
        (metadata.uid, metadata.gid) = (uid, gid);
        Self { number, attributes: Attributes::new(metadata), state: InodeState::new() }
    }

    /// The inode number, which no other socket ever has.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// What `/proc/PID/fd` shows.
    pub(super) fn name(&self) -> Vec<u8> {
        format!("socket:[{}]", self.number).into_bytes()
    }
}
