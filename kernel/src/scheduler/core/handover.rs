//! A model of the protocol of sleeping and waking (see `thread::state`), explored through every interleaving.
//!
//! Each step is one access to shared state, as `wait::sleep_until`, `scheduler::choose_next` and `scheduler::wake` make
//! them; fences make memory sequentially consistent where it matters, so interleavings are all there is to explore.

use alloc::vec::Vec;

use hashbrown::HashSet;

/// Shared state, and where each actor stands.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct World {
    condition: bool,
    is_sleeping_state: bool,
    is_active: bool,
    /// Times the sleeper is in the run queue.
    queued: u8,
    /// Who holds the lock of the run queue.
    lock: Option<u8>,
    sleeper: Sleeper,
    wakers: [Waker; 2],
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Sleeper {
    StoreState,
    LookAtCondition,
    Lock,
    LookAtState,
    Unlock { blocks: bool },
    Blocked,
    Done,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Waker {
    /// Makes the condition true first; a timer that fires too early does not.
    MakeTrue,
    Glance,
    Lock,
    Decide,
    Unlock,
    Done,
}

const SLEEPER: u8 = 9;

impl World {
    fn start(first: Waker, second: Waker) -> Self {
        Self {
            condition: false,
            is_sleeping_state: false,
            is_active: true,
            queued: 0,
            lock: None,
            sleeper: Sleeper::StoreState,
            wakers: [first, second],
        }
    }

    fn step_sleeper(mut self) -> Option<Self> {
        self.sleeper = match self.sleeper {
            Sleeper::StoreState => {
                self.is_sleeping_state = true;
                Sleeper::LookAtCondition
            }
            Sleeper::LookAtCondition if self.condition => {
                self.is_sleeping_state = false;
                Sleeper::Done
            }
            Sleeper::LookAtCondition => Sleeper::Lock,
            Sleeper::Lock => {
                if self.lock.is_some() {
                    return None;
                }
                self.lock = Some(SLEEPER);
                Sleeper::LookAtState
            }
            Sleeper::LookAtState => {
                if self.is_sleeping_state {
                    self.is_active = false;
                }
                Sleeper::Unlock { blocks: self.is_sleeping_state }
            }
            Sleeper::Unlock { blocks } => {
                self.lock = None;
                if blocks { Sleeper::Blocked } else { Sleeper::StoreState }
            }
            Sleeper::Blocked => {
                // Runs again when the run queue has it.
                self.queued = self.queued.checked_sub(1)?;
                assert!(!self.is_sleeping_state && self.is_active, "it runs in a sleeping state: {self:?}");
                Sleeper::StoreState
            }
            Sleeper::Done => return None,
        };
        Some(self)
    }

    fn step_waker(mut self, index: usize) -> Option<Self> {
        self.wakers[index] = match self.wakers[index] {
            Waker::MakeTrue => {
                self.condition = true;
                Waker::Glance
            }
            Waker::Glance => {
                if self.is_sleeping_state {
                    Waker::Lock
                } else {
                    Waker::Done
                }
            }
            Waker::Lock => {
                if self.lock.is_some() {
                    return None;
                }
                self.lock = Some(index as u8);
                Waker::Decide
            }
            Waker::Decide => {
                if self.is_sleeping_state {
                    self.is_sleeping_state = false;
                    if !self.is_active {
                        self.is_active = true;
                        self.queued += 1;
                        assert_eq!(self.queued, 1, "queued twice: {self:?}");
                    }
                }
                Waker::Unlock
            }
            Waker::Unlock => {
                self.lock = None;
                Waker::Done
            }
            Waker::Done => return None,
        };
        Some(self)
    }
}

/// Explores everything from `start` on; answers how many states there are.
fn explore(start: World) -> usize {
    let mut seen: HashSet<World> = HashSet::new();
    seen.insert(start);
    let mut open = Vec::from([start]);
    while let Some(world) = open.pop() {
        if world.queued > 0 {
            assert!(
                matches!(world.sleeper, Sleeper::Blocked | Sleeper::Unlock { blocks: true }),
                "queued while it runs: {world:?}"
            );
        }
        let next: Vec<_> =
            [world.step_sleeper(), world.step_waker(0), world.step_waker(1)].into_iter().flatten().collect();
        if next.is_empty() {
            let is_asleep = world.sleeper == Sleeper::Blocked;
            assert!(
                world.sleeper == Sleeper::Done || (is_asleep && !world.condition),
                "lost wake-up: {world:?}"
            );
        }
        open.extend(next.into_iter().filter(|next| seen.insert(*next)));
    }
    seen.len()
}

#[test]
fn no_wake_up_is_lost_and_no_thread_is_queued_twice() {
    assert!(explore(World::start(Waker::MakeTrue, Waker::Done)) > 30);
    assert!(explore(World::start(Waker::MakeTrue, Waker::MakeTrue)) > 100);
    // A timer that wakes without the condition, at any moment.
    assert!(explore(World::start(Waker::MakeTrue, Waker::Glance)) > 100);
    assert!(explore(World::start(Waker::Glance, Waker::Glance)) > 100);
}
