//! Communication between threads and processes.

pub mod eventfd;
pub mod futex;
pub mod pipe;
pub(crate) mod ring;
pub mod shm;
pub mod sysv;
