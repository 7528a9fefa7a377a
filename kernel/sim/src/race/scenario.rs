//! What threads do at the same time.

use std::fmt;

use mm::huge::HugePages;
use mm::platform::Cpu;
use mm::range::{Page, PageRange};
use mm::space::{AddressSpace, MunmapOrder};

use super::{scenarios, window};
use crate::machine::Machine;
use crate::model::{System, Touch};
use crate::op::{Op, PAGE};
use crate::setup::Setup;
use crate::userfaults::{Patience, user_access};
use crate::world::{Answer, predict, system_call};

/// What a thread does in one go, as its program sees it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// A system call or an access.
    Do(Op),
    /// A look at the tree without any lock: are these pages mapped, `first..end`?
    Look {
        /// First page.
        first: u64,
        /// One past the last page.
        end: u64,
    },
}

impl Act {
    /// The page, if it is an access to one.
    pub(super) fn page(self) -> Option<u64> {
        match self {
            Act::Do(Op::Touch { address, .. }) => Some(address / PAGE),
            Act::Look { first, end } if first + 1 == end => Some(first),
            Act::Do(_) | Act::Look { .. } => None,
        }
    }

    /// Whether it is a store.
    pub(super) fn is_store(self) -> bool {
        matches!(self, Act::Do(Op::Touch { touch: Touch::Write, .. }))
    }

    /// Whether it forks.
    pub(super) fn is_fork(self) -> bool {
        self == Act::Do(Op::Fork)
    }

    /// Does it in `space`, one of `all`, on `cpu`, unless it forks; a store stores `value`.
    pub(super) fn perform<'m>(
        self,
        space: &AddressSpace<'m, Machine>,
        all: &[&AddressSpace<'m, Machine>],
        machine: &Machine,
        cpu: Cpu,
        value: u64,
    ) -> Answer {
        match self {
            Act::Do(Op::Touch { address, touch, .. }) => {
                user_access(space, machine, cpu, address, touch, value, Patience::Wait)
            }
            Act::Do(op) => system_call(space, all, machine, op).expect("all else is a system call"),
            Act::Look { first, end } => {
                let range = PageRange::new(Page::new(first), Page::new(end)).expect("a look at some page");
                Answer::Returned(space.peek(range).into())
            }
        }
    }

    /// What `system` answers to `process`.
    pub(super) fn predict(self, system: &mut System, process: usize, value: u64) -> Answer {
        match self {
            Act::Do(op) => predict(system, process, op, value),
            Act::Look { first, end } => {
                let model = system.process(process);
                Answer::Returned((first..end).all(|page| model.area_at(page).is_some()).into())
            }
        }
    }
}

impl From<Op> for Act {
    fn from(op: Op) -> Self {
        Act::Do(op)
    }
}

impl fmt::Debug for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Act::Do(op) => op.fmt(f),
            Act::Look { first, end } => write!(f, "look({first:#x}..{end:#x})"),
        }
    }
}

/// A thread of a scenario. It runs on the CPU of its number.
#[derive(Clone, Debug)]
pub struct Thread {
    /// The process whose thread it is.
    pub process: usize,
    /// What it does, one after the other.
    pub acts: Vec<Act>,
}

/// Processes, and threads of theirs that act at the same time.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Name, a word.
    pub name: &'static str,
    /// What each process has done before. The children of forks have ended by then.
    pub before: Vec<Vec<Op>>,
    /// The parent of each process, which comes before it and had done its `before` when it forked.
    pub parents: Vec<Option<usize>>,
    /// At least two, at most as many as there are CPUs.
    pub threads: Vec<Thread>,
    /// Limits and such; the order of munmap is chosen by the run.
    pub setup: Setup,
}

impl Scenario {
    /// The scenario of this name, if there is one.
    pub fn named(name: &str) -> Option<Self> {
        Scenario::all().find(|scenario| scenario.name == name)
    }

    /// All scenarios: those of races, and those of the [`window`].
    pub(super) fn all() -> impl Iterator<Item = Self> {
        scenarios().into_iter().chain([window::hole().0, window::moved().0, window::arriving().0])
    }

    /// One process that has done `before`, and no threads yet.
    pub fn new(name: &'static str, before: impl IntoIterator<Item = Op>) -> Self {
        let setup = Setup::new(MunmapOrder::default()).frames(FRAMES);
        let before = vec![before.into_iter().collect()];
        Scenario { name, before, parents: vec![None], threads: Vec::new(), setup }
    }

    /// The same, with huge pages for all private memory, and memory for so many blocks of them.
    pub fn huge(mut self, blocks: u32) -> Self {
        // The first 2 MiB are never a block: frame 0 is not to be allocated.
        self.setup = self.setup.huge_pages(HugePages::Always).frames((blocks + 1) * 512 - 2);
        self
    }

    /// Another process, which has done `before`.
    pub fn process(mut self, before: impl IntoIterator<Item = Op>) -> Self {
        self.before.push(before.into_iter().collect());
        self.parents.push(None);
        self
    }

    /// Another process, which the first one has forked, and which has done `before` since.
    pub fn child(mut self, before: impl IntoIterator<Item = Op>) -> Self {
        self.before.push(before.into_iter().collect());
        self.parents.push(Some(0));
        self
    }

    /// Another thread, of the process that came last.
    pub fn thread<A: Into<Act>>(self, acts: impl IntoIterator<Item = A>) -> Self {
        let process = self.before.len() - 1;
        self.thread_of(process, acts)
    }

    /// Another thread, of `process`.
    pub fn thread_of<A: Into<Act>>(mut self, process: usize, acts: impl IntoIterator<Item = A>) -> Self {
        self.threads.push(Thread { process, acts: acts.into_iter().map(Into::into).collect() });
        self
    }

    /// Whether the order of the steps of munmap makes a difference: something is unmapped or replaced.
    pub fn unmaps(&self) -> bool {
        let acts = self.threads.iter().flat_map(|thread| &thread.acts);
        acts.into_iter().any(|act| {
            !matches!(
                act,
                Act::Look { .. }
                    | Act::Do(
                        Op::Touch { .. }
                            | Op::Mprotect { .. }
                            | Op::Madvise { .. }
                            | Op::Mlock { .. }
                            | Op::Fork
                            | Op::Register { .. }
                            | Op::Unregister { .. }
                            | Op::Release { .. }
                            | Op::Fill { .. }
                            | Op::WriteProtect { .. }
                            | Op::Wake { .. }
                    )
            )
        })
    }
}

/// Memory enough for every scenario; less of it makes runs quicker.
const FRAMES: u32 = 24;
