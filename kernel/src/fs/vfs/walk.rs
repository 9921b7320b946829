//! The path walk: from text to a place.
//!
//! What path_resolution(7) says, symlink(7) for links, openat2(2) for the restrictions. The walk holds no lock from
//! one component to the next.

use alloc::sync::Arc;
use alloc::vec::Vec;

use linux_abi::errno::Errno;
use linux_abi::limits::MAX_SYMLINKS;
use linux_abi::open::ResolveFlags;

use super::access::{self, MAY_EXECUTE};
use super::mount::{self, MountOptions};
use super::name::{Name, split_component};
use super::{Base, Caller, Dentry, LinkTarget, Path};

/// What a walk is to end at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Goal {
    /// The place itself; a last symbolic link is followed or not.
    Place { follow: bool },
    /// The directory of the last component, which is not looked up.
    Parent,
    /// The place if there is one, else its directory: a file may be created there.
    PlaceOrParent { follow: bool },
}

/// The last component of a path.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Last {
    /// A name.
    Normal(Name),
    /// `.`
    Dot,
    /// `..`
    DotDot,
    /// Nothing: the path is the root.
    Root,
}

/// The directory in which the last component of a path is, or would be.
pub struct Parent {
    /// The directory.
    pub directory: Path,
    /// The last component.
    pub last: Last,
    /// Whether slashes follow it: it must be a directory.
    pub has_trailing_slash: bool,
}

impl Parent {
    /// Returns the last component if it is a name.
    ///
    /// # Errors
    /// `otherwise`.
    pub fn name(&self, otherwise: Errno) -> Result<&[u8], Errno> {
        match &self.last {
            Last::Normal(name) => Ok(name),
            _ => Err(otherwise),
        }
    }
}

/// The end of a walk.
pub enum Walked {
    /// The place exists.
    Found(Path),
    /// It does not (or was not looked for), but its directory does.
    Missing(Parent),
}

impl Caller<'_> {
    /// Returns the place that `path` leads to.
    ///
    /// # Errors
    /// - `ENOENT`: a component is missing, or the path is empty.
    /// - `ENOTDIR`: a component that is no directory is used as one.
    /// - `EACCES`: a directory may not be searched.
    /// - `ELOOP`: too many symbolic links.
    /// - `ENAMETOOLONG`: a component of more than 255 bytes.
    pub fn resolve(&self, base: Base<'_>, path: &[u8], follow: bool) -> Result<Path, Errno> {
        self.resolve_scoped(base, path, follow, ResolveFlags::empty())
    }

    /// As [`Self::resolve`], with the restrictions of openat2(2).
    ///
    /// # Errors
    /// Those of [`Self::resolve`]; `EXDEV`, `ELOOP`, `EAGAIN` as openat2(2) says.
    pub fn resolve_scoped(
        &self,
        base: Base<'_>,
        path: &[u8],
        follow: bool,
        scope: ResolveFlags,
    ) -> Result<Path, Errno> {
        match Walk::start(*self, base, path, scope)?.run(path, Goal::Place { follow })? {
            Walked::Found(place) => Ok(place),
            Walked::Missing(_) => Err(Errno::ENOENT),
        }
    }

    /// Returns the directory of the last component of `path`.
    ///
    /// # Errors
    /// Those of [`Self::resolve`] for the components before.
    pub fn resolve_parent(&self, base: Base<'_>, path: &[u8]) -> Result<Parent, Errno> {
        match Walk::start(*self, base, path, ResolveFlags::empty())?.run(path, Goal::Parent)? {
            Walked::Missing(parent) => Ok(parent),
            Walked::Found(directory) => Ok(Parent { directory, last: Last::Root, has_trailing_slash: false }),
        }
    }

    /// Returns the place that `path` leads to, or the directory in which a file of that name can be created.
    ///
    /// # Errors
    /// Those of [`Self::resolve_scoped`].
    pub fn resolve_or_parent(
        &self,
        base: Base<'_>,
        path: &[u8],
        follow: bool,
        scope: ResolveFlags,
    ) -> Result<Walked, Errno> {
        Walk::start(*self, base, path, scope)?.run(path, Goal::PlaceOrParent { follow })
    }
}

/// A walk under way.
struct Walk<'a> {
    caller: Caller<'a>,
    at: Path,
    /// Symbolic links followed so far.
    links: usize,
    scope: ResolveFlags,
    /// The directory that the scope confines the walk to.
    fence: Option<Path>,
}

impl<'a> Walk<'a> {
    fn start(caller: Caller<'a>, base: Base<'_>, path: &[u8], scope: ResolveFlags) -> Result<Self, Errno> {
        if path.is_empty() {
            return Err(Errno::ENOENT);
        }
        if !scope.is_empty() {
            return Self::start_scoped(caller, base, path, scope);
        }
        let at = if path[0] == b'/' { caller.fs.root() } else { base_path(&caller, base) };
        Ok(Self { caller, at, links: 0, scope, fence: None })
    }

    #[cold]
    fn start_scoped(
        caller: Caller<'a>,
        base: Base<'_>,
        path: &[u8],
        scope: ResolveFlags,
    ) -> Result<Self, Errno> {
        if scope.contains(ResolveFlags::RESOLVE_CACHED) {
            // Nothing is promised to be cached.
            return Err(Errno::EAGAIN);
        }
        let base = base_path(&caller, base);
        let is_absolute = path[0] == b'/';
        if is_absolute && scope.contains(ResolveFlags::RESOLVE_BENEATH) {
            return Err(Errno::EXDEV);
        }
        let fenced = scope.intersects(ResolveFlags::RESOLVE_BENEATH | ResolveFlags::RESOLVE_IN_ROOT);
        let fence = fenced.then(|| base.clone());
        let at = if is_absolute && !scope.contains(ResolveFlags::RESOLVE_IN_ROOT) {
            caller.fs.root()
        } else {
            base
        };
        Ok(Self { caller, at, links: 0, scope, fence })
    }

    fn run(mut self, path: &[u8], goal: Goal) -> Result<Walked, Errno> {
        let (follow, may_be_missing) = match goal {
            Goal::Place { follow } => (follow, false),
            Goal::Parent => (false, true),
            Goal::PlaceOrParent { follow } => (follow, true),
        };
        // The text of the last symbolic link and what was left of the path behind it.
        let mut spliced: Vec<u8>;
        let mut rest = skip_slashes(path);
        loop {
            if rest.is_empty() {
                return Ok(Walked::Found(self.at));
            }
            let (name, after) = split_component(rest);
            rest = skip_slashes(after);
            let is_last = rest.is_empty();
            if !self.at.dentry.is_directory() {
                return Err(Errno::ENOTDIR);
            }
            access::check(self.at.inode().ownership(), self.caller.credentials, MAY_EXECUTE)?;
            if name[0] == b'.' && name.len() <= 2 && (name.len() == 1 || name[1] == b'.') {
                if is_last && goal == Goal::Parent {
                    let last = if name.len() == 1 { Last::Dot } else { Last::DotDot };
                    return Ok(self.stop_before(last, !after.is_empty()));
                }
                if name.len() == 2 {
                    self.go_up()?;
                }
                continue;
            }
            if is_last && goal == Goal::Parent {
                return Ok(self.stop_before(Last::Normal(Name::from_slice(name)), !after.is_empty()));
            }
            let Some(child) = self.at.dentry.lookup(name)? else {
                if is_last && may_be_missing {
                    return Ok(self.stop_before(Last::Normal(Name::from_slice(name)), !after.is_empty()));
                }
                return Err(Errno::ENOENT);
            };
            if child.is_symlink() && (follow || !is_last || !after.is_empty()) {
                if let Some(path) = self.follow(&child, after, is_last)? {
                    spliced = path;
                    rest = skip_slashes(&spliced);
                    continue;
                }
            } else {
                self.enter(child)?;
            }
            if is_last {
                if !after.is_empty() && !self.at.dentry.is_directory() {
                    return Err(Errno::ENOTDIR);
                }
                return Ok(Walked::Found(self.at));
            }
        }
    }

    fn stop_before(self, last: Last, has_trailing_slash: bool) -> Walked {
        Walked::Missing(Parent { directory: self.at, last, has_trailing_slash })
    }

    /// Goes to a child of the present directory, and to what is mounted there.
    #[inline]
    fn enter(&mut self, child: Arc<Dentry>) -> Result<(), Errno> {
        self.at.dentry = child;
        if self.at.dentry.is_mount_point() { self.cross_mounts() } else { Ok(()) }
    }

    #[cold]
    fn cross_mounts(&mut self) -> Result<(), Errno> {
        let top = mount::topmost(self.at.clone());
        if self.scope.contains(ResolveFlags::RESOLVE_NO_XDEV) && !Arc::ptr_eq(&top.mount, &self.at.mount) {
            return Err(Errno::EXDEV);
        }
        self.at = top;
        Ok(())
    }

    /// Goes to the parent directory; the root is its own parent.
    #[inline(never)]
    fn go_up(&mut self) -> Result<(), Errno> {
        if let Some(fence) = &self.fence
            && self.at == *fence
        {
            let beneath = self.scope.contains(ResolveFlags::RESOLVE_BENEATH);
            return if beneath { Err(Errno::EXDEV) } else { Ok(()) };
        }
        while !self.caller.fs.is_root(&self.at) {
            if Arc::ptr_eq(&self.at.dentry, self.at.mount.root()) {
                let Some(below) = self.at.mount.mounted_on() else { break };
                if self.scope.contains(ResolveFlags::RESOLVE_NO_XDEV) {
                    return Err(Errno::EXDEV);
                }
                self.at = below;
                continue;
            }
            if let Some(parent) = self.at.dentry.parent() {
                self.at.dentry = parent;
            }
            break;
        }
        if self.at.dentry.is_mount_point() { self.cross_mounts() } else { Ok(()) }
    }

    fn go_to_root(&mut self) -> Result<(), Errno> {
        if self.scope.contains(ResolveFlags::RESOLVE_BENEATH) {
            return Err(Errno::EXDEV);
        }
        let root = match &self.fence {
            Some(fence) => fence.clone(),
            None => self.caller.fs.root(),
        };
        if self.scope.contains(ResolveFlags::RESOLVE_NO_XDEV) && !Arc::ptr_eq(&root.mount, &self.at.mount) {
            return Err(Errno::EXDEV);
        }
        self.at = root;
        Ok(())
    }

    /// Follows the symbolic link `link` in the present directory, if that may be done: goes where it leads, or returns the
    /// path to walk from the present directory on, which ends in `after`.
    #[inline(never)]
    fn follow(&mut self, link: &Arc<Dentry>, after: &[u8], is_last: bool) -> Result<Option<Vec<u8>>, Errno> {
        self.links += 1;
        if self.links > MAX_SYMLINKS
            || self.scope.contains(ResolveFlags::RESOLVE_NO_SYMLINKS)
            || self.at.mount.options().contains(MountOptions::NO_SYMLINK_FOLLOW)
        {
            return Err(Errno::ELOOP);
        }
        if is_last {
            let directory = self.at.inode().ownership();
            access::check_follow(directory, link.inode().ownership(), self.caller.credentials)?;
        }
        let text = match link.inode().read_link()? {
            LinkTarget::Text(text) => text,
            LinkTarget::Jump(place) => {
                self.check_jump(&place)?;
                self.at = place;
                return Ok(None);
            }
        };
        match text.first() {
            None => return Err(Errno::ENOENT),
            Some(b'/') => self.go_to_root()?,
            Some(_) => {}
        }
        let mut path = Vec::new();
        path.try_reserve_exact(text.len() + after.len()).map_err(|_| Errno::ENOMEM)?;
        path.extend_from_slice(&text);
        path.extend_from_slice(after);
        Ok(Some(path))
    }

    /// Checks that the scope allows a link that leads to `place` whatever its name.
    fn check_jump(&self, place: &Path) -> Result<(), Errno> {
        if self.scope.is_empty() {
            return Ok(());
        }
        if self.scope.contains(ResolveFlags::RESOLVE_NO_MAGICLINKS) {
            return Err(Errno::ELOOP);
        }
        let leaves =
            self.scope.contains(ResolveFlags::RESOLVE_NO_XDEV) && !Arc::ptr_eq(&place.mount, &self.at.mount);
        if leaves || self.fence.is_some() { Err(Errno::EXDEV) } else { Ok(()) }
    }
}

#[inline]
fn skip_slashes(mut path: &[u8]) -> &[u8] {
    while let [b'/', rest @ ..] = path {
        path = rest;
    }
    path
}

fn base_path(caller: &Caller<'_>, base: Base<'_>) -> Path {
    match base {
        Base::WorkingDirectory => caller.fs.working_directory(),
        Base::At(path) => path.clone(),
    }
}
