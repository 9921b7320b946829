//! Sockets: families, types, options, addresses, messages.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

consts! { u16;
    AF_UNSPEC = 0, "None.";
    AF_UNIX = 1, "Local.";
    AF_INET = 2, "Internet, version 4.";
    AF_INET6 = 10, "Internet, version 6.";
    AF_NETLINK = 16, "Kernel interface.";
    AF_PACKET = 17, "Raw packets.";
    AF_ALG = 38, "Kernel cryptography.";
    AF_VSOCK = 40, "Between virtual machines.";
    AF_MAX = 46, "One more than the highest family.";
}

consts! { u32;
    SOCK_STREAM = 1, "Type: a stream of bytes.";
    SOCK_DGRAM = 2, "Type: datagrams.";
    SOCK_RAW = 3, "Type: raw packets.";
    SOCK_RDM = 4, "Type: reliable datagrams.";
    SOCK_SEQPACKET = 5, "Type: datagrams over a connection.";
    SOCK_TYPE_MASK = 0xf, "Mask of the type.";
    SOCK_CLOEXEC = 0o2000000, "Bit beside the type: close on exec.";
    SOCK_NONBLOCK = 0o4000, "Bit beside the type: do not wait.";
}

consts! { u32;
    SHUT_RD = 0, "`shutdown`: no more reading.";
    SHUT_WR = 1, "`shutdown`: no more writing.";
    SHUT_RDWR = 2, "`shutdown`: neither.";
    SOMAXCONN = 4096, "Connections waiting to be accepted, at most, by default.";
}

/// Level of the socket options.
pub const SOL_SOCKET: i32 = 1;

consts! { i32;
    SO_DEBUG = 1, "Option: debugging.";
    SO_REUSEADDR = 2, "Option: reuse the address.";
    SO_TYPE = 3, "Option: the type.";
    SO_ERROR = 4, "Option: the pending error.";
    SO_DONTROUTE = 5, "Option: no routing.";
    SO_BROADCAST = 6, "Option: broadcasts.";
    SO_SNDBUF = 7, "Option: send buffer, bytes.";
    SO_RCVBUF = 8, "Option: receive buffer, bytes.";
    SO_KEEPALIVE = 9, "Option: keep alive.";
    SO_OOBINLINE = 10, "Option: urgent data in line.";
    SO_NO_CHECK = 11, "Option: no checksums.";
    SO_PRIORITY = 12, "Option: priority.";
    SO_LINGER = 13, "Option: wait on close.";
    SO_BSDCOMPAT = 14, "Option: no meaning.";
    SO_REUSEPORT = 15, "Option: share the port.";
    SO_PASSCRED = 16, "Option: receive credentials.";
    SO_PEERCRED = 17, "Option: the peer's credentials.";
    SO_RCVLOWAT = 18, "Option: bytes to wait for.";
    SO_SNDLOWAT = 19, "Option: room to wait for.";
    SO_RCVTIMEO = 20, "Option: receive time limit.";
    SO_SNDTIMEO = 21, "Option: send time limit.";
    SO_BINDTODEVICE = 25, "Option: bind to a device.";
    SO_ATTACH_FILTER = 26, "Option: attach a filter.";
    SO_PEERNAME = 28, "Option: the peer's address.";
    SO_TIMESTAMP = 29, "Option: time stamps.";
    SO_ACCEPTCONN = 30, "Option: listening.";
    SO_PEERSEC = 31, "Option: the peer's security label.";
    SO_SNDBUFFORCE = 32, "Option: send buffer, past the limit.";
    SO_RCVBUFFORCE = 33, "Option: receive buffer, past the limit.";
    SO_PASSSEC = 34, "Option: receive security labels.";
    SO_PROTOCOL = 38, "Option: the protocol.";
    SO_DOMAIN = 39, "Option: the family.";
    SO_MARK = 36, "Option: mark of packets.";
    SO_PEEK_OFF = 42, "Option: where the next peek looks.";
    SO_PEERGROUPS = 59, "Option: the peer's groups.";
    SO_RCVTIMEO_NEW = 66, "Option: receive time limit, with 64-bit seconds.";
    SO_SNDTIMEO_NEW = 67, "Option: send time limit, with 64-bit seconds.";
    SO_PASSPIDFD = 76, "Option: receive pidfds.";
    SO_PEERPIDFD = 77, "Option: the peer's pidfd.";
}

consts! { i32;
    SCM_RIGHTS = 1, "Control message: descriptors.";
    SCM_CREDENTIALS = 2, "Control message: [`Ucred`].";
    SCM_MAX_FD = 253, "Descriptors in one control message.";
}

consts! { u32;
    MSG_OOB = 0x1, "Urgent data.";
    MSG_PEEK = 0x2, "Leave the data.";
    MSG_DONTROUTE = 0x4, "No routing.";
    MSG_CTRUNC = 0x8, "Control data was cut.";
    MSG_TRUNC = 0x20, "Data was cut; return the real length.";
    MSG_DONTWAIT = 0x40, "Do not wait.";
    MSG_EOR = 0x80, "End of a record.";
    MSG_WAITALL = 0x100, "Wait for all.";
    MSG_CONFIRM = 0x800, "The path works.";
    MSG_ERRQUEUE = 0x2000, "From the error queue.";
    MSG_NOSIGNAL = 0x4000, "No `SIGPIPE`.";
    MSG_MORE = 0x8000, "More will come.";
    MSG_WAITFORONE = 0x1_0000, "`recvmmsg`: wait for the first only.";
    MSG_FASTOPEN = 0x2000_0000, "Send with the connection request.";
    MSG_CMSG_CLOEXEC = 0x4000_0000, "Received descriptors close on exec.";
}

/// Bytes of the path in [`SockaddrUn`].
pub const UNIX_PATH_MAX: usize = 108;

/// `struct sockaddr_un`.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct SockaddrUn {
    /// `AF_UNIX`.
    pub sun_family: u16,
    /// Path; with a zero first: an abstract name, its length from the address's length.
    pub sun_path: [u8; UNIX_PATH_MAX],
}

const _: () = assert!(size_of::<SockaddrUn>() == 110);

/// Bytes of the largest address.
pub const SOCKADDR_STORAGE_LEN: usize = 128;

/// `struct msghdr` as the system calls take it. The addresses are a program's claims.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Msghdr {
    /// Address of the peer's address; 0: none.
    pub msg_name: u64,
    /// Its length.
    pub msg_namelen: i32,
    /// Zero.
    pub _pad0: u32,
    /// Address of the vectors.
    pub msg_iov: u64,
    /// Number of vectors.
    pub msg_iovlen: u64,
    /// Address of the control data.
    pub msg_control: u64,
    /// Its length.
    pub msg_controllen: u64,
    /// `MSG_*`.
    pub msg_flags: u32,
    /// Zero.
    pub _pad1: u32,
}

const _: () = assert!(size_of::<Msghdr>() == 56);

/// `struct mmsghdr`.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Mmsghdr {
    /// Message.
    pub msg_hdr: Msghdr,
    /// Bytes moved.
    pub msg_len: u32,
    /// Zero.
    pub _pad: u32,
}

/// `struct cmsghdr`: before the data of a control message.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Cmsghdr {
    /// Length of header and data.
    pub cmsg_len: u64,
    /// Level.
    pub cmsg_level: i32,
    /// Type.
    pub cmsg_type: i32,
}

const _: () = assert!(size_of::<Cmsghdr>() == 16);

/// Returns `len` rounded up to where the next control message starts; `None` on overflow.
pub const fn cmsg_align(len: usize) -> Option<usize> {
    len.checked_next_multiple_of(8)
}

/// `struct ucred`.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Ucred {
    /// Process.
    pub pid: i32,
    /// User.
    pub uid: u32,
    /// Group.
    pub gid: u32,
}

/// `struct linger`.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Linger {
    /// Nonzero: on.
    pub l_onoff: i32,
    /// Seconds.
    pub l_linger: i32,
}
