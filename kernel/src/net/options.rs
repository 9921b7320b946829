//! Options of sockets: getsockopt(2), setsockopt(2) at `SOL_SOCKET`.

use core::sync::atomic::{AtomicI32, AtomicU32, AtomicU64, Ordering::Relaxed};

use linux_abi::cap::{CAP_NET_ADMIN, CAP_NET_RAW};
use linux_abi::errno::Errno;
use linux_abi::socket::{self as abi, Linger};
use linux_abi::time::Timeval;
use zerocopy::{FromBytes, IntoBytes};

use super::Socket;
use crate::process::credentials::Credentials;

/// A time limit that never ends, nanoseconds.
pub(super) const FOREVER: u64 = u64::MAX;
/// What a program may set a buffer to without privilege, and what it has at first, bytes (`net.core.wmem_max`).
pub const MAX_BUFFER: u32 = 212_992;
/// The smallest send buffer, bytes.
const MIN_SEND_BUFFER: u32 = 4608;
/// The smallest receive buffer, bytes.
const MIN_RECEIVE_BUFFER: u32 = 2304;
/// Priorities up to this need no privilege.
const MAX_UNPRIVILEGED_PRIORITY: i32 = 6;

/// An option that is on or off.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Switch {
    /// `SO_DEBUG`.
    Debug,
    /// `SO_REUSEADDR`.
    ReuseAddress,
    /// `SO_REUSEPORT`.
    ReusePort,
    /// `SO_KEEPALIVE`.
    KeepAlive,
    /// `SO_BROADCAST`.
    Broadcast,
    /// `SO_DONTROUTE`.
    NoRoute,
    /// `SO_OOBINLINE`.
    UrgentInline,
    /// `SO_PASSCRED`: credentials come with what is received.
    PassCredentials,
    /// `SO_LINGER`.
    Linger,
}

/// The options of a socket.
pub struct Options {
    switches: AtomicU32,
    send_buffer: AtomicU32,
    receive_buffer: AtomicU32,
    low_water: AtomicU32,
    /// Where the next peek looks; negative: at the beginning, always.
    peek_offset: AtomicI32,
    priority: AtomicI32,
    mark: AtomicU32,
    linger_seconds: AtomicI32,
    /// Nanoseconds; 0: do not wait; [`FOREVER`].
    receive_timeout: AtomicU64,
    send_timeout: AtomicU64,
}

/// The value of an option.
#[derive(Clone, Copy, Debug)]
pub enum OptionValue {
    /// A number.
    Int(i32),
    /// A duration.
    Time(Timeval),
    /// `SO_LINGER`.
    Linger(Linger),
}

impl OptionValue {
    /// The bytes a program gets.
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Int(value) => value.as_bytes(),
            Self::Time(value) => value.as_bytes(),
            Self::Linger(value) => value.as_bytes(),
        }
    }
}

impl Default for Options {
    fn default() -> Self {
        Self::new()
    }
}

impl Options {
    /// What a new socket has.
    pub const fn new() -> Self {
        Self {
            switches: AtomicU32::new(0),
            send_buffer: AtomicU32::new(MAX_BUFFER),
            receive_buffer: AtomicU32::new(MAX_BUFFER),
            low_water: AtomicU32::new(1),
            peek_offset: AtomicI32::new(-1),
            priority: AtomicI32::new(0),
            mark: AtomicU32::new(0),
            linger_seconds: AtomicI32::new(0),
            receive_timeout: AtomicU64::new(FOREVER),
            send_timeout: AtomicU64::new(FOREVER),
        }
    }

    /// Whether `switch` is on.
    #[inline]
    pub fn is_on(&self, switch: Switch) -> bool {
        self.switches.load(Relaxed) & 1 << switch as u8 != 0
    }

    /// Turns `switch` on or off.
    pub fn turn(&self, switch: Switch, on: bool) {
        let bit = 1 << switch as u8;
        if on {
            self.switches.fetch_or(bit, Relaxed);
        } else {
            self.switches.fetch_and(!bit, Relaxed);
        }
    }

    /// Bytes that may be on their way before a sender waits.
    #[inline]
    pub fn send_buffer(&self) -> usize {
        self.send_buffer.load(Relaxed) as usize
    }

    /// Bytes to wait for.
    pub fn low_water(&self) -> usize {
        self.low_water.load(Relaxed) as usize
    }

    /// How long a receiver waits, nanoseconds.
    #[inline]
    pub fn receive_timeout(&self) -> u64 {
        self.receive_timeout.load(Relaxed)
    }

    /// How long a sender waits, nanoseconds.
    #[inline]
    pub fn send_timeout(&self) -> u64 {
        self.send_timeout.load(Relaxed)
    }

    /// Where a peek looks, if that moves.
    pub fn peek_offset(&self) -> Option<usize> {
        usize::try_from(self.peek_offset.load(Relaxed)).ok()
    }

    /// Moves where the next peek looks: on after a peek, back (negative) when bytes before it are gone.
    pub fn move_peek_offset(&self, by: isize) {
        let moved = |offset: i32| {
            let sum = (offset as isize).saturating_add(by).clamp(0, i32::MAX as isize);
            (offset >= 0).then_some(sum as i32)
        };
        // Refused where it does not move.
        let _ = self.peek_offset.fetch_update(Relaxed, Relaxed, moved);
    }
}

/// Which switch an option is.
fn switch_of(option: i32) -> Option<Switch> {
    Some(match option {
        abi::SO_DEBUG => Switch::Debug,
        abi::SO_REUSEADDR => Switch::ReuseAddress,
        abi::SO_REUSEPORT => Switch::ReusePort,
        abi::SO_KEEPALIVE => Switch::KeepAlive,
        abi::SO_BROADCAST => Switch::Broadcast,
        abi::SO_DONTROUTE => Switch::NoRoute,
        abi::SO_OOBINLINE => Switch::UrgentInline,
        abi::SO_PASSCRED => Switch::PassCredentials,
        _ => return None,
    })
}

/// Returns the value of an option that is a plain value.
///
/// # Errors
/// `ENOPROTOOPT`: no such option.
pub(crate) fn get(socket: &dyn Socket, option: i32) -> Result<OptionValue, Errno> {
    let options = socket.options();
    if let Some(switch) = switch_of(option) {
        return Ok(OptionValue::Int(options.is_on(switch).into()));
    }
    Ok(OptionValue::Int(match option {
        abi::SO_TYPE => socket.kind() as i32,
        abi::SO_DOMAIN => socket.domain().into(),
        abi::SO_PROTOCOL | abi::SO_BSDCOMPAT | abi::SO_NO_CHECK => 0,
        abi::SO_ERROR => socket.take_error().map_or(0, |error| error.number()),
        abi::SO_ACCEPTCONN => socket.is_listening().into(),
        abi::SO_SNDBUF => options.send_buffer.load(Relaxed).cast_signed(),
        abi::SO_RCVBUF => options.receive_buffer.load(Relaxed).cast_signed(),
        abi::SO_RCVLOWAT => options.low_water.load(Relaxed).cast_signed(),
        abi::SO_SNDLOWAT => 1,
        abi::SO_PRIORITY => options.priority.load(Relaxed),
        abi::SO_MARK => options.mark.load(Relaxed).cast_signed(),
        abi::SO_PEEK_OFF => options.peek_offset.load(Relaxed),
        abi::SO_LINGER => {
            return Ok(OptionValue::Linger(Linger {
                l_onoff: options.is_on(Switch::Linger).into(),
                l_linger: options.linger_seconds.load(Relaxed),
            }));
        }
        abi::SO_RCVTIMEO | abi::SO_RCVTIMEO_NEW => {
            return Ok(OptionValue::Time(shown(options.receive_timeout())));
        }
        abi::SO_SNDTIMEO | abi::SO_SNDTIMEO_NEW => {
            return Ok(OptionValue::Time(shown(options.send_timeout())));
        }
        _ => return Err(Errno::ENOPROTOOPT),
    }))
}

/// Sets an option. `value` are the bytes of it that the program gave, as many as count at most.
///
/// # Errors
/// - `ENOPROTOOPT`: no such option, or it cannot be set.
/// - `EINVAL`: too few bytes, or a bad value. `EDOM`: a bad time.
/// - `EPERM`, `EACCES`: it takes a capability.
pub(crate) fn set(
    socket: &dyn Socket,
    option: i32,
    value: &[u8],
    credentials: &Credentials,
) -> Result<(), Errno> {
    let options = socket.options();
    let number = i32::read_from_prefix(value).map_err(|_| Errno::EINVAL)?.0;
    if let Some(switch) = switch_of(option) {
        if switch == Switch::Debug && number != 0 && !credentials.has(CAP_NET_ADMIN) {
            return Err(Errno::EACCES);
        }
        options.turn(switch, number != 0);
        return Ok(());
    }
    match option {
        abi::SO_SNDBUF => set_buffer(&options.send_buffer, number, MAX_BUFFER, MIN_SEND_BUFFER),
        abi::SO_RCVBUF => set_buffer(&options.receive_buffer, number, MAX_BUFFER, MIN_RECEIVE_BUFFER),
        abi::SO_SNDBUFFORCE => {
            credentials.require(CAP_NET_ADMIN)?;
            set_buffer(&options.send_buffer, number.max(0), u32::MAX, MIN_SEND_BUFFER);
        }
        abi::SO_RCVBUFFORCE => {
            credentials.require(CAP_NET_ADMIN)?;
            set_buffer(&options.receive_buffer, number.max(0), u32::MAX, MIN_RECEIVE_BUFFER);
        }
        abi::SO_RCVLOWAT => {
            let bytes = if number < 0 { i32::MAX } else { number.max(1) };
            options.low_water.store(bytes.cast_unsigned(), Relaxed);
        }
        abi::SO_PRIORITY => {
            let is_open = (0..=MAX_UNPRIVILEGED_PRIORITY).contains(&number);
            if !is_open && !credentials.has(CAP_NET_ADMIN) && !credentials.has(CAP_NET_RAW) {
                return Err(Errno::EPERM);
            }
            options.priority.store(number, Relaxed);
        }
        abi::SO_MARK => {
            if !credentials.has(CAP_NET_ADMIN) && !credentials.has(CAP_NET_RAW) {
                return Err(Errno::EPERM);
            }
            options.mark.store(number.cast_unsigned(), Relaxed);
        }
        abi::SO_PEEK_OFF => options.peek_offset.store(number, Relaxed),
        abi::SO_BSDCOMPAT | abi::SO_NO_CHECK => {}
        abi::SO_LINGER => {
            let linger = Linger::read_from_prefix(value).map_err(|_| Errno::EINVAL)?.0;
            options.turn(Switch::Linger, linger.l_onoff != 0);
            if linger.l_onoff != 0 {
                options.linger_seconds.store(linger.l_linger, Relaxed);
            }
        }
        abi::SO_RCVTIMEO | abi::SO_RCVTIMEO_NEW => {
            options.receive_timeout.store(timeout(value)?, Relaxed);
        }
        abi::SO_SNDTIMEO | abi::SO_SNDTIMEO_NEW => options.send_timeout.store(timeout(value)?, Relaxed),
        _ => return Err(Errno::ENOPROTOOPT),
    }
    socket.options_changed();
    Ok(())
}

/// Sets the size of a buffer: twice what was asked for, since Linux counts its own needs.
fn set_buffer(buffer: &AtomicU32, wanted: i32, limit: u32, least: u32) {
    let wanted = wanted.cast_unsigned().min(limit).min(i32::MAX as u32 / 2);
    buffer.store((wanted * 2).max(least), Relaxed);
}

/// The nanoseconds of a time limit; none given means for ever, a negative one not at all.
fn timeout(value: &[u8]) -> Result<u64, Errno> {
    let time = Timeval::read_from_prefix(value).map_err(|_| Errno::EINVAL)?.0;
    if !(0..1_000_000).contains(&time.tv_usec) {
        return Err(Errno::EDOM);
    }
    if time.tv_sec < 0 {
        return Ok(0);
    }
    match time.to_ns() {
        Some(0) | None => Ok(FOREVER),
        Some(ns) => Ok(ns),
    }
}

/// A time limit as a program sees it.
fn shown(timeout_ns: u64) -> Timeval {
    if timeout_ns == FOREVER { Timeval::default() } else { Timeval::from_ns(timeout_ns) }
}
