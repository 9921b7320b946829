//! Names of Unix sockets: paths, and abstract names, which are no files.

use alloc::collections::BTreeMap;
use alloc::collections::btree_map::Entry;
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::fmt::Write;
use core::sync::atomic::Ordering;

use hal::sync::SpinLock;
use linux_abi::errno::Errno;
use linux_abi::socket::{AF_UNIX, UNIX_PATH_MAX};

use super::Endpoint;
use super::endpoint::Status;
use crate::fs::vfs::access::{self, MAY_WRITE};
use crate::fs::vfs::text::Text;
use crate::fs::vfs::{Base, FileType, Inode, NodeKind, Path, Removal};
use crate::lock_order;
use crate::net::{Actor, Address, SocketKind};
use crate::random;

/// Bytes of the family, before the name.
const FAMILY_LEN: usize = size_of::<u16>();
/// Names that autobind chooses from: five hexadecimal digits.
const AUTOMATIC_NAMES: u64 = 1 << 20;

/// The name of an endpoint.
#[derive(Clone)]
pub(super) struct Name {
    /// As a program sees it, with its family.
    pub(super) address: Arc<[u8]>,
    /// Where the file of that name is; kept, so that its inode belongs to no other file meanwhile.
    place: Option<Path>,
}

/// An address that a program gave.
pub(super) enum Wanted<'a> {
    /// A path, without its NUL.
    Path(&'a [u8]),
    /// An abstract name, with the family before it and the NUL.
    Abstract(&'a [u8]),
}

/// The sockets and their names.
struct Names {
    all: BTreeMap<u64, Weak<Endpoint>>,
    abstract_names: BTreeMap<(SocketKind, Arc<[u8]>), Weak<Endpoint>>,
    /// By device and inode number.
    files: BTreeMap<(u32, u64), Weak<Endpoint>>,
}

hal::machine_static! {
    static NAMES: SpinLock<Names> = SpinLock::new(
        lock_order::SOCKET_NAMES,
        Names { all: BTreeMap::new(), abstract_names: BTreeMap::new(), files: BTreeMap::new() },
    );
}

/// Enters a new endpoint into the list of all.
pub(super) fn enrol(endpoint: &Arc<Endpoint>) {
    NAMES.lock().all.insert(endpoint.number(), Arc::downgrade(endpoint));
}

/// Strikes an endpoint out of the list of all.
pub(super) fn strike_out(number: u64) {
    let entry = NAMES.lock().all.remove(&number);
    drop(entry);
}

/// Whether a program gave an address without a name: bind(2) chooses one then.
pub(super) fn is_unnamed(address: &[u8]) -> bool {
    address.len() == FAMILY_LEN && has_family(address)
}

fn has_family(address: &[u8]) -> bool {
    address.starts_with(&AF_UNIX.to_ne_bytes())
}

/// Reads an address that names somebody.
///
/// # Errors
/// `EINVAL`: too short or too long, or of another family.
pub(super) fn parse(address: &[u8]) -> Result<Wanted<'_>, Errno> {
    let lengths = FAMILY_LEN + 1..=FAMILY_LEN + UNIX_PATH_MAX;
    if !lengths.contains(&address.len()) || !has_family(address) {
        return Err(Errno::EINVAL);
    }
    let name = &address[FAMILY_LEN..];
    if name[0] == 0 {
        return Ok(Wanted::Abstract(address));
    }
    Ok(Wanted::Path(name.split(|&byte| byte == 0).next().unwrap_or(name)))
}

/// The address of a path, with a NUL behind it.
fn address_of_path(path: &[u8]) -> Arc<[u8]> {
    let mut address = Vec::with_capacity(FAMILY_LEN + path.len() + 1);
    address.extend_from_slice(&AF_UNIX.to_ne_bytes());
    address.extend_from_slice(path);
    address.push(0);
    address.into()
}

fn file_key(inode: &dyn Inode) -> (u32, u64) {
    let metadata = inode.metadata();
    (metadata.device.0, metadata.inode_number)
}

/// Names `endpoint` as `address` says.
///
/// # Errors
/// - `EADDRINUSE`: the name is taken.
/// - `EINVAL`: a bad address, or the endpoint has a name.
/// - For a path those of [`Caller::make_node`](crate::fs::vfs::Caller::make_node).
pub(super) fn bind(endpoint: &Arc<Endpoint>, actor: &Actor, address: &[u8]) -> Result<(), Errno> {
    if is_unnamed(address) {
        return autobind(endpoint);
    }
    match parse(address)? {
        Wanted::Path(path) => bind_path(endpoint, actor, path),
        Wanted::Abstract(address) => bind_abstract(endpoint, address.into()),
    }
}

fn bind_path(endpoint: &Arc<Endpoint>, actor: &Actor, path: &[u8]) -> Result<(), Errno> {
    let permissions = endpoint.metadata().mode.permissions();
    let caller = actor.caller();
    let made = caller.make_node(Base::WorkingDirectory, path, NodeKind::Socket, permissions);
    let place = made.map_err(|error| if error == Errno::EEXIST { Errno::EADDRINUSE } else { error })?;
    let key = file_key(&**place.inode());
    let name = Name { address: address_of_path(path), place: Some(place) };
    if endpoint.name.set(name).is_err() {
        // The name made for nothing. Should somebody have replaced it, theirs goes: as on Linux.
        let _ = caller.remove(Base::WorkingDirectory, path, Removal::File);
        return Err(Errno::EINVAL);
    }
    NAMES.lock().files.insert(key, Arc::downgrade(endpoint));
    Ok(())
}

fn bind_abstract(endpoint: &Arc<Endpoint>, address: Arc<[u8]>) -> Result<(), Errno> {
    let mut names = NAMES.lock();
    if endpoint.name.get().is_some() {
        return Err(Errno::EINVAL);
    }
    let Entry::Vacant(entry) = names.abstract_names.entry((endpoint.kind, address.clone())) else {
        return Err(Errno::EADDRINUSE);
    };
    if endpoint.name.set(Name { address, place: None }).is_err() {
        return Err(Errno::EINVAL);
    }
    entry.insert(Arc::downgrade(endpoint));
    Ok(())
}

/// Gives `endpoint` an abstract name that nobody has, unless it has a name.
///
/// # Errors
/// `ENOSPC`: all are taken.
pub(super) fn autobind(endpoint: &Arc<Endpoint>) -> Result<(), Errno> {
    if endpoint.name.get().is_some() {
        return Ok(());
    }
    let first = random::below(AUTOMATIC_NAMES);
    for step in 0..AUTOMATIC_NAMES {
        let digits = alloc::format!("{:05x}", (first + step) % AUTOMATIC_NAMES);
        let mut address = Vec::with_capacity(FAMILY_LEN + 1 + digits.len());
        address.extend_from_slice(&AF_UNIX.to_ne_bytes());
        address.push(0);
        address.extend_from_slice(digits.as_bytes());
        match bind_abstract(endpoint, address.into()) {
            Err(Errno::EADDRINUSE) => crate::scheduler::cond_resched(),
            // Another thread was faster.
            Err(Errno::EINVAL) => return Ok(()),
            outcome => return outcome,
        }
    }
    Err(Errno::ENOSPC)
}

/// Frees the name of `endpoint`; the file stays.
pub(super) fn unbind(endpoint: &Endpoint) {
    let Some(name) = endpoint.name.get() else { return };
    let is_ours = |entry: &Weak<Endpoint>| core::ptr::eq(entry.as_ptr(), endpoint);
    let mut names = NAMES.lock();
    let freed = match &name.place {
        Some(place) => {
            let key = file_key(&**place.inode());
            names.files.get(&key).is_some_and(is_ours).then(|| names.files.remove(&key)).flatten()
        }
        None => {
            let key = (endpoint.kind, name.address.clone());
            let entry = names.abstract_names.get(&key);
            entry.is_some_and(is_ours).then(|| names.abstract_names.remove(&key)).flatten()
        }
    };
    drop(names);
    drop(freed);
}

/// Finds the endpoint of type `kind` that `address` names, for `actor` to send to or connect.
///
/// # Errors
/// - `ECONNREFUSED`: nobody has that name.
/// - `EPROTOTYPE`: a socket of another type has the path.
/// - `EACCES`: the path may not be written. `EINVAL`. Those of the walk.
pub(super) fn find(actor: &Actor, address: &[u8], kind: SocketKind) -> Result<Arc<Endpoint>, Errno> {
    match parse(address)? {
        Wanted::Path(path) => {
            let place = actor.caller().resolve(Base::WorkingDirectory, path, true)?;
            access::check(place.inode().ownership(), &actor.credentials, MAY_WRITE)?;
            if place.dentry.file_type() != FileType::Socket {
                return Err(Errno::ECONNREFUSED);
            }
            let key = file_key(&**place.inode());
            let found = NAMES.lock().files.get(&key).and_then(Weak::upgrade).ok_or(Errno::ECONNREFUSED)?;
            if found.kind == kind { Ok(found) } else { Err(Errno::EPROTOTYPE) }
        }
        Wanted::Abstract(address) => {
            let key = (kind, address.into());
            NAMES.lock().abstract_names.get(&key).and_then(Weak::upgrade).ok_or(Errno::ECONNREFUSED)
        }
    }
}

/// The address of an endpoint.
pub(super) fn address_of(endpoint: &Endpoint) -> Address {
    endpoint.name.get().map(|name| name.address.clone())
}

/// Writes `/proc/net/unix`: a line for each socket.
pub fn write_sockets(text: &mut Text) {
    text.push(b"Num       RefCount Protocol Flags    Type St Inode Path\n");
    let mut after = 0;
    loop {
        let next =
            NAMES.lock().all.range(after..).find_map(|(&number, entry)| Some((number, entry.upgrade()?)));
        let Some((number, endpoint)) = next else { break };
        after = number + 1;
        write_line(text, &endpoint);
    }
}

fn write_line(text: &mut Text, endpoint: &Arc<Endpoint>) {
    /// `__SO_ACCEPTCON`.
    const LISTENS: u32 = 1 << 16;
    let status = endpoint.status();
    let is_arrival = endpoint.arrived_at.load(Ordering::Relaxed) != 0;
    let flags = if status == Status::Listening { LISTENS } else { 0 };
    // SS_UNCONNECTED, SS_CONNECTING, SS_CONNECTED.
    let state = match status {
        Status::Connected if is_arrival => 2,
        Status::Connected => 3,
        _ => 1,
    };
    // The handle used here does not count. That a text has become too long, it says itself.
    let _ = write!(
        text,
        "{:016x}: {:08X} 00000000 {flags:08X} {:04X} {state:02X} {:5}",
        0,
        Arc::strong_count(endpoint) - 1,
        endpoint.kind as u8,
        endpoint.number(),
    );
    if let Some(name) = endpoint.name.get() {
        text.push(b" ");
        match &name.place {
            Some(_) => text.push(&name.address[FAMILY_LEN..name.address.len() - 1]),
            None => {
                let shown: Vec<u8> = name.address[FAMILY_LEN..]
                    .iter()
                    .map(|&byte| if byte == 0 { b'@' } else { byte })
                    .collect();
                text.push(&shown);
            }
        }
    }
    text.push(b"\n");
}
