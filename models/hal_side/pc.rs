//! The shoot-down of translations, on two CPUs that take the interrupt whenever they like.

#[path = "../../hal/src/arch/x86_64/shootdown.rs"]
pub(crate) mod shootdown;

pub(super) mod cpu {
    pub(crate) fn relax() {
        loom::thread::yield_now();
        super::shootdown::serve();
    }
}

pub(super) mod apic {
    pub(crate) enum Message {
        Shootdown,
    }
    pub(crate) fn send(_: u32, _: Message) {}
}

pub(super) mod irq {
    pub(crate) fn disable() -> bool {
        true
    }
    pub(crate) fn restore(_: bool) {}
}

pub(crate) mod area {
    use core::cell::Cell;

    use crate::Tracked;
    use crate::cpu::CpuId;
    use crate::sync::atomic::{AtomicU32, AtomicU64};

    pub(crate) struct CpuArea {
        pub(crate) shootdown_from: AtomicU64,
        pub(in crate::pc) shootdown: super::shootdown::Asked,
        pub(crate) apic_id: AtomicU32,
        /// The pages whose translations the CPU has dropped, a bit for each.
        pub(crate) dropped: Tracked,
    }

    impl CpuArea {
        fn new() -> Self {
            Self {
                shootdown_from: AtomicU64::new(0),
                shootdown: super::shootdown::Asked::default(),
                apic_id: AtomicU32::new(0),
                dropped: Tracked::new(0),
            }
        }
        pub(super) fn is_running(&self) -> bool {
            true
        }
    }

    loom::lazy_static! {
        static ref AREAS: [CpuArea; 2] = [CpuArea::new(), CpuArea::new()];
    }
    loom::thread_local! {
        static ID: Cell<usize> = Cell::new(0);
    }

    /// Makes the calling thread a CPU.
    pub(crate) fn become_cpu(id: usize) {
        ID.with(|cell| cell.set(id));
    }
    pub(crate) fn id() -> usize {
        ID.with(Cell::get)
    }
    pub(crate) fn this() -> &'static CpuArea {
        &AREAS[id()]
    }
    pub(crate) fn of(cpu: CpuId) -> &'static CpuArea {
        &AREAS[cpu.index()]
    }
}

pub(super) mod paging {
    use super::area;

    pub(crate) fn invalidate_all() {
        area::this().dropped.set(u32::MAX);
    }
    pub(crate) fn invalidate_page(page: usize) {
        let dropped = &area::this().dropped;
        dropped.set(dropped.get() | 1 << page);
    }
}
