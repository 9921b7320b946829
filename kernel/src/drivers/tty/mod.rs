//! Terminals: the line discipline, what is the same for every terminal, and the two kinds there are.
//!
//! ```text
//!   program --write--> terminal --OPOST--> driver (serial port, or the master of a pseudo-terminal)
//!   program <--read--- terminal <--keys--- driver
//!                         |
//!                         +-- signals to the foreground process group of the session
//! ```

mod byte_queue;
pub mod console;
pub mod file;
mod input_queue;
pub mod job_control;
pub mod line_discipline;
mod output;
pub mod pty;
mod requests;
pub mod terminal;

pub use file::TerminalFile;
pub use terminal::{Driver, Opening, Terminal};
