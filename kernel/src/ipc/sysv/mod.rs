//! System V IPC: semaphores and messages, and what they share with shared memory: ids, keys, permissions (sysvipc(7)).

pub mod ids;
pub mod msg;
pub mod sem;
