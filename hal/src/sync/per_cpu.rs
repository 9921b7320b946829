//! Data with one instance per CPU, and (on the host) statics with one instance per simulated machine.
//!
//! A kernel thread keeps its CPU from one blocking point to the next, so a reference got from [`PerCpu::get`] is this
//! CPU's until then. It stays valid afterwards: the areas live for ever.
//!
//! On the PC the statics of [`per_cpu!`](crate::per_cpu) form the section `.percpu`, a template that start-up copies for
//! every CPU before the first access; the instance is found by adding one offset. On the host a machine makes its
//! instances at the first access.

use core::cell::UnsafeCell;
use core::fmt;
use core::sync::atomic::{AtomicBool, Ordering};

#[cfg(not(target_os = "none"))]
pub use host::{PerCpu, PerMachine};
#[cfg(target_os = "none")]
pub use pc::PerCpu;

#[cfg(target_os = "none")]
mod pc {
    use core::cell::UnsafeCell;
    use core::ptr::with_exposed_provenance;

    use crate::arch;
    use crate::cpu::CpuId;

    /// A static with one instance per CPU; made by [`per_cpu!`](crate::per_cpu).
    #[repr(transparent)]
    pub struct PerCpu<T> {
        /// The template, never accessed. The cell makes the section writable whatever `T` is.
        template: UnsafeCell<T>,
    }

    // SAFETY: instances are shared between CPUs through `on` and `iter` only as `&T`.
    unsafe impl<T: Sync> Sync for PerCpu<T> {}

    impl<T: Sync> PerCpu<T> {
        /// Makes the template.
        ///
        /// # Safety
        /// The result becomes a static in section `.percpu`.
        #[doc(hidden)]
        pub const unsafe fn in_section(value: T) -> Self {
            Self { template: UnsafeCell::new(value) }
        }

        /// Returns this CPU's instance.
        #[inline(always)]
        pub fn get(&'static self) -> &'static T {
            self.at(arch::cpu::local_offset())
        }

        /// Returns a CPU's instance.
        ///
        /// # Panics
        /// If there is no such CPU.
        pub fn on(&'static self, cpu: CpuId) -> &'static T {
            assert!(cpu.index() < crate::cpu::count());
            self.at(arch::cpu::local_offset_of(cpu))
        }

        /// Iterates over the instances of all CPUs.
        pub fn iter(&'static self) -> impl Iterator<Item = &'static T> {
            crate::cpu::all().map(|cpu| self.on(cpu))
        }

        #[inline(always)]
        fn at(&'static self, offset: usize) -> &'static T {
            let addr = (&raw const self.template).expose_provenance().wrapping_add(offset);
            // SAFETY: `offset` leads from the template section to a CPU's copy of it, which holds a bitwise copy of a
            // constant `T`, is never moved or freed, and is accessed only as `&T`.
            unsafe { &*with_exposed_provenance::<T>(addr) }
        }
    }
}

#[cfg(not(target_os = "none"))]
mod host {
    use std::boxed::Box;
    use std::ops::Deref;

    use crate::arch::host::{StaticKey, machine};
    use crate::cpu::CpuId;

    /// A static with one instance per simulated machine; made by [`machine_static!`](crate::machine_static).
    pub struct PerMachine<T> {
        key: StaticKey<T>,
        make: fn() -> T,
    }

    impl<T: Send + Sync + 'static> PerMachine<T> {
        /// Makes the static; `make` runs at a machine's first access.
        pub const fn new(make: fn() -> T) -> Self {
            Self { key: StaticKey::new(), make }
        }

        /// Returns the instance of the machine that this thread belongs to.
        #[inline(always)]
        pub fn get(&'static self) -> &'static T {
            machine().static_value(&self.key, self.make)
        }
    }

    impl<T: Send + Sync + 'static> Deref for PerMachine<T> {
        type Target = T;
        #[inline(always)]
        fn deref(&self) -> &T {
            machine().static_value(&self.key, self.make)
        }
    }

    /// Two lines of the cache apart from the next, which another OS thread uses.
    #[repr(align(128))]
    struct Apart<T>(T);

    /// A static with one instance per CPU; made by [`per_cpu!`](crate::per_cpu).
    pub struct PerCpu<T> {
        key: StaticKey<Box<[Apart<T>]>>,
        make: fn() -> T,
    }

    impl<T: Send + Sync + 'static> PerCpu<T> {
        /// Makes the static; `make` runs once per CPU at a machine's first access.
        pub const fn new(make: fn() -> T) -> Self {
            Self { key: StaticKey::new(), make }
        }

        #[inline(always)]
        fn all(&self) -> &'static [Apart<T>] {
            let make = self.make;
            machine().static_value::<Box<[Apart<T>]>>(&self.key, || {
                crate::cpu::all().map(|_| Apart(make())).collect()
            })
        }

        /// Returns this CPU's instance.
        #[inline(always)]
        pub fn get(&'static self) -> &'static T {
            &self.all()[crate::cpu::id().index()].0
        }

        /// Returns a CPU's instance.
        ///
        /// # Panics
        /// If there is no such CPU.
        pub fn on(&'static self, cpu: CpuId) -> &'static T {
            &self.all()[cpu.index()].0
        }

        /// Iterates over the instances of all CPUs.
        pub fn iter(&'static self) -> impl Iterator<Item = &'static T> {
            self.all().iter().map(|apart| &apart.0)
        }
    }
}

/// Declares statics with one instance per CPU: `per_cpu! { static NAME: Type = constant; }` makes a
/// [`PerCpu<Type>`](crate::sync::PerCpu).
#[cfg(target_os = "none")]
#[macro_export]
macro_rules! per_cpu {
    ($($(#[$meta:meta])* $vis:vis static $name:ident: $type:ty = $init:expr;)*) => {$(
        $(#[$meta])*
        #[unsafe(link_section = ".percpu")]
        $vis static $name: $crate::sync::PerCpu<$type> = {
            #[allow(clippy::declare_interior_mutable_const)]
            const INITIAL: $type = $init;
            // SAFETY: this static lies in section `.percpu`.
            unsafe { $crate::sync::PerCpu::in_section(INITIAL) }
        };
    )*};
}

/// Declares statics with one instance per CPU: `per_cpu! { static NAME: Type = constant; }` makes a
/// [`PerCpu<Type>`](crate::sync::PerCpu).
#[cfg(not(target_os = "none"))]
#[macro_export]
macro_rules! per_cpu {
    ($($(#[$meta:meta])* $vis:vis static $name:ident: $type:ty = $init:expr;)*) => {$(
        $(#[$meta])*
        $vis static $name: $crate::sync::PerCpu<$type> = $crate::sync::PerCpu::new(|| $init);
    )*};
}

/// Declares statics that belong to the machine: on the PC plain statics, on the host one instance for each simulated
/// machine, so that tests in one process do not meet. `machine_static! { static NAME: Type = constant; }`.
#[cfg(target_os = "none")]
#[macro_export]
macro_rules! machine_static {
    ($($(#[$meta:meta])* $vis:vis static $name:ident: $type:ty = $init:expr;)*) => {$(
        $(#[$meta])*
        $vis static $name: $type = $init;
    )*};
}

/// Declares statics that belong to the machine: on the PC plain statics, on the host one instance for each simulated
/// machine, so that tests in one process do not meet. `machine_static! { static NAME: Type = constant; }`.
#[cfg(not(target_os = "none"))]
#[macro_export]
macro_rules! machine_static {
    ($($(#[$meta:meta])* $vis:vis static $name:ident: $type:ty = $init:expr;)*) => {$(
        $(#[$meta])*
        $vis static $name: $crate::sync::PerMachine<$type> = $crate::sync::PerMachine::new(|| $init);
    )*};
}

/// A value for the use of one CPU, without a lock, and `shared` data beside it that every CPU may look at; the content of a
/// [`per_cpu!`](crate::per_cpu) static.
///
/// [`PerCpu::with`] is not reentrant, neither directly nor from an interrupt handler, and its closure must not block; a
/// breach panics, it never gives two references.
pub struct CpuLocal<T, S = ()> {
    busy: AtomicBool,
    shared: S,
    value: UnsafeCell<T>,
}

// SAFETY: `busy` gives the value to one user at a time.
unsafe impl<T: Send, S: Sync> Sync for CpuLocal<T, S> {}
// SAFETY: moving the cell moves the values.
unsafe impl<T: Send, S: Send> Send for CpuLocal<T, S> {}

impl<T> CpuLocal<T> {
    /// Makes a value.
    pub const fn new(value: T) -> Self {
        Self::with_shared(value, ())
    }
}

impl<T, S> CpuLocal<T, S> {
    /// Makes a value with shared data.
    pub const fn with_shared(value: T, shared: S) -> Self {
        Self { busy: AtomicBool::new(false), shared, value: UnsafeCell::new(value) }
    }

    /// Returns the shared data.
    #[inline(always)]
    pub fn shared(&self) -> &S {
        &self.shared
    }

    /// Takes the value; tells whether it was in use. Called for the instance of the CPU that runs this.
    #[inline(always)]
    fn begin(&self) -> bool {
        // Only this CPU begins here. An interrupt handler that comes between the read and the write is over before the
        // write, and a thread does not lose its CPU here, so no other beginning sees the value free at the same time.
        #[cfg(target_os = "none")]
        {
            let was_busy = self.busy.load(Ordering::Acquire);
            self.busy.store(true, Ordering::Relaxed);
            was_busy
        }
        // Several threads of a test may act as one CPU.
        #[cfg(not(target_os = "none"))]
        self.busy.swap(true, Ordering::Acquire)
    }
}

impl<T: Send + 'static, S: Send + Sync + 'static> PerCpu<CpuLocal<T, S>> {
    /// Calls `f` with this CPU's value and the shared data beside it.
    ///
    /// # Panics
    /// If the value is in use.
    #[inline(always)]
    #[track_caller]
    pub fn with<R>(&'static self, f: impl FnOnce(&mut T, &S) -> R) -> R {
        let local = self.get();
        assert!(!local.begin(), "CpuLocal used while in use");
        struct Release<'a>(&'a AtomicBool);
        impl Drop for Release<'_> {
            #[inline(always)]
            fn drop(&mut self) {
                self.0.store(false, Ordering::Release);
            }
        }
        let _release = Release(&local.busy);
        // SAFETY: this call set `busy`, so nobody else has a reference until it clears it.
        f(unsafe { &mut *local.value.get() }, &local.shared)
    }
}

impl<T, S> fmt::Debug for CpuLocal<T, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CpuLocal").field("busy", &self.busy.load(Ordering::Relaxed)).finish_non_exhaustive()
    }
}
