//! Control messages: what sendmsg(2) takes and recvmsg(2) gives beside bytes (cmsg(3)).

use alloc::sync::Arc;
use alloc::vec::Vec;

use linux_abi::cap::{CAP_SETGID, CAP_SETUID, CAP_SYS_ADMIN};
use linux_abi::errno::Errno;
use linux_abi::resource::RLIMIT_NOFILE;
use linux_abi::socket::{
    Cmsghdr, MSG_CMSG_CLOEXEC, MSG_CTRUNC, SCM_CREDENTIALS, SCM_MAX_FD, SCM_RIGHTS, SOL_SOCKET, Ucred,
    cmsg_align,
};
use zerocopy::{FromBytes, IntoBytes};

use super::Context;
use crate::fs::vfs::OpenFile;
use crate::net::Incoming;
use crate::process::tree;

/// Bytes of control messages in one call, at most (`net.core.optmem_max`).
const MAX_LEN: usize = 20_480;
/// Bytes before the data of a message.
const HEADER: usize = size_of::<Cmsghdr>();
/// Bytes of a descriptor.
const FD: usize = size_of::<i32>();

/// What was read from control messages.
#[derive(Default)]
pub(super) struct Control {
    pub(super) credentials: Option<Ucred>,
    pub(super) rights: Vec<Arc<OpenFile>>,
}

/// Reads the `len` bytes of control messages at `addr`.
///
/// # Errors
/// - `ENOBUFS`: too long.
/// - `EINVAL`: a length that does not fit, an unknown type, too many descriptors.
/// - `EBADF`: no such descriptor. `EPERM`, `ESRCH`: credentials that are not the caller's. `EFAULT`.
pub(super) fn read(cx: &Context, addr: usize, len: u64) -> Result<Control, Errno> {
    let mut control = Control::default();
    if len == 0 {
        return Ok(control);
    }
    let len = usize::try_from(len).ok().filter(|&len| len < MAX_LEN).ok_or(Errno::ENOBUFS)?;
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(len).map_err(|_| Errno::ENOBUFS)?;
    bytes.resize(len, 0);
    hal::user::copy_in(&mut bytes, addr)?;

    let mut rest = bytes.as_slice();
    while let Ok((header, after)) = Cmsghdr::read_from_prefix(rest) {
        let len = usize::try_from(header.cmsg_len).map_err(|_| Errno::EINVAL)?;
        if len < HEADER || len > rest.len() {
            return Err(Errno::EINVAL);
        }
        let data = &after[..len - HEADER];
        if header.cmsg_level == SOL_SOCKET {
            match header.cmsg_type {
                SCM_RIGHTS => add_rights(cx, data, &mut control.rights)?,
                SCM_CREDENTIALS => control.credentials = Some(claim(cx, data)?),
                _ => return Err(Errno::EINVAL),
            }
        }
        rest = cmsg_align(len).and_then(|step| rest.get(step..)).unwrap_or_default();
    }
    Ok(control)
}

fn add_rights(cx: &Context, data: &[u8], rights: &mut Vec<Arc<OpenFile>>) -> Result<(), Errno> {
    let count = data.len() / FD;
    if rights.len() + count > SCM_MAX_FD as usize {
        return Err(Errno::EINVAL);
    }
    rights.try_reserve(count).map_err(|_| Errno::ENOMEM)?;
    let files = cx.files();
    let (numbers, _) = data.as_chunks::<FD>();
    for &number in numbers {
        rights.push(files.get_any(i32::from_ne_bytes(number))?);
    }
    Ok(())
}

/// Checks credentials that a program wants to go with a message.
fn claim(cx: &Context, data: &[u8]) -> Result<Ucred, Errno> {
    let claim = Ucred::read_from_bytes(data).map_err(|_| Errno::EINVAL)?;
    let own = cx.credentials();
    let has = |ids: &crate::process::credentials::Ids, id| [ids.real, ids.effective, ids.saved].contains(&id);
    let is_allowed = (claim.pid == cx.process().pid || own.has(CAP_SYS_ADMIN))
        && (has(&own.uid, claim.uid) || own.has(CAP_SETUID))
        && (has(&own.gid, claim.gid) || own.has(CAP_SETGID));
    if !is_allowed {
        return Err(Errno::EPERM);
    }
    if claim.pid != cx.process().pid && tree::find_process(claim.pid).is_none() {
        return Err(Errno::ESRCH);
    }
    if claim.uid == u32::MAX || claim.gid == u32::MAX {
        return Err(Errno::EINVAL);
    }
    Ok(claim)
}

/// The room for control messages that a program gave.
pub(super) struct Room {
    at: usize,
    left: usize,
    used: usize,
    /// `MSG_CTRUNC`, if something did not fit.
    pub(super) flags: u32,
}

impl Room {
    /// `len` bytes at `addr`; none at all where `addr` is null.
    pub(super) fn new(addr: usize, len: u64) -> Self {
        let left = if addr == 0 { 0 } else { usize::try_from(len).unwrap_or(usize::MAX) };
        Self { at: addr, left, used: 0, flags: 0 }
    }

    /// Bytes that were filled.
    pub(super) fn used(&self) -> u64 {
        self.used as u64
    }

    /// Writes what came with a message. Descriptors get the lowest free numbers; those that do not fit are closed.
    ///
    /// # Errors
    /// `EFAULT`.
    pub(super) fn write(&mut self, cx: &Context, incoming: &mut Incoming, flags: u32) -> Result<(), Errno> {
        if let Some(credentials) = incoming.credentials {
            self.put(SCM_CREDENTIALS, credentials.as_bytes())?;
        }
        let rights = core::mem::take(&mut incoming.rights);
        if !rights.is_empty() {
            self.put_rights(cx, rights, flags & MSG_CMSG_CLOEXEC != 0)?;
        }
        Ok(())
    }

    /// Writes one message, cut to what fits.
    fn put(&mut self, kind: i32, data: &[u8]) -> Result<(), Errno> {
        if self.left < HEADER {
            self.flags |= MSG_CTRUNC;
            return Ok(());
        }
        let mut len = HEADER + data.len();
        if len > self.left {
            self.flags |= MSG_CTRUNC;
            len = self.left;
        }
        self.put_header(kind, len)?;
        hal::user::copy_out(self.at.wrapping_add(HEADER), &data[..len - HEADER])?;
        self.advance(len);
        Ok(())
    }

    fn put_header(&self, kind: i32, len: usize) -> Result<(), Errno> {
        let header = Cmsghdr { cmsg_len: len as u64, cmsg_level: SOL_SOCKET, cmsg_type: kind };
        hal::user::copy_out(self.at, header.as_bytes())?;
        Ok(())
    }

    fn advance(&mut self, len: usize) {
        let step = cmsg_align(len).map_or(self.left, |step| step.min(self.left));
        self.at = self.at.wrapping_add(step);
        self.left -= step;
        self.used += step;
    }

    fn put_rights(
        &mut self,
        cx: &Context,
        rights: Vec<Arc<OpenFile>>,
        close_on_exec: bool,
    ) -> Result<(), Errno> {
        let room = self.left.saturating_sub(HEADER) / FD;
        let count = rights.len();
        let (files, limit) = (cx.files(), cx.process().limit(RLIMIT_NOFILE));
        let mut installed = 0;
        for file in rights.into_iter().take(room) {
            // What goes wrong from here on only ends the list.
            let Ok(reserved) = files.reserve::<1>(close_on_exec, limit) else { break };
            let at = self.at.wrapping_add(HEADER + installed * FD);
            if hal::user::copy_out(at, &reserved.numbers()[0].to_ne_bytes()).is_err() {
                break;
            }
            reserved.install([file]);
            installed += 1;
        }
        if installed < count {
            self.flags |= MSG_CTRUNC;
        }
        if installed > 0 {
            let len = HEADER + installed * FD;
            self.put_header(SCM_RIGHTS, len)?;
            self.advance(len);
        }
        Ok(())
    }
}
