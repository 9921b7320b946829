//! Who logged in (`/proc/PID/loginuid`, `/proc/PID/sessionid`): what login programs note once, and whatever is started
//! then keeps, set-id programs included.

use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// Stands for no user, and for no session.
pub const NOBODY: u32 = u32::MAX;

/// The number of sessions there have been.
static SESSIONS: AtomicU32 = AtomicU32::new(0);

/// User and session, in one word so that they belong together.
#[derive(Debug)]
pub struct Login(AtomicU64);

impl Login {
    /// Nobody has logged in.
    pub const fn new() -> Self {
        Self::with(NOBODY, NOBODY)
    }

    const fn with(uid: u32, session: u32) -> Self {
        Self(AtomicU64::new((session as u64) << 32 | uid as u64))
    }

    /// The user, or [`NOBODY`].
    pub fn uid(&self) -> u32 {
        self.0.load(Ordering::Relaxed) as u32
    }

    /// The number of the session, or [`NOBODY`].
    pub fn session(&self) -> u32 {
        (self.0.load(Ordering::Relaxed) >> 32) as u32
    }

    /// Begins a session of `uid`; [`NOBODY`] ends the one there is.
    pub fn set(&self, uid: u32) {
        let session = match uid {
            NOBODY => NOBODY,
            // The number that stands for none is left out.
            _ => SESSIONS.fetch_add(1, Ordering::Relaxed).wrapping_add(1) % NOBODY,
        };
        self.copy(&Self::with(uid, session));
    }

    /// Becomes what `other` is.
    pub fn copy(&self, other: &Self) {
        self.0.store(other.0.load(Ordering::Relaxed), Ordering::Relaxed);
    }
}

impl Default for Login {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_login_is_a_session_of_its_own() {
        let login = Login::new();
        assert_eq!((login.uid(), login.session()), (NOBODY, NOBODY));
        login.set(1000);
        let first = login.session();
        assert_eq!(login.uid(), 1000);
        let child = Login::new();
        child.copy(&login);
        assert_eq!((child.uid(), child.session()), (1000, first));
        login.set(0);
        assert!(login.uid() == 0 && login.session() > first);
        login.set(NOBODY);
        assert_eq!((login.uid(), login.session()), (NOBODY, NOBODY));
    }
}
