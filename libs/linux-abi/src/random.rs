//! `getrandom(2)`.

use bitflags::bitflags;

bitflags! {
    /// Flags of `getrandom`.
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
    pub struct GetrandomFlags: u32 {
        /// Do not wait for the generator to be ready.
        const GRND_NONBLOCK = 0x1;
        /// From `/dev/random`.
        const GRND_RANDOM = 0x2;
        /// Even before the generator is ready.
        const GRND_INSECURE = 0x4;
    }
}
