//! What the calls that take paths share: on whose behalf, and from which directory.

use alloc::sync::Arc;

use linux_abi::errno::Errno;
use linux_abi::open::{AT_FDCWD, AtFlags};

use super::Context;
use crate::fs::vfs::{Base, Caller, FsContext, Path};
use crate::process::credentials::Credentials;

/// Holds the caller's root and credentials for the length of a call.
pub(super) struct Acting {
    fs: Arc<FsContext>,
    credentials: Arc<Credentials>,
}

impl Acting {
    /// The caller as it is now.
    pub(super) fn of(cx: &Context) -> Self {
        Self { fs: cx.fs(), credentials: cx.credentials() }
    }

    /// The same with the real ids in force (access(2)).
    pub(super) fn with_real_ids(cx: &Context) -> Self {
        let mut credentials = (*cx.credentials()).clone();
        credentials.uid.fs = credentials.uid.real;
        credentials.gid.fs = credentials.gid.real;
        credentials.effective = if credentials.uid.real == 0 {
            credentials.permitted
        } else {
            crate::process::credentials::CapSet::EMPTY
        };
        Self { fs: cx.fs(), credentials: Arc::new(credentials) }
    }

    /// For the walk and everything behind it.
    pub(super) fn caller(&self) -> Caller<'_> {
        Caller { fs: &self.fs, credentials: &self.credentials }
    }
}

/// Where the walk of a path starts.
pub(super) struct Start(Option<Path>);

impl Start {
    /// The working directory.
    pub(super) const WORKING: Self = Self(None);

    /// From the `dirfd` argument of an `...at` call; an absolute path does not look at it.
    ///
    /// # Errors
    /// `EBADF`: no such descriptor.
    pub(super) fn at(cx: &Context, dir: i32, path: &[u8]) -> Result<Self, Errno> {
        if dir == AT_FDCWD || path.first() == Some(&b'/') {
            return Ok(Self::WORKING);
        }
        Ok(Self(Some(cx.files().get_any(dir)?.place())))
    }

    /// For the walk.
    pub(super) fn base(&self) -> Base<'_> {
        self.0.as_ref().map_or(Base::WorkingDirectory, Base::At)
    }
}

/// The place that `dir` and `path` name, with `AT_EMPTY_PATH` for the descriptor itself.
///
/// # Errors
/// `EBADF`, `ENOENT` and those of the walk.
pub(super) fn place_at(
    cx: &Context,
    caller: &Caller<'_>,
    dir: i32,
    path: &[u8],
    flags: AtFlags,
    follow: bool,
) -> Result<Path, Errno> {
    if path.is_empty() && flags.contains(AtFlags::AT_EMPTY_PATH) {
        return match dir {
            AT_FDCWD => Ok(cx.fs().working_directory()),
            fd => Ok(cx.files().get_any(fd)?.place()),
        };
    }
    caller.resolve(Start::at(cx, dir, path)?.base(), path, follow)
}
