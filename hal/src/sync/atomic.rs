//! The atomics of lock-free code. In a model (`models/`) they are those of loom, which tries every order that the
//! language's memory model allows.

#[cfg(not(loom))]
pub use core::sync::atomic::{
    AtomicBool, AtomicPtr, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence,
};
#[cfg(loom)]
pub use loom::sync::atomic::{
    AtomicBool, AtomicPtr, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence,
};

/// A full fence right behind an atomic read-modify-write operation. On x86 such an operation is one itself, so this is
/// for the compiler only.
#[inline(always)]
pub fn fence_after_exchange() {
    #[cfg(all(target_arch = "x86_64", not(loom)))]
    core::sync::atomic::compiler_fence(Ordering::SeqCst);
    #[cfg(not(all(target_arch = "x86_64", not(loom))))]
    fence(Ordering::SeqCst);
}

/// Sets a flag that is cleared by a store; answers whether it was clear. Acquires what was released then.
///
/// In a model it stores only if the flag is clear: loom takes a store that clears the flag for one that may come before
/// an exchange that found it set, and the flag would stay set for ever.
#[inline(always)]
pub fn test_and_set(flag: &AtomicBool) -> bool {
    #[cfg(not(loom))]
    return !flag.swap(true, Ordering::Acquire);
    #[cfg(loom)]
    return flag.compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed).is_ok();
}

/// Declares a `const fn` that is an ordinary one in a model, where atomics cannot be made at compile time.
#[macro_export]
macro_rules! const_fn {
    ($(#[$meta:meta])* $vis:vis const fn $($rest:tt)*) => {
        #[cfg(not(loom))]
        $(#[$meta])*
        $vis const fn $($rest)*
        #[cfg(loom)]
        $(#[$meta])*
        $vis fn $($rest)*
    };
}
