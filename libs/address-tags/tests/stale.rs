//! CPUs with tagged TLBs that switch between spaces, use them and make each other forget, one small step at a time in any
//! order: nobody uses a translation whose change has been waited for.

use std::collections::{BTreeMap, BTreeSet};

use address_tags::{Forget, Load, Request, Tags};
use proptest::prelude::*;

const CPUS: usize = 3;
const SPACES: usize = 8;
const PAGES: usize = 3;

/// An address space. A page's translation is told by its version.
#[derive(Clone, Default)]
struct Space {
    generation: u64,
    loaded: BTreeSet<usize>,
    versions: [u64; PAGES],
    /// Older versions than these nobody may use.
    flushed: [u64; PAGES],
}

/// What a CPU is in the middle of.
#[derive(Clone)]
enum Doing {
    Nothing,
    /// It has added itself, interrupts off; then it has read the generation.
    Entering(usize, Option<u64>),
    /// It has changed a page to a version; then it has made the request; then it waits for others.
    Changed {
        space: usize,
        page: usize,
        version: u64,
    },
    Asking {
        space: usize,
        page: usize,
        version: u64,
        request: Request,
    },
    Waiting {
        space: usize,
        page: usize,
        version: u64,
        others: BTreeSet<usize>,
    },
}

struct Cpu {
    tags: Tags,
    /// By tag and page: the space, and the version.
    tlb: BTreeMap<(u16, usize), (usize, u64)>,
    tag: u16,
    space: Option<usize>,
    doing: Doing,
    /// Who asks, what, and for which page.
    requests: Vec<(usize, Request, usize)>,
}

struct Machine {
    count: usize,
    spaces: Vec<Space>,
    cpus: Vec<Cpu>,
    kept: usize,
}

impl Machine {
    fn new(count: usize) -> Self {
        let cpu = || Cpu {
            tags: Tags::new(),
            tlb: BTreeMap::new(),
            tag: 0,
            space: None,
            doing: Doing::Nothing,
            requests: Vec::new(),
        };
        let cpus = (0..CPUS).map(|_| cpu()).collect();
        Self { count, spaces: vec![Space::default(); SPACES], cpus, kept: 0 }
    }

    fn obey(&mut self, cpu: usize, request: Request, page: usize) {
        let cpu = &mut self.cpus[cpu];
        match cpu.tags.obey(request) {
            Forget::Nothing => (),
            Forget::Listed => _ = cpu.tlb.remove(&(cpu.tag, page)),
            Forget::All => cpu.tlb.retain(|&(tag, _), _| tag != cpu.tag),
        }
    }

    /// Serves one request, the `which`th.
    fn serve(&mut self, cpu: usize, which: usize) {
        let requests = &mut self.cpus[cpu].requests;
        if requests.is_empty() {
            return;
        }
        let at = which % requests.len();
        let (from, request, page) = requests.remove(at);
        self.obey(cpu, request, page);
        if let Doing::Waiting { others, .. } = &mut self.cpus[from].doing {
            others.remove(&cpu);
        }
    }

    fn access(&mut self, at: usize, page: usize) {
        let cpu = &mut self.cpus[at];
        let Some(space) = cpu.space else { return };
        let now = (space, self.spaces[space].versions[page]);
        let (owner, version) = *cpu.tlb.entry((cpu.tag, page)).or_insert(now);
        assert_eq!(owner, space, "a translation of another space");
        assert!(version >= self.spaces[space].flushed[page], "a translation that was flushed");
    }

    /// Does the next step of a CPU, which chooses by a number if it is free.
    fn step(&mut self, at: usize, choice: usize) {
        let id = |space: usize| space as u64 + 1;
        self.cpus[at].doing = match self.cpus[at].doing.clone() {
            Doing::Nothing => match choice % 6 {
                0 => return self.serve(at, choice / 6),
                1 | 2 => return self.access(at, choice / 6 % PAGES),
                3 | 4 => {
                    let space = choice / 6 % SPACES;
                    if self.cpus[at].space == Some(space) {
                        return;
                    }
                    self.spaces[space].loaded.insert(at);
                    Doing::Entering(space, None)
                }
                _ => {
                    let (space, page) = (choice / 6 % SPACES, choice / 6 / SPACES % PAGES);
                    self.spaces[space].versions[page] += 1;
                    Doing::Changed { space, page, version: self.spaces[space].versions[page] }
                }
            },
            Doing::Entering(space, None) => Doing::Entering(space, Some(self.spaces[space].generation)),
            Doing::Entering(space, Some(generation)) => {
                let cpu = &mut self.cpus[at];
                let Load { tag, keep } = cpu.tags.enter(self.count, id(space), generation);
                cpu.tag = tag;
                self.kept += usize::from(keep);
                if !keep {
                    cpu.tlb.retain(|&(other, _), _| other != tag);
                }
                if let Some(old) = cpu.space.replace(space) {
                    self.spaces[old].loaded.remove(&at);
                }
                Doing::Nothing
            }
            Doing::Changed { space, page, version } => {
                self.spaces[space].generation += 1;
                let request = Request { space: id(space), generation: self.spaces[space].generation };
                if self.cpus[at].space == Some(space) {
                    self.obey(at, request, page);
                }
                Doing::Asking { space, page, version, request }
            }
            Doing::Asking { space, page, version, request } => {
                let mut others = self.spaces[space].loaded.clone();
                others.remove(&at);
                others.iter().for_each(|&other| self.cpus[other].requests.push((at, request, page)));
                Doing::Waiting { space, page, version, others }
            }
            Doing::Waiting { space, page, version, others } if others.is_empty() => {
                let flushed = &mut self.spaces[space].flushed[page];
                *flushed = version.max(*flushed);
                Doing::Nothing
            }
            // Whoever waits serves others.
            waiting => {
                self.serve(at, choice);
                match &self.cpus[at].doing {
                    Doing::Waiting { .. } => return,
                    _ => waiting,
                }
            }
        };
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn no_stale_translation_is_used(
        count in 1usize..=6,
        steps in prop::collection::vec((0..CPUS, any::<usize>()), 0..1500),
    ) {
        let mut machine = Machine::new(count);
        for (cpu, choice) in steps {
            machine.step(cpu, choice);
        }
        prop_assert!(count > 1 || machine.kept == 0);
    }
}

#[test]
fn a_space_that_comes_back_unchanged_keeps_what_the_tlb_has() {
    let tags = Tags::new();
    let first = tags.enter(2, 7, 0);
    assert!(!first.keep);
    assert_ne!(tags.enter(2, 8, 0).tag, first.tag);
    assert_eq!(tags.enter(2, 7, 0), Load { keep: true, ..first });
    assert_eq!(tags.obey(Request { space: 7, generation: 1 }), Forget::Listed);
    assert_eq!(tags.obey(Request { space: 8, generation: 1 }), Forget::Nothing);
    assert!(!tags.enter(2, 8, 1).keep);
    assert!(tags.enter(2, 7, 1).keep);
    // A third one takes a tag away.
    tags.enter(2, 9, 0);
    assert!(!tags.enter(2, 8, 1).keep);
}

#[test]
fn requests_that_overtake_each_other_empty_the_tag_once() {
    let tags = Tags::new();
    tags.enter(6, 1, 4);
    assert_eq!(tags.obey(Request { space: 1, generation: 6 }), Forget::All);
    assert_eq!(tags.obey(Request { space: 1, generation: 5 }), Forget::Nothing);
    tags.leave();
    assert_eq!(tags.obey(Request { space: 1, generation: 7 }), Forget::Nothing);
    assert!(!tags.enter(6, 1, 7).keep);
}
