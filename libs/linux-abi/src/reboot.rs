//! `reboot(2)`.

consts! { u32;
    LINUX_REBOOT_MAGIC1 = 0xfee1_dead, "First argument.";
    LINUX_REBOOT_MAGIC2 = 672_274_793, "Second argument.";
    LINUX_REBOOT_MAGIC2A = 85_072_278, "Second argument.";
    LINUX_REBOOT_MAGIC2B = 369_367_448, "Second argument.";
    LINUX_REBOOT_MAGIC2C = 537_993_216, "Second argument.";
}

consts! { u32;
    LINUX_REBOOT_CMD_RESTART = 0x0123_4567, "Restarts.";
    LINUX_REBOOT_CMD_HALT = 0xcdef_0123, "Halts.";
    LINUX_REBOOT_CMD_CAD_ON = 0x89ab_cdef, "Ctrl-Alt-Del restarts at once.";
    LINUX_REBOOT_CMD_CAD_OFF = 0, "Ctrl-Alt-Del sends `SIGINT` to process 1.";
    LINUX_REBOOT_CMD_POWER_OFF = 0x4321_fedc, "Powers off.";
    LINUX_REBOOT_CMD_RESTART2 = 0xa1b2_c3d4, "Restarts with a string.";
    LINUX_REBOOT_CMD_SW_SUSPEND = 0xd000_fce2, "Suspends to disk.";
    LINUX_REBOOT_CMD_KEXEC = 0x4558_4543, "Starts a loaded kernel.";
}

/// Tells whether the two magic numbers are ones that `reboot` accepts.
pub const fn is_magic(magic1: u32, magic2: u32) -> bool {
    magic1 == LINUX_REBOOT_MAGIC1
        && matches!(
            magic2,
            LINUX_REBOOT_MAGIC2 | LINUX_REBOOT_MAGIC2A | LINUX_REBOOT_MAGIC2B | LINUX_REBOOT_MAGIC2C
        )
}
