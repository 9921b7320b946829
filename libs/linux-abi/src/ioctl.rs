//! Numbers of `ioctl(2)`.

/// Direction in a composed number: the program writes.
const WRITE: u32 = 1;
/// Direction in a composed number: the program reads.
const READ: u32 = 2;

/// Composes a number: direction, size of the argument, type, serial number.
const fn compose(direction: u32, kind: u8, serial: u32, size: usize) -> u32 {
    direction << 30 | (size as u32) << 16 | (kind as u32) << 8 | serial
}

/// Returns the number of a request without argument (`_IO`).
pub const fn io(kind: u8, serial: u32) -> u32 {
    compose(0, kind, serial, 0)
}

/// Returns the number of a request that returns `size` bytes (`_IOR`).
pub const fn ior(kind: u8, serial: u32, size: usize) -> u32 {
    compose(READ, kind, serial, size)
}

/// Returns the number of a request that takes `size` bytes (`_IOW`).
pub const fn iow(kind: u8, serial: u32, size: usize) -> u32 {
    compose(WRITE, kind, serial, size)
}

/// Returns the number of a request that takes and returns `size` bytes (`_IOWR`).
pub const fn iowr(kind: u8, serial: u32, size: usize) -> u32 {
    compose(READ | WRITE, kind, serial, size)
}

/// Returns the type byte of a request.
pub const fn kind(request: u32) -> u8 {
    (request >> 8) as u8
}

consts! { u32;
    TCGETS = 0x5401, "Returns `Termios`.";
    TCSETS = 0x5402, "Sets `Termios` now.";
    TCSETSW = 0x5403, "Sets `Termios` after output has drained.";
    TCSETSF = 0x5404, "Sets `Termios` after output has drained, dropping input.";
    TCGETA = 0x5405, "Returns the old `struct termio`.";
    TCSETA = 0x5406, "Sets the old `struct termio` now.";
    TCSETAW = 0x5407, "Sets the old `struct termio` after output has drained.";
    TCSETAF = 0x5408, "Sets the old `struct termio` after output has drained, dropping input.";
    TCSBRK = 0x5409, "Sends a break (argument 0) or drains output.";
    TCXONC = 0x540a, "Stops and restarts.";
    TCFLSH = 0x540b, "Drops input or output.";
    TIOCEXCL = 0x540c, "Refuses further opens.";
    TIOCNXCL = 0x540d, "Allows further opens.";
    TIOCSCTTY = 0x540e, "Becomes the controlling terminal.";
    TIOCGPGRP = 0x540f, "Returns the foreground group.";
    TIOCSPGRP = 0x5410, "Sets the foreground group.";
    TIOCOUTQ = 0x5411, "Returns the bytes waiting for output.";
    TIOCSTI = 0x5412, "Puts a byte into the input.";
    TIOCGWINSZ = 0x5413, "Returns `Winsize`.";
    TIOCSWINSZ = 0x5414, "Sets `Winsize`.";
    TIOCMGET = 0x5415, "Returns the modem lines.";
    TIOCMBIS = 0x5416, "Raises modem lines.";
    TIOCMBIC = 0x5417, "Lowers modem lines.";
    TIOCMSET = 0x5418, "Sets the modem lines.";
    TIOCGSOFTCAR = 0x5419, "Returns whether the carrier is ignored.";
    TIOCSSOFTCAR = 0x541a, "Sets whether the carrier is ignored.";
    SIOCOUTQ = TIOCOUTQ, "Returns the bytes that a socket has sent and nobody has received.";
    SIOCATMARK = 0x8905, "Tells whether the next byte of a socket is urgent.";
    FIONREAD = 0x541b, "Returns the bytes ready for reading.";
    TIOCINQ = FIONREAD, "Returns the bytes ready for reading.";
    TIOCLINUX = 0x541c, "Console functions.";
    TIOCCONS = 0x541d, "Redirects the console.";
    TIOCGSERIAL = 0x541e, "Returns serial port settings.";
    TIOCSSERIAL = 0x541f, "Sets serial port settings.";
    TIOCPKT = 0x5420, "Switches packet mode.";
    FIONBIO = 0x5421, "Switches `O_NONBLOCK`.";
    TIOCNOTTY = 0x5422, "Gives up the controlling terminal.";
    TIOCSETD = 0x5423, "Sets the line discipline.";
    TIOCGETD = 0x5424, "Returns the line discipline.";
    TCSBRKP = 0x5425, "Sends a break of some length.";
    TIOCSBRK = 0x5427, "Starts a break.";
    TIOCCBRK = 0x5428, "Ends a break.";
    TIOCGSID = 0x5429, "Returns the session.";
    TCGETS2 = ior(b'T', 0x2a, 44), "Returns `Termios2`.";
    TCSETS2 = iow(b'T', 0x2b, 44), "Sets `Termios2` now.";
    TCSETSW2 = iow(b'T', 0x2c, 44), "Sets `Termios2` after output has drained.";
    TCSETSF2 = iow(b'T', 0x2d, 44), "Sets `Termios2` after output has drained, dropping input.";
    TIOCGPTN = ior(b'T', 0x30, 4), "Returns the number of a pseudo-terminal.";
    TIOCSPTLCK = iow(b'T', 0x31, 4), "Locks or unlocks a pseudo-terminal.";
    TIOCGDEV = ior(b'T', 0x32, 4), "Returns the device behind the console.";
    TIOCSIG = iow(b'T', 0x36, 4), "Sends a signal to the foreground group.";
    TIOCVHANGUP = 0x5437, "Hangs up.";
    TIOCGPKT = ior(b'T', 0x38, 4), "Returns packet mode.";
    TIOCGPTLCK = ior(b'T', 0x39, 4), "Returns whether a pseudo-terminal is locked.";
    TIOCGEXCL = ior(b'T', 0x40, 4), "Returns whether further opens are refused.";
    TIOCGPTPEER = io(b'T', 0x41), "Opens the other end of a pseudo-terminal.";
    FIONCLEX = 0x5450, "Clears close-on-exec.";
    FIOCLEX = 0x5451, "Sets close-on-exec.";
    FIOASYNC = 0x5452, "Switches signal I/O.";
    TIOCSERGETLSR = 0x5459, "Returns the line status register.";
    TIOCMIWAIT = 0x545c, "Waits for a change of modem lines.";
    TIOCGICOUNT = 0x545d, "Returns counts of modem line changes.";
    FIOQSIZE = 0x5460, "Returns the size of a file.";
}

consts! { u32;
    BLKROSET = io(0x12, 93), "Sets whether a block device is read-only.";
    BLKROGET = io(0x12, 94), "Returns whether a block device is read-only.";
    BLKRRPART = io(0x12, 95), "Reads the partition table again.";
    BLKGETSIZE = io(0x12, 96), "Returns the size, units of 512 bytes.";
    BLKFLSBUF = io(0x12, 97), "Flushes.";
    BLKRASET = io(0x12, 98), "Sets read-ahead.";
    BLKRAGET = io(0x12, 99), "Returns read-ahead.";
    BLKSECTGET = io(0x12, 103), "Returns the sectors of a request at most.";
    BLKSSZGET = io(0x12, 104), "Returns the logical sector size.";
    BLKBSZGET = ior(0x12, 112, 8), "Returns the block size.";
    BLKBSZSET = iow(0x12, 113, 8), "Sets the block size.";
    BLKGETSIZE64 = ior(0x12, 114, 8), "Returns the size, bytes.";
    BLKDISCARD = io(0x12, 119), "Discards a range.";
    BLKIOMIN = io(0x12, 120), "Returns the smallest good request, bytes.";
    BLKIOOPT = io(0x12, 121), "Returns the best request, bytes.";
    BLKALIGNOFF = io(0x12, 122), "Returns the alignment offset.";
    BLKPBSZGET = io(0x12, 123), "Returns the physical sector size.";
    BLKDISCARDZEROES = io(0x12, 124), "Returns whether discarded ranges read as zeros.";
    BLKROTATIONAL = io(0x12, 126), "Returns whether the disk turns.";
    BLKZEROOUT = io(0x12, 127), "Fills a range with zeros.";
    LOOP_SET_FD = 0x4c00, "Ties a file to a loop device.";
    LOOP_CLR_FD = 0x4c01, "Unties the file.";
    LOOP_SET_STATUS64 = 0x4c04, "Sets a loop device's settings.";
    LOOP_GET_STATUS64 = 0x4c05, "Returns a loop device's settings.";
    LOOP_CONFIGURE = 0x4c0a, "Ties a file with settings.";
    LOOP_CTL_GET_FREE = 0x4c82, "Finds a free loop device.";
}

consts! { u32;
    FIBMAP = io(0, 1), "Returns the block behind a block of a file.";
    FIGETBSZ = io(0, 2), "Returns the block size.";
    FICLONE = iow(0x94, 9, 4), "Shares the contents of another file.";
    FS_IOC_GETFLAGS = ior(b'f', 1, 8), "Returns inode flags.";
    FS_IOC_SETFLAGS = iow(b'f', 2, 8), "Sets inode flags.";
    FS_IOC_FIEMAP = iowr(b'f', 11, 32), "Returns the extents of a file.";
}

consts! { u32;
    RNDGETENTCNT = ior(b'R', 0, 4), "Returns the entropy count.";
    RNDADDTOENTCNT = iow(b'R', 1, 4), "Adds to the entropy count.";
    RNDGETPOOL = ior(b'R', 2, 8), "Returns the pool; refused.";
    RNDADDENTROPY = iow(b'R', 3, 8), "Adds entropy.";
    RNDZAPENTCNT = io(b'R', 4), "Clears the entropy count.";
    RNDCLEARPOOL = io(b'R', 6), "Clears the pool.";
    RNDRESEEDCRNG = io(b'R', 7), "Reseeds the generator.";
}

consts! { u32;
    RTC_RD_TIME = ior(b'p', 9, 36), "Returns the time of a real-time clock.";
    RTC_SET_TIME = iow(b'p', 10, 36), "Sets a real-time clock.";
}

consts! { u32;
    VT_OPENQRY = 0x5600, "Finds a free virtual terminal.";
    VT_GETMODE = 0x5601, "Returns the mode of a virtual terminal.";
    VT_SETMODE = 0x5602, "Sets the mode of a virtual terminal.";
    VT_GETSTATE = 0x5603, "Returns which virtual terminal is shown; programs tell a console by it.";
    VT_ACTIVATE = 0x5606, "Shows a virtual terminal.";
    VT_WAITACTIVE = 0x5607, "Waits until a virtual terminal is shown.";
    KDGKBTYPE = 0x4b33, "Returns the keyboard type; programs tell a console by it.";
    KDGKBMODE = 0x4b44, "Returns the keyboard mode.";
    KDSKBMODE = 0x4b45, "Sets the keyboard mode.";
}
