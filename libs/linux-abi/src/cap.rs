//! Capabilities: numbers, names, the structures of `capget(2)` and `capset(2)`.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

macro_rules! capabilities {
    ($($name:ident = $number:literal, $text:literal, $doc:literal;)*) => {
        $(
            #[doc = $doc]
            pub const $name: u32 = $number;
        )*

        /// Returns the name of capability `number` as tools write it, `"cap_chown"`.
        pub const fn name(number: u32) -> Option<&'static str> {
            match number {
                $($number => Some($text),)*
                _ => None,
            }
        }
    };
}

capabilities! {
    CAP_CHOWN = 0, "cap_chown", "Changes owners of files.";
    CAP_DAC_OVERRIDE = 1, "cap_dac_override", "Passes permission checks on files.";
    CAP_DAC_READ_SEARCH = 2, "cap_dac_read_search", "Passes read checks on files and directories.";
    CAP_FOWNER = 3, "cap_fowner", "Counts as the owner of every file.";
    CAP_FSETID = 4, "cap_fsetid", "Keeps set-id bits on changes.";
    CAP_KILL = 5, "cap_kill", "Signals every process.";
    CAP_SETGID = 6, "cap_setgid", "Changes groups.";
    CAP_SETUID = 7, "cap_setuid", "Changes users.";
    CAP_SETPCAP = 8, "cap_setpcap", "Changes capability sets.";
    CAP_LINUX_IMMUTABLE = 9, "cap_linux_immutable", "Changes the immutable and append-only flags.";
    CAP_NET_BIND_SERVICE = 10, "cap_net_bind_service", "Binds ports below 1024.";
    CAP_NET_BROADCAST = 11, "cap_net_broadcast", "Broadcasts.";
    CAP_NET_ADMIN = 12, "cap_net_admin", "Administers the network.";
    CAP_NET_RAW = 13, "cap_net_raw", "Opens raw sockets.";
    CAP_IPC_LOCK = 14, "cap_ipc_lock", "Locks memory.";
    CAP_IPC_OWNER = 15, "cap_ipc_owner", "Passes permission checks on System V IPC.";
    CAP_SYS_MODULE = 16, "cap_sys_module", "Loads modules.";
    CAP_SYS_RAWIO = 17, "cap_sys_rawio", "Accesses ports and raw devices.";
    CAP_SYS_CHROOT = 18, "cap_sys_chroot", "Changes the root directory.";
    CAP_SYS_PTRACE = 19, "cap_sys_ptrace", "Traces every process.";
    CAP_SYS_PACCT = 20, "cap_sys_pacct", "Switches process accounting.";
    CAP_SYS_ADMIN = 21, "cap_sys_admin", "Administers the system.";
    CAP_SYS_BOOT = 22, "cap_sys_boot", "Reboots.";
    CAP_SYS_NICE = 23, "cap_sys_nice", "Raises priorities.";
    CAP_SYS_RESOURCE = 24, "cap_sys_resource", "Exceeds resource limits.";
    CAP_SYS_TIME = 25, "cap_sys_time", "Sets the clock.";
    CAP_SYS_TTY_CONFIG = 26, "cap_sys_tty_config", "Configures terminals.";
    CAP_MKNOD = 27, "cap_mknod", "Makes device files.";
    CAP_LEASE = 28, "cap_lease", "Takes leases on every file.";
    CAP_AUDIT_WRITE = 29, "cap_audit_write", "Writes to the audit log.";
    CAP_AUDIT_CONTROL = 30, "cap_audit_control", "Configures auditing.";
    CAP_SETFCAP = 31, "cap_setfcap", "Sets capabilities of files.";
    CAP_MAC_OVERRIDE = 32, "cap_mac_override", "Passes mandatory access checks.";
    CAP_MAC_ADMIN = 33, "cap_mac_admin", "Configures mandatory access checks.";
    CAP_SYSLOG = 34, "cap_syslog", "Reads and clears the kernel log.";
    CAP_WAKE_ALARM = 35, "cap_wake_alarm", "Sets timers that wake the system.";
    CAP_BLOCK_SUSPEND = 36, "cap_block_suspend", "Keeps the system from suspending.";
    CAP_AUDIT_READ = 37, "cap_audit_read", "Reads the audit log.";
    CAP_PERFMON = 38, "cap_perfmon", "Measures performance.";
    CAP_BPF = 39, "cap_bpf", "Loads BPF programs.";
    CAP_CHECKPOINT_RESTORE = 40, "cap_checkpoint_restore", "Checkpoints and restores.";
}

/// The highest capability.
pub const CAP_LAST_CAP: u32 = CAP_CHECKPOINT_RESTORE;

/// Every capability as a set: bit `n` is capability `n`.
pub const CAP_FULL_SET: u64 = (1 << (CAP_LAST_CAP + 1)) - 1;

consts! { u32;
    LINUX_CAPABILITY_VERSION_1 = 0x1998_0330, "32 capabilities, one [`CapUserData`].";
    LINUX_CAPABILITY_VERSION_2 = 0x2007_1026, "64 capabilities, two [`CapUserData`]; deprecated.";
    LINUX_CAPABILITY_VERSION_3 = 0x2008_0522, "64 capabilities, two [`CapUserData`].";
}

/// `struct __user_cap_header_struct`.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct CapUserHeader {
    /// `LINUX_CAPABILITY_VERSION_*`.
    pub version: u32,
    /// Thread; 0: the caller.
    pub pid: i32,
}

/// `struct __user_cap_data_struct`: 32 capabilities of three sets.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct CapUserData {
    /// What holds.
    pub effective: u32,
    /// What may hold.
    pub permitted: u32,
    /// What survives `execve`.
    pub inheritable: u32,
}

const _: () = assert!(size_of::<CapUserHeader>() == 8 && size_of::<CapUserData>() == 12);
