//! Terminal settings: the kernel's `struct termios`, `struct termios2`, flags, control characters, speeds.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Control characters in the kernel's structures.
pub const NCCS: usize = 19;

/// The kernel's `struct termios` (`TCGETS`, `TCSETS`): 36 bytes; the C library's is larger.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Termios {
    /// Input flags.
    pub c_iflag: u32,
    /// Output flags.
    pub c_oflag: u32,
    /// Line flags.
    pub c_cflag: u32,
    /// Local flags.
    pub c_lflag: u32,
    /// Line discipline.
    pub c_line: u8,
    /// Control characters, indexed by `V*`.
    pub c_cc: [u8; NCCS],
}

const _: () = assert!(size_of::<Termios>() == 36);

/// Control characters in `struct termio`.
pub const NCC: usize = 8;

/// `struct termio` of System V (`TCGETA`, `TCSETA`): the lower halves of the flags.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Termio {
    /// Input flags.
    pub c_iflag: u16,
    /// Output flags.
    pub c_oflag: u16,
    /// Line flags.
    pub c_cflag: u16,
    /// Local flags.
    pub c_lflag: u16,
    /// Line discipline.
    pub c_line: u8,
    /// Control characters, the first of those indexed by `V*`.
    pub c_cc: [u8; NCC],
    /// Fills the last word.
    pub padding: u8,
}

const _: () = assert!(size_of::<Termio>() == 18);

impl Termio {
    /// What it holds of `termios`.
    pub fn from_termios(termios: &Termios) -> Self {
        let mut c_cc = [0; NCC];
        c_cc.copy_from_slice(&termios.c_cc[..NCC]);
        Self {
            c_iflag: termios.c_iflag as u16,
            c_oflag: termios.c_oflag as u16,
            c_cflag: termios.c_cflag as u16,
            c_lflag: termios.c_lflag as u16,
            c_line: termios.c_line,
            c_cc,
            padding: 0,
        }
    }

    /// `old` with what this holds.
    pub fn to_termios(&self, old: &Termios) -> Termios {
        let join = |old: u32, new: u16| old & !0xffff | u32::from(new);
        let mut c_cc = old.c_cc;
        c_cc[..NCC].copy_from_slice(&self.c_cc);
        Termios {
            c_iflag: join(old.c_iflag, self.c_iflag),
            c_oflag: join(old.c_oflag, self.c_oflag),
            c_cflag: join(old.c_cflag, self.c_cflag),
            c_lflag: join(old.c_lflag, self.c_lflag),
            c_line: self.c_line,
            c_cc,
        }
    }
}

/// `struct termios2` (`TCGETS2`, `TCSETS2`): with speeds as numbers.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Termios2 {
    /// Input flags.
    pub c_iflag: u32,
    /// Output flags.
    pub c_oflag: u32,
    /// Line flags.
    pub c_cflag: u32,
    /// Local flags.
    pub c_lflag: u32,
    /// Line discipline.
    pub c_line: u8,
    /// Control characters, indexed by `V*`.
    pub c_cc: [u8; NCCS],
    /// Input speed, bits per second.
    pub c_ispeed: u32,
    /// Output speed, bits per second.
    pub c_ospeed: u32,
}

const _: () = assert!(size_of::<Termios2>() == 44);

impl Termios {
    /// The settings of a new terminal in Linux: cooked, echoing, 38400 baud, 8 bits.
    pub const INITIAL: Self = Self {
        c_iflag: ICRNL | IXON,
        c_oflag: OPOST | ONLCR,
        c_cflag: B38400 | CS8 | CREAD | HUPCL,
        c_lflag: ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN,
        c_line: N_TTY,
        c_cc: INITIAL_CC,
    };
}

impl Termios2 {
    /// Adds speeds, taken from the flags, to `termios`.
    pub const fn from_termios(termios: Termios) -> Self {
        let Termios { c_iflag, c_oflag, c_cflag, c_lflag, c_line, c_cc } = termios;
        let c_ospeed = match speed_of(c_cflag & CBAUD) {
            Some(speed) => speed,
            None => 0,
        };
        let c_ispeed = match speed_of(c_cflag >> IBSHIFT & CBAUD) {
            Some(speed) if speed != 0 => speed,
            _ => c_ospeed,
        };
        Self { c_iflag, c_oflag, c_cflag, c_lflag, c_line, c_cc, c_ispeed, c_ospeed }
    }

    /// Takes everything but the speeds from `termios`, and the speeds as far as its flags tell them: [`BOTHER`] keeps
    /// those of `self`.
    pub fn with(&self, termios: &Termios) -> Self {
        let mut new = Self::from_termios(*termios);
        if termios.c_cflag & CBAUD == BOTHER {
            new.c_ospeed = self.c_ospeed;
        }
        match termios.c_cflag >> IBSHIFT & CBAUD {
            B0 => new.c_ispeed = new.c_ospeed,
            BOTHER => new.c_ispeed = self.c_ispeed,
            _ => {}
        }
        new
    }

    /// Drops the speeds.
    pub const fn to_termios(&self) -> Termios {
        let &Self { c_iflag, c_oflag, c_cflag, c_lflag, c_line, c_cc, .. } = self;
        Termios { c_iflag, c_oflag, c_cflag, c_lflag, c_line, c_cc }
    }
}

/// Control characters of a new terminal.
pub const INITIAL_CC: [u8; NCCS] = {
    let mut cc = [0; NCCS];
    cc[VINTR] = 3;
    cc[VQUIT] = 28;
    cc[VERASE] = 127;
    cc[VKILL] = 21;
    cc[VEOF] = 4;
    cc[VMIN] = 1;
    cc[VSTART] = 17;
    cc[VSTOP] = 19;
    cc[VSUSP] = 26;
    cc[VREPRINT] = 18;
    cc[VDISCARD] = 15;
    cc[VWERASE] = 23;
    cc[VLNEXT] = 22;
    cc
};

/// Value of a control character that is switched off.
pub const DISABLED_CHAR: u8 = 0;

/// Line discipline of ordinary terminals.
pub const N_TTY: u8 = 0;

/// `struct winsize`.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Winsize {
    /// Rows, characters.
    pub ws_row: u16,
    /// Columns, characters.
    pub ws_col: u16,
    /// Width, pixels.
    pub ws_xpixel: u16,
    /// Height, pixels.
    pub ws_ypixel: u16,
}

consts! { usize;
    VINTR = 0, "Sends `SIGINT`.";
    VQUIT = 1, "Sends `SIGQUIT`.";
    VERASE = 2, "Erases a character.";
    VKILL = 3, "Erases the line.";
    VEOF = 4, "Ends the input.";
    VTIME = 5, "Not canonical: time to wait, tenths of a second.";
    VMIN = 6, "Not canonical: bytes to wait for.";
    VSWTC = 7, "Unused.";
    VSTART = 8, "Restarts output.";
    VSTOP = 9, "Stops output.";
    VSUSP = 10, "Sends `SIGTSTP`.";
    VEOL = 11, "Ends a line.";
    VREPRINT = 12, "Prints the line again.";
    VDISCARD = 13, "Unused.";
    VWERASE = 14, "Erases a word.";
    VLNEXT = 15, "Takes the next character literally.";
    VEOL2 = 16, "Ends a line.";
}

consts! { u32;
    IGNBRK = 0x0001, "Input: ignore a break.";
    BRKINT = 0x0002, "Input: a break sends `SIGINT`.";
    IGNPAR = 0x0004, "Input: ignore parity errors.";
    PARMRK = 0x0008, "Input: mark parity errors.";
    INPCK = 0x0010, "Input: check parity.";
    ISTRIP = 0x0020, "Input: clear bit 7.";
    INLCR = 0x0040, "Input: line feed becomes carriage return.";
    IGNCR = 0x0080, "Input: ignore carriage return.";
    ICRNL = 0x0100, "Input: carriage return becomes line feed.";
    IUCLC = 0x0200, "Input: upper case becomes lower case.";
    IXON = 0x0400, "Input: start and stop characters control output.";
    IXANY = 0x0800, "Input: any character restarts output.";
    IXOFF = 0x1000, "Input: send start and stop characters.";
    IMAXBEL = 0x2000, "Input: ring when the queue is full.";
    IUTF8 = 0x4000, "Input: erase whole UTF-8 characters.";
}

consts! { u32;
    OPOST = 0x0001, "Output: process.";
    OLCUC = 0x0002, "Output: lower case becomes upper case.";
    ONLCR = 0x0004, "Output: line feed becomes carriage return and line feed.";
    OCRNL = 0x0008, "Output: carriage return becomes line feed.";
    ONOCR = 0x0010, "Output: no carriage return in column 0.";
    ONLRET = 0x0020, "Output: line feed returns the carriage.";
    OFILL = 0x0040, "Output: delay by fill characters.";
    OFDEL = 0x0080, "Output: the fill character is DEL.";
    NLDLY = 0x0100, "Output: delay after a line feed.";
    CRDLY = 0x0600, "Output: delay after a carriage return.";
    TABDLY = 0x1800, "Output: treatment of tabs.";
    XTABS = 0x1800, "Output, in `TABDLY`: tabs become blanks.";
    BSDLY = 0x2000, "Output: delay after a backspace.";
    VTDLY = 0x4000, "Output: delay after a vertical tab.";
    FFDLY = 0x8000, "Output: delay after a form feed.";
}

consts! { u32;
    CBAUD = 0x100f, "Line: mask of the speed.";
    CBAUDEX = 0x1000, "Line: bit of the higher speeds.";
    BOTHER = 0x1000, "Line: the speed is in `c_ospeed`.";
    CSIZE = 0x0030, "Line: mask of the character size.";
    CS5 = 0x0000, "Line: 5 bits.";
    CS6 = 0x0010, "Line: 6 bits.";
    CS7 = 0x0020, "Line: 7 bits.";
    CS8 = 0x0030, "Line: 8 bits.";
    CSTOPB = 0x0040, "Line: two stop bits.";
    CREAD = 0x0080, "Line: receive.";
    PARENB = 0x0100, "Line: parity.";
    PARODD = 0x0200, "Line: odd parity.";
    HUPCL = 0x0400, "Line: hang up on the last close.";
    CLOCAL = 0x0800, "Line: no modem control.";
    CIBAUD = 0x100f_0000, "Line: mask of the input speed.";
    IBSHIFT = 16, "Line: position of the input speed.";
    ADDRB = 0x2000_0000, "Line: address bit.";
    CMSPAR = 0x4000_0000, "Line: stick parity.";
    CRTSCTS = 0x8000_0000, "Line: hardware flow control.";
}

consts! { u32;
    ISIG = 0x0001, "Local: characters send signals.";
    ICANON = 0x0002, "Local: edit lines.";
    XCASE = 0x0004, "Local: upper-case terminal.";
    ECHO = 0x0008, "Local: echo.";
    ECHOE = 0x0010, "Local: erasing wipes the character.";
    ECHOK = 0x0020, "Local: a new line after killing the line.";
    ECHONL = 0x0040, "Local: echo line feeds even without `ECHO`.";
    NOFLSH = 0x0080, "Local: signals do not flush.";
    TOSTOP = 0x0100, "Local: background output sends `SIGTTOU`.";
    ECHOCTL = 0x0200, "Local: echo control characters as ^X.";
    ECHOPRT = 0x0400, "Local: print erased characters.";
    ECHOKE = 0x0800, "Local: killing the line wipes it.";
    FLUSHO = 0x1000, "Local: output is flushed.";
    PENDIN = 0x4000, "Local: print pending input again.";
    IEXTEN = 0x8000, "Local: extensions.";
    EXTPROC = 0x1_0000, "Local: external processing.";
}

macro_rules! speeds {
    ($($name:ident = $code:literal, $speed:literal;)*) => {
        $(
            #[doc = concat!("Speed code: ", stringify!($speed), " bits per second.")]
            pub const $name: u32 = $code;
        )*

        /// Returns the speed of a code, bits per second; `None` for [`BOTHER`] and numbers that are no code.
        pub const fn speed_of(code: u32) -> Option<u32> {
            match code {
                $($code => Some($speed),)*
                _ => None,
            }
        }

        /// Returns the code of a speed, if it has one.
        pub const fn code_of(speed: u32) -> Option<u32> {
            match speed {
                $($speed => Some($code),)*
                _ => None,
            }
        }
    };
}

speeds! {
    B0 = 0x0, 0;
    B50 = 0x1, 50;
    B75 = 0x2, 75;
    B110 = 0x3, 110;
    B134 = 0x4, 134;
    B150 = 0x5, 150;
    B200 = 0x6, 200;
    B300 = 0x7, 300;
    B600 = 0x8, 600;
    B1200 = 0x9, 1200;
    B1800 = 0xa, 1800;
    B2400 = 0xb, 2400;
    B4800 = 0xc, 4800;
    B9600 = 0xd, 9600;
    B19200 = 0xe, 19200;
    B38400 = 0xf, 38400;
    B57600 = 0x1001, 57600;
    B115200 = 0x1002, 115200;
    B230400 = 0x1003, 230400;
    B460800 = 0x1004, 460800;
    B500000 = 0x1005, 500000;
    B576000 = 0x1006, 576000;
    B921600 = 0x1007, 921600;
    B1000000 = 0x1008, 1000000;
    B1152000 = 0x1009, 1152000;
    B1500000 = 0x100a, 1500000;
    B2000000 = 0x100b, 2000000;
    B2500000 = 0x100c, 2500000;
    B3000000 = 0x100d, 3000000;
    B3500000 = 0x100e, 3500000;
    B4000000 = 0x100f, 4000000;
}

consts! { u32;
    TCOOFF = 0, "`TCXONC`: stop output.";
    TCOON = 1, "`TCXONC`: restart output.";
    TCIOFF = 2, "`TCXONC`: send a stop character.";
    TCION = 3, "`TCXONC`: send a start character.";
    TCIFLUSH = 0, "`TCFLSH`: drop input.";
    TCOFLUSH = 1, "`TCFLSH`: drop output.";
    TCIOFLUSH = 2, "`TCFLSH`: drop both.";
}

consts! { u32;
    TIOCM_LE = 0x001, "Modem: line enable.";
    TIOCM_DTR = 0x002, "Modem: data terminal ready.";
    TIOCM_RTS = 0x004, "Modem: request to send.";
    TIOCM_CTS = 0x020, "Modem: clear to send.";
    TIOCM_CAR = 0x040, "Modem: carrier.";
    TIOCM_RNG = 0x080, "Modem: ring.";
    TIOCM_DSR = 0x100, "Modem: data set ready.";
    TIOCM_OUT1 = 0x2000, "Modem: output 1.";
    TIOCM_OUT2 = 0x4000, "Modem: output 2.";
    TIOCM_LOOP = 0x8000, "Modem: loop back.";
}

consts! { u8;
    TIOCPKT_DATA = 0, "Packet mode: data follows.";
    TIOCPKT_FLUSHREAD = 1, "Packet mode: input was flushed.";
    TIOCPKT_FLUSHWRITE = 2, "Packet mode: output was flushed.";
    TIOCPKT_STOP = 4, "Packet mode: output stopped.";
    TIOCPKT_START = 8, "Packet mode: output restarted.";
    TIOCPKT_NOSTOP = 16, "Packet mode: start and stop characters are off.";
    TIOCPKT_DOSTOP = 32, "Packet mode: start and stop characters are on.";
    TIOCPKT_IOCTL = 64, "Packet mode: settings changed.";
}
