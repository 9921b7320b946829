//! Credentials: user and group ids, supplementary groups, capabilities (capabilities(7), credentials(7)).
//!
//! A [`Credentials`] value is immutable once shared; a change makes a new one and swaps the thread's handle, so a
//! permission check sees one consistent set.

use alloc::sync::Arc;
use alloc::vec::Vec;

use linux_abi::cap::{CAP_FULL_SET, CAP_KILL, CAP_SETGID, CAP_SETPCAP, CAP_SETUID};
use linux_abi::errno::Errno;

/// A set of capabilities, one bit each.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct CapSet(pub u64);

impl CapSet {
    /// No capability.
    pub const EMPTY: Self = Self(0);
    /// Every capability there is.
    pub const ALL: Self = Self(CAP_FULL_SET);

    /// Whether a capability (`CAP_*`) is in the set.
    pub const fn contains(self, capability: u32) -> bool {
        self.0 & (1 << capability) != 0
    }

    /// Whether every capability of `self` is in `other`.
    pub const fn is_subset_of(self, other: Self) -> bool {
        self.0 & !other.0 == 0
    }

    const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// Real, effective, saved and file-system id of one kind (user or group).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Ids {
    /// Who owns the process.
    pub real: u32,
    /// Who it acts as.
    pub effective: u32,
    /// What it may switch back to.
    pub saved: u32,
    /// Who it acts as towards files.
    pub fs: u32,
}

impl Ids {
    const fn all(id: u32) -> Self {
        Self { real: id, effective: id, saved: id, fs: id }
    }

    const fn has(&self, id: u32) -> bool {
        self.real == id || self.effective == id || self.saved == id
    }
}

/// `SECBIT_NO_SETUID_FIXUP` and its neighbours (capabilities(7)).
pub mod securebits {
    /// Root gets no capabilities for being root.
    pub const NOROOT: u32 = 1 << 0;
    /// Id changes leave capabilities alone.
    pub const NO_SETUID_FIXUP: u32 = 1 << 2;
    /// Permitted capabilities survive leaving root.
    pub const KEEP_CAPS: u32 = 1 << 4;
    /// The ambient set cannot grow.
    pub const NO_CAP_AMBIENT_RAISE: u32 = 1 << 6;
    /// Every bit that exists.
    pub const ALL: u32 = 0xff;
}

/// Who a thread is.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// User ids.
    pub uid: Ids,
    /// Group ids.
    pub gid: Ids,
    /// Supplementary groups, ascending.
    pub groups: Arc<Vec<u32>>,
    /// Capabilities in force.
    pub effective: CapSet,
    /// Capabilities that may be put in force.
    pub permitted: CapSet,
    /// Capabilities kept across execve when the file agrees.
    pub inheritable: CapSet,
    /// Upper limit of what execve can give.
    pub bounding: CapSet,
    /// Capabilities kept across execve of plain files.
    pub ambient: CapSet,
    /// `SECBIT_*`.
    pub securebits: u32,
    /// execve gives nothing any more (`PR_SET_NO_NEW_PRIVS`).
    pub no_new_privs: bool,
}

impl Credentials {
    /// Root with everything, as process 1 starts.
    pub fn root() -> Self {
        Self {
            uid: Ids::all(0),
            gid: Ids::all(0),
            groups: Arc::new(Vec::new()),
            effective: CapSet::ALL,
            permitted: CapSet::ALL,
            inheritable: CapSet::EMPTY,
            bounding: CapSet::ALL,
            ambient: CapSet::EMPTY,
            securebits: 0,
            no_new_privs: false,
        }
    }

    /// Whether `capability` is in force.
    pub fn has(&self, capability: u32) -> bool {
        self.effective.contains(capability)
    }

    /// `Ok` when `capability` is in force, else `EPERM`.
    pub fn require(&self, capability: u32) -> Result<(), Errno> {
        if self.has(capability) { Ok(()) } else { Err(Errno::EPERM) }
    }

    /// Whether the thread acts as the user and group that own it.
    pub fn has_own_ids(&self) -> bool {
        self.uid.effective == self.uid.real && self.gid.effective == self.gid.real
    }

    /// Whether a thread with these credentials acts as another than with `old`, or has gained a capability.
    pub fn acts_differently(&self, old: &Self) -> bool {
        let acts_as = |who: &Self| (who.uid.effective, who.uid.fs, who.gid.effective, who.gid.fs);
        acts_as(self) != acts_as(old) || !self.permitted.is_subset_of(old.permitted)
    }

    /// Whether the thread is in group `gid` towards files.
    pub fn in_group(&self, gid: u32) -> bool {
        self.gid.fs == gid || self.groups.binary_search(&gid).is_ok()
    }

    /// Whether the thread acts as a member of group `gid` towards all but files.
    pub fn is_member(&self, gid: u32) -> bool {
        self.gid.effective == gid || self.groups.binary_search(&gid).is_ok()
    }

    /// Whether a thread with these credentials may signal one with `target`'s (kill(2)).
    pub fn may_kill(&self, target: &Self) -> bool {
        let senders = [self.uid.effective, self.uid.real];
        senders.iter().any(|&id| id == target.uid.saved || id == target.uid.real) || self.has(CAP_KILL)
    }

    /// setuid(2).
    ///
    /// # Errors
    /// `EPERM`: without `CAP_SETUID`, an id that is neither the real nor the saved one.
    pub fn set_uid(&self, uid: u32) -> Result<Self, Errno> {
        let mut new = self.clone();
        if self.has(CAP_SETUID) {
            new.uid = Ids::all(uid);
        } else if uid == self.uid.real || uid == self.uid.saved {
            new.uid.effective = uid;
            new.uid.fs = uid;
        } else {
            return Err(Errno::EPERM);
        }
        Ok(new.after_uid_change(self))
    }

    /// setgid(2); errors as [`Self::set_uid`] with `CAP_SETGID`.
    pub fn set_gid(&self, gid: u32) -> Result<Self, Errno> {
        let mut new = self.clone();
        if self.has(CAP_SETGID) {
            new.gid = Ids::all(gid);
        } else if gid == self.gid.real || gid == self.gid.saved {
            new.gid.effective = gid;
            new.gid.fs = gid;
        } else {
            return Err(Errno::EPERM);
        }
        Ok(new)
    }

    /// setreuid(2): `None` leaves an id alone.
    ///
    /// # Errors
    /// `EPERM`: without `CAP_SETUID`, a real id that is neither real nor effective now, or an effective id that is
    /// none of the three.
    pub fn set_reuid(&self, real: Option<u32>, effective: Option<u32>) -> Result<Self, Errno> {
        let ids = set_re(&self.uid, real, effective, self.has(CAP_SETUID))?;
        Ok(Self { uid: ids, ..self.clone() }.after_uid_change(self))
    }

    /// setregid(2); errors as [`Self::set_reuid`] with `CAP_SETGID`.
    pub fn set_regid(&self, real: Option<u32>, effective: Option<u32>) -> Result<Self, Errno> {
        let ids = set_re(&self.gid, real, effective, self.has(CAP_SETGID))?;
        Ok(Self { gid: ids, ..self.clone() })
    }

    /// setresuid(2): `None` leaves an id alone.
    ///
    /// # Errors
    /// `EPERM`: without `CAP_SETUID`, an id that is none of the three.
    pub fn set_resuid(&self, new: [Option<u32>; 3]) -> Result<Self, Errno> {
        let ids = set_res(&self.uid, new, self.has(CAP_SETUID))?;
        Ok(Self { uid: ids, ..self.clone() }.after_uid_change(self))
    }

    /// setresgid(2); errors as [`Self::set_resuid`] with `CAP_SETGID`.
    pub fn set_resgid(&self, new: [Option<u32>; 3]) -> Result<Self, Errno> {
        let ids = set_res(&self.gid, new, self.has(CAP_SETGID))?;
        Ok(Self { gid: ids, ..self.clone() })
    }

    /// setfsuid(2): the new credentials, or `None` when the id is not allowed.
    pub fn set_fsuid(&self, uid: u32) -> Option<Self> {
        (self.uid.has(uid) || uid == self.uid.fs || self.has(CAP_SETUID)).then(|| {
            let mut new = self.clone();
            new.uid.fs = uid;
            if self.securebits & securebits::NO_SETUID_FIXUP == 0 {
                if self.uid.fs == 0 && uid != 0 {
                    new.effective = CapSet(new.effective.0 & !FS_CAPS);
                } else if self.uid.fs != 0 && uid == 0 {
                    new.effective = CapSet(new.effective.0 | (new.permitted.0 & FS_CAPS));
                }
            }
            new
        })
    }

    /// setfsgid(2), likewise.
    pub fn set_fsgid(&self, gid: u32) -> Option<Self> {
        (self.gid.has(gid) || gid == self.gid.fs || self.has(CAP_SETGID)).then(|| {
            let mut new = self.clone();
            new.gid.fs = gid;
            new
        })
    }

    /// setgroups(2).
    ///
    /// # Errors
    /// `EPERM`: without `CAP_SETGID`.
    pub fn set_groups(&self, mut groups: Vec<u32>) -> Result<Self, Errno> {
        self.require(CAP_SETGID)?;
        groups.sort_unstable();
        Ok(Self { groups: Arc::new(groups), ..self.clone() })
    }

    /// capset(2) on oneself.
    ///
    /// # Errors
    /// `EPERM`: a permitted capability not permitted before, an effective one not permitted, or an inheritable one
    /// beyond what the rules of capset(2) allow.
    pub fn set_capabilities(
        &self,
        effective: CapSet,
        permitted: CapSet,
        inheritable: CapSet,
    ) -> Result<Self, Errno> {
        let inheritable_limit = if self.has(CAP_SETPCAP) {
            self.inheritable.or(self.bounding)
        } else {
            self.inheritable.or(self.permitted)
        };
        let allowed = inheritable.is_subset_of(inheritable_limit)
            && inheritable.is_subset_of(self.inheritable.or(self.bounding))
            && permitted.is_subset_of(self.permitted)
            && effective.is_subset_of(permitted);
        if !allowed {
            return Err(Errno::EPERM);
        }
        let ambient = self.ambient.and(permitted).and(inheritable);
        Ok(Self { effective, permitted, inheritable, ambient, ..self.clone() })
    }

    /// The credentials after execve of a file owned by `owner` whose set-id bits grant `set_uid`/`set_gid`, and
    /// whether privileges grew (`AT_SECURE`).
    pub fn after_exec(&self, set_uid: Option<u32>, set_gid: Option<u32>) -> (Self, bool) {
        let mut new = self.clone();
        if !self.no_new_privs {
            if let Some(uid) = set_uid {
                new.uid.effective = uid;
            }
            if let Some(gid) = set_gid {
                new.gid.effective = gid;
            }
        }
        new.uid.saved = new.uid.effective;
        new.uid.fs = new.uid.effective;
        new.gid.saved = new.gid.effective;
        new.gid.fs = new.gid.effective;

        let changed_ids = new.uid.effective != self.uid.effective || new.gid.effective != self.gid.effective;
        if changed_ids {
            new.ambient = CapSet::EMPTY;
        }
        let root_rules = self.securebits & securebits::NOROOT == 0;
        let (file_permitted, file_inheritable) =
            if root_rules && (new.uid.effective == 0 || new.uid.real == 0) {
                (CapSet::ALL, CapSet::ALL)
            } else {
                (CapSet::EMPTY, CapSet::EMPTY)
            };
        new.permitted =
            self.inheritable.and(file_inheritable).or(file_permitted.and(self.bounding)).or(new.ambient);
        let file_effective = root_rules && new.uid.effective == 0;
        new.effective = if file_effective { new.permitted } else { new.ambient };
        new.securebits &= !securebits::KEEP_CAPS;

        let secure = new.uid.effective != new.uid.real || new.gid.effective != new.gid.real;
        (new, secure)
    }

    /// Adjusts capabilities after the user ids changed from `old`'s (capabilities(7), "Effect of user ID changes").
    fn after_uid_change(mut self, old: &Self) -> Self {
        self.uid.fs = self.uid.effective;
        if self.securebits & securebits::NO_SETUID_FIXUP != 0 {
            return self;
        }
        let was_root = old.uid.has(0);
        let is_root = self.uid.has(0);
        if was_root && !is_root {
            if self.securebits & securebits::KEEP_CAPS == 0 {
                self.permitted = CapSet::EMPTY;
                self.effective = CapSet::EMPTY;
            }
            self.ambient = CapSet::EMPTY;
        }
        if old.uid.effective == 0 && self.uid.effective != 0 {
            self.effective = CapSet::EMPTY;
        } else if old.uid.effective != 0 && self.uid.effective == 0 {
            self.effective = self.permitted;
        }
        self
    }
}

/// Capabilities that follow the file-system user id: CHOWN, DAC_OVERRIDE, DAC_READ_SEARCH, FOWNER, FSETID,
/// LINUX_IMMUTABLE, MKNOD, MAC_OVERRIDE.
const FS_CAPS: u64 = 0b1_1111 | 1 << 9 | 1 << 27 | 1 << 32;

fn set_re(ids: &Ids, real: Option<u32>, effective: Option<u32>, privileged: bool) -> Result<Ids, Errno> {
    let mut new = *ids;
    if let Some(real) = real {
        if !privileged && real != ids.real && real != ids.effective {
            return Err(Errno::EPERM);
        }
        new.real = real;
    }
    if let Some(effective) = effective {
        if !privileged && !ids.has(effective) {
            return Err(Errno::EPERM);
        }
        new.effective = effective;
    }
    if real.is_some() || effective.is_some_and(|id| id != ids.real) {
        new.saved = new.effective;
    }
    new.fs = new.effective;
    Ok(new)
}

fn set_res(ids: &Ids, new: [Option<u32>; 3], privileged: bool) -> Result<Ids, Errno> {
    if !privileged && new.iter().flatten().any(|&id| !ids.has(id)) {
        return Err(Errno::EPERM);
    }
    let effective = new[1].unwrap_or(ids.effective);
    Ok(Ids { real: new[0].unwrap_or(ids.real), effective, saved: new[2].unwrap_or(ids.saved), fs: effective })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(uid: u32) -> Credentials {
        Credentials::root().set_resgid([Some(uid); 3]).unwrap().set_uid(uid).unwrap()
    }

    #[test]
    fn leaving_root_drops_every_capability() {
        let user = user(1000);
        assert_eq!(user.effective, CapSet::EMPTY);
        assert_eq!(user.permitted, CapSet::EMPTY);
        assert_eq!(user.set_uid(0).unwrap_err(), Errno::EPERM);
    }

    #[test]
    fn a_temporary_drop_can_be_taken_back() {
        let dropped = Credentials::root().set_resuid([None, Some(1000), None]).unwrap();
        assert_eq!(dropped.effective, CapSet::EMPTY);
        assert_eq!(dropped.permitted, CapSet::ALL);
        assert_eq!(dropped.set_uid(0).unwrap().effective, CapSet::ALL);
    }

    #[test]
    fn keep_caps_keeps_the_permitted_set() {
        let mut root = Credentials::root();
        root.securebits = securebits::KEEP_CAPS;
        let user = root.set_uid(1000).unwrap();
        assert_eq!(user.permitted, CapSet::ALL);
        assert_eq!(user.effective, CapSet::EMPTY);
    }

    #[test]
    fn a_set_uid_root_file_gives_root_and_is_secure() {
        let (new, secure) = user(1000).after_exec(Some(0), None);
        assert!(secure);
        assert_eq!(new.uid, Ids { real: 1000, effective: 0, saved: 0, fs: 0 });
        assert_eq!(new.effective, CapSet::ALL);
        let mut bound = user(1000);
        bound.no_new_privs = true;
        let (new, secure) = bound.after_exec(Some(0), None);
        assert!(!secure);
        assert_eq!(new.uid.effective, 1000);
        assert_eq!(new.effective, CapSet::EMPTY);
    }

    #[test]
    fn only_the_same_user_or_the_capability_may_kill() {
        assert!(Credentials::root().may_kill(&user(1000)));
        assert!(user(1000).may_kill(&user(1000)));
        assert!(!user(1000).may_kill(&user(1001)));
        assert!(!user(1000).may_kill(&Credentials::root()));
    }

    #[test]
    fn setreuid_moves_the_saved_id_as_linux_does() {
        let new = Credentials::root().set_reuid(Some(1000), Some(1001)).unwrap();
        assert_eq!(new.uid, Ids { real: 1000, effective: 1001, saved: 1001, fs: 1001 });
        assert_eq!(new.set_reuid(None, Some(0)).unwrap_err(), Errno::EPERM);
    }
}
