//! Restartable sequences, and the commands of `membarrier(2)`.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// `struct rseq`: shared by a thread and the kernel; aligned to 32 in user memory.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Rseq {
    /// CPU; always a valid one.
    pub cpu_id_start: u32,
    /// CPU, or `RSEQ_CPU_ID_*`.
    pub cpu_id: u32,
    /// Address of the running sequence's [`RseqCs`]; 0: none.
    pub rseq_cs: u64,
    /// `RSEQ_CS_FLAG_*`.
    pub flags: u32,
    /// NUMA node.
    pub node_id: u32,
    /// Compact CPU number within the process.
    pub mm_cid: u32,
    /// Zero.
    pub _pad: u32,
}

const _: () = assert!(size_of::<Rseq>() == RSEQ_LEN as usize);

consts! { u32;
    RSEQ_LEN = 32, "Size of the area, bytes.";
    RSEQ_ALIGN = 32, "Alignment of the area.";
    RSEQ_FLAG_UNREGISTER = 1, "Flag of the call: unregister.";
    RSEQ_CPU_ID_UNINITIALIZED = u32::MAX, "`cpu_id`: not registered.";
    RSEQ_CPU_ID_REGISTRATION_FAILED = u32::MAX - 1, "`cpu_id`: registration failed.";
    RSEQ_CS_FLAG_NO_RESTART_ON_PREEMPT = 1, "Obsolete.";
    RSEQ_CS_FLAG_NO_RESTART_ON_SIGNAL = 2, "Obsolete.";
    RSEQ_CS_FLAG_NO_RESTART_ON_MIGRATE = 4, "Obsolete.";
}

/// `struct rseq_cs`: one sequence; aligned to 32 in user memory.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct RseqCs {
    /// 0.
    pub version: u32,
    /// `RSEQ_CS_FLAG_*`.
    pub flags: u32,
    /// First instruction.
    pub start_ip: u64,
    /// Length, bytes.
    pub post_commit_offset: u64,
    /// Where to go on interruption; the four bytes before it are the signature.
    pub abort_ip: u64,
}

const _: () = assert!(size_of::<RseqCs>() == 32);

consts! { u32;
    MEMBARRIER_CMD_QUERY = 0, "Returns the commands supported.";
    MEMBARRIER_CMD_GLOBAL = 1 << 0, "All threads of the system, slowly.";
    MEMBARRIER_CMD_GLOBAL_EXPEDITED = 1 << 1, "All threads of registered processes.";
    MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED = 1 << 2, "Registers for that.";
    MEMBARRIER_CMD_PRIVATE_EXPEDITED = 1 << 3, "All threads of the process.";
    MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED = 1 << 4, "Registers for that.";
    MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE = 1 << 5, "As that, and serialises the cores.";
    MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE = 1 << 6, "Registers for that.";
    MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ = 1 << 7, "Restarts sequences of the process.";
    MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ = 1 << 8, "Registers for that.";
    MEMBARRIER_CMD_GET_REGISTRATIONS = 1 << 9, "Returns the registrations.";
    MEMBARRIER_CMD_FLAG_CPU = 1, "Flag: one CPU only.";
}
