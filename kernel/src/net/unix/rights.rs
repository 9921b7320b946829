//! Open files in flight: sent with a message (`SCM_RIGHTS`) that nobody has received yet.
//!
//! A socket can be in flight itself, in its own inbox even. Two such sockets keep each other open for ever, although no
//! program can reach them. So when a socket is closed, [`collect`] looks for sockets that only messages hold and that no
//! message in a reachable inbox leads to, and closes them.
//!
//! # Invariants
//! 1. Every file in flight is in [`FLIGHT`], and nowhere else: a message has only the number of its files. So while that
//!    is locked nothing takes off or lands, and the collector sees all there is.
//! 2. A socket that a program can reach, or that is just being used, has more handles than there are in flight.
//! 3. Files are let go of with nothing locked, one after the other: closing one may make others go, and so on, and the
//!    stack is short.

use alloc::collections::{BTreeMap, BTreeSet, LinkedList};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicUsize, Ordering};

use hal::sync::{Mutex, SpinLock};
use linux_abi::cap::{CAP_SYS_ADMIN, CAP_SYS_RESOURCE};
use linux_abi::errno::Errno;
use linux_abi::resource::RLIMIT_NOFILE;

use super::Endpoint;
use crate::fs::vfs::OpenFile;
use crate::lock_order;
use crate::scheduler::Thread;

/// As many times the closed sockets must be as many as those in flight before it is worth looking at these.
const CLOSED_SHARE: usize = 8;

/// Files that belong to one message.
struct Bundle {
    /// In whose inbox the message is.
    holder: Arc<Endpoint>,
    files: Vec<Arc<OpenFile>>,
    /// Who has sent them.
    uid: u32,
}

/// All files in flight.
struct Flight {
    bundles: BTreeMap<u64, Bundle>,
    last: u64,
    /// How many files each user has in flight.
    by_user: BTreeMap<u32, usize>,
}

/// Files that nobody will receive, to be let go of.
struct Doomed {
    /// Message by message: there may be many, and large allocations fail.
    files: LinkedList<Vec<Arc<OpenFile>>>,
    /// Somebody is at it.
    is_attended: bool,
    /// Sockets that were closed since it was looked for unreachable ones.
    closed: usize,
    /// It is to be looked for unreachable ones.
    is_due: bool,
}

hal::machine_static! {
    static FLIGHT: Mutex<Flight> = Mutex::new(
        lock_order::RIGHTS,
        Flight { bundles: BTreeMap::new(), last: 0, by_user: BTreeMap::new() },
    );
    static DOOMED: SpinLock<Doomed> =
        SpinLock::new(lock_order::LEAF, Doomed { files: LinkedList::new(), is_attended: false, closed: 0, is_due: false });
    /// How many of the files are Unix sockets.
    static SOCKETS: AtomicUsize = AtomicUsize::new(0);
}

/// The files of a message. Dropped without [`Self::take`], they are let go of.
pub(super) struct Rights(u64);

impl Rights {
    /// Sends `files` off to the inbox of `holder`.
    ///
    /// # Errors
    /// `ETOOMANYREFS`: the user has too many in flight.
    pub(super) fn send(files: Vec<Arc<OpenFile>>, holder: &Arc<Endpoint>) -> Result<Self, Errno> {
        let (uid, limit) = sender();
        let sockets = count_sockets(&files);
        let mut flight = FLIGHT.lock();
        let in_flight = flight.by_user.entry(uid).or_default();
        if *in_flight as u64 > limit {
            return Err(Errno::ETOOMANYREFS);
        }
        *in_flight += files.len();
        SOCKETS.fetch_add(sockets, Ordering::Relaxed);
        flight.last += 1;
        let number = flight.last;
        flight.bundles.insert(number, Bundle { holder: holder.clone(), files, uid });
        Ok(Self(number))
    }

    /// Takes the files out of flight.
    pub(super) fn take(self) -> Vec<Arc<OpenFile>> {
        let files = land(self.0);
        core::mem::forget(self);
        files
    }

    /// Handles of the files, which stay in flight (`MSG_PEEK`).
    ///
    /// # Errors
    /// `ENOMEM`.
    pub(super) fn look(&self) -> Result<Vec<Arc<OpenFile>>, Errno> {
        let flight = FLIGHT.lock();
        let mut files = Vec::new();
        if let Some(bundle) = flight.bundles.get(&self.0) {
            files.try_reserve_exact(bundle.files.len()).map_err(|_| Errno::ENOMEM)?;
            files.extend(bundle.files.iter().cloned());
        }
        Ok(files)
    }
}

impl Drop for Rights {
    fn drop(&mut self) {
        let files = land(self.0);
        if !files.is_empty() {
            let_go(files);
        }
    }
}

/// Whose the files are that the running thread sends, and how many that user may have in flight.
fn sender() -> (u32, u64) {
    let thread = hal::task::try_current::<Thread>();
    let Some(user) = thread.as_ref().and_then(|thread| thread.user.as_ref()) else { return (0, u64::MAX) };
    let credentials = user.credentials();
    let is_free = credentials.has(CAP_SYS_RESOURCE) || credentials.has(CAP_SYS_ADMIN);
    let limit = if is_free { u64::MAX } else { user.process.limit(RLIMIT_NOFILE) };
    (credentials.uid.real, limit)
}

fn socket_number(file: &OpenFile) -> Option<u64> {
    Some(file.file().as_socket()?.as_unix()?.number())
}

fn count_sockets(files: &[Arc<OpenFile>]) -> usize {
    files.iter().filter(|file| socket_number(file).is_some()).count()
}

/// Takes the files of bundle `number` out of flight; none if the collector was faster.
fn land(number: u64) -> Vec<Arc<OpenFile>> {
    let bundle = {
        let mut flight = FLIGHT.lock();
        flight.land(number)
    };
    bundle.map_or_else(Vec::new, |bundle| bundle.files)
}

impl Flight {
    fn land(&mut self, number: u64) -> Option<Bundle> {
        let bundle = self.bundles.remove(&number)?;
        SOCKETS.fetch_sub(count_sockets(&bundle.files), Ordering::Relaxed);
        if let Some(count) = self.by_user.get_mut(&bundle.uid) {
            *count -= bundle.files.len();
            if *count == 0 {
                self.by_user.remove(&bundle.uid);
            }
        }
        Some(bundle)
    }

    /// Takes out of flight what no program can ever receive.
    fn land_unreachable(&mut self) -> LinkedList<Vec<Arc<OpenFile>>> {
        // Sockets that nothing but messages holds.
        let mut counts: BTreeMap<u64, (usize, usize)> = BTreeMap::new();
        for file in self.bundles.values().flat_map(|bundle| &bundle.files) {
            if let Some(number) = socket_number(file) {
                let (in_flight, _) = counts.entry(number).or_insert((0, Arc::strong_count(file)));
                *in_flight += 1;
            }
        }
        let mut unreachable: BTreeSet<u64> = counts
            .into_iter()
            .filter(|(_, (in_flight, handles))| in_flight == handles)
            .map(|(number, _)| number)
            .collect();
        if unreachable.is_empty() {
            return LinkedList::new();
        }
        // What is in a reachable inbox is reachable, and so is what is in its inbox.
        let mut contents: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
        for (&number, bundle) in &self.bundles {
            contents.entry(bundle.owner()).or_default().push(number);
        }
        let mut reachable: Vec<u64> =
            contents.keys().copied().filter(|owner| !unreachable.contains(owner)).collect();
        while let Some(owner) = reachable.pop() {
            let bundles = contents.remove(&owner).unwrap_or_default();
            let files = bundles.iter().filter_map(|number| self.bundles.get(number)).flat_map(|it| &it.files);
            reachable
                .extend(files.filter_map(|file| socket_number(file)).filter(|it| unreachable.remove(it)));
        }
        let lost: Vec<u64> =
            unreachable.iter().filter_map(|owner| contents.remove(owner)).flatten().collect();
        lost.into_iter().filter_map(|number| self.land(number)).map(|bundle| bundle.files).collect()
    }
}

impl Doomed {
    /// Takes the next file.
    fn next(&mut self) -> Option<Arc<OpenFile>> {
        loop {
            if let Some(file) = self.files.front_mut()?.pop() {
                return Some(file);
            }
            self.files.pop_front();
        }
    }
}

impl Bundle {
    /// The socket that leads to the inbox: its own, or the listening one at which it has arrived.
    fn owner(&self) -> u64 {
        match self.holder.arrived_at.load(Ordering::SeqCst) {
            0 => self.holder.number(),
            listener => listener,
        }
    }
}

/// Notes that a socket was closed, and now and then closes those that cannot be reached any more: with few in flight
/// each time, with many not before as much has happened that looking at all of them is worth it.
pub(super) fn collect() {
    let in_flight = SOCKETS.load(Ordering::Relaxed);
    if in_flight == 0 {
        return;
    }
    {
        let mut doomed = DOOMED.lock();
        doomed.closed += 1;
        if doomed.closed * CLOSED_SHARE < in_flight {
            return;
        }
        doomed.closed = 0;
        doomed.is_due = true;
    }
    attend();
}

/// Lets go of files that nobody will receive.
fn let_go(files: Vec<Arc<OpenFile>>) {
    DOOMED.lock().files.push_back(files);
    attend();
}

/// Does what is to be done about the doomed, unless somebody is at it, maybe further up on this stack.
fn attend() {
    {
        let mut doomed = DOOMED.lock();
        if doomed.is_attended {
            return;
        }
        doomed.is_attended = true;
    }
    loop {
        let mut doomed = DOOMED.lock();
        let file = doomed.next();
        let is_due = file.is_none() && core::mem::take(&mut doomed.is_due);
        doomed.is_attended = file.is_some() || is_due;
        let is_over = !doomed.is_attended;
        drop(doomed);
        if is_over {
            return;
        }
        drop(file);
        if is_due {
            let mut lost = FLIGHT.lock().land_unreachable();
            DOOMED.lock().files.append(&mut lost);
        }
    }
}
