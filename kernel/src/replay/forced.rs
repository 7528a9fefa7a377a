//! The kernel's machine for threads that are switched by a schedule.

use core::str::FromStr;

use explore::Engine;
use maple::{Node, NodeSource, Rcu, ReadGuard};
use mm::commit::Commitment;
use mm::frame::{Frame, FrameAllocator};
use mm::huge::HugePages;
use mm::object::Objects;
use mm::pgtable::Table;
use mm::platform::{Cpu, Platform, Slab};
use mm::schedule::{Label, Point, Wait, Wake};
use mm::tlb::{Flush, TlbState};
use mm::vma::VmaPool;

use crate::memory::{KERNEL, Kernel, KernelNodes};

/// A bug of the museum, in the memory manager or in its tree.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Bug {
    Mm(mm::museum::Bug),
    Tree(maple::Bug),
}

/// There is no bug of this name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct UnknownBug;

impl FromStr for Bug {
    type Err = UnknownBug;

    fn from_str(name: &str) -> Result<Self, UnknownBug> {
        let of_mm = mm::museum::Bug::ALL.iter().copied().map(|bug| (alloc::format!("{bug:?}"), Bug::Mm(bug)));
        let of_tree = maple::Bug::ALL.iter().copied().map(|bug| (alloc::format!("{bug:?}"), Bug::Tree(bug)));
        of_mm.chain(of_tree).find(|named| named.0 == name).map(|named| named.1).ok_or(UnknownBug)
    }
}

/// The kernel's machine with a schedule and perhaps a bug. Its pools are its own, so that each run finds them empty; the
/// pages that they take are not given back.
pub(super) struct Forced {
    vmas: VmaPool,
    objects: Objects,
    commitment: Commitment,
    rcu: Rcu<Nodes>,
    max_map_count: usize,
    huge_pages: HugePages,
}

impl Forced {
    pub(super) fn new(bug: Option<Bug>, max_map_count: usize, huge_pages: HugePages) -> Self {
        Forced {
            vmas: VmaPool::new(),
            objects: Objects::new(),
            commitment: Commitment::generous(),
            rcu: Rcu::new(Nodes { engine: Engine::new(), bug }),
            max_map_count,
            huge_pages,
        }
    }

    /// The scheduler of the threads.
    pub(super) fn engine(&self) -> &Engine<Label> {
        &self.rcu.source().engine
    }
}

/// The kernel's memory for tree nodes; readers are switched between nodes.
pub(super) struct Nodes {
    engine: Engine<Label>,
    bug: Option<Bug>,
}

impl NodeSource for Nodes {
    fn allocate(&self) -> Option<&'static mut Node> {
        KernelNodes.allocate()
    }

    fn free(&self, node: &'static mut Node) {
        KernelNodes.free(node);
    }

    fn pause(&self) {
        self.engine.pause(Label::Node);
    }

    fn has(&self, bug: maple::Bug) -> bool {
        self.bug == Some(Bug::Tree(bug))
    }
}

impl Platform for Forced {
    type FrameStore = <Kernel as Platform>::FrameStore;
    type Nodes = Nodes;

    fn frames(&self) -> &FrameAllocator<Self::FrameStore> {
        KERNEL.frames()
    }

    fn vmas(&self) -> &VmaPool {
        &self.vmas
    }

    fn objects(&self) -> &Objects {
        &self.objects
    }

    fn commitment(&self) -> &Commitment {
        &self.commitment
    }

    fn rcu(&self) -> &Rcu<Nodes> {
        &self.rcu
    }

    fn rcu_read<R>(&self, section: impl FnOnce(&ReadGuard<'_, Nodes>) -> R) -> R {
        // Threads are switched in read sections, so each takes a place for one section.
        self.rcu.read_in_any_place(section)
    }

    fn slab_page(&self) -> Option<Slab> {
        KERNEL.slab_page()
    }

    fn table(&self, frame: Frame) -> &Table {
        KERNEL.table(frame)
    }

    fn kernel_half(&self) -> &[u64; 256] {
        KERNEL.kernel_half()
    }

    fn zero_frame(&self) -> Frame {
        KERNEL.zero_frame()
    }

    fn zero(&self, frame: Frame) {
        KERNEL.zero(frame);
    }

    fn zero_huge(&self, block: Frame) {
        KERNEL.zero_huge(block);
    }

    fn zero_from(&self, frame: Frame, start: usize) {
        KERNEL.zero_from(frame, start);
    }

    fn fill(&self, frame: Frame, place: u64, bytes: usize) {
        KERNEL.fill(frame, place, bytes);
    }

    fn copy(&self, from: Frame, to: Frame) {
        KERNEL.copy(from, to);
    }

    fn flush(&self, tlb: &TlbState, flush: Flush) {
        KERNEL.flush(tlb, flush);
    }

    fn cpu(&self) -> Cpu {
        KERNEL.cpu()
    }

    fn huge_pages(&self) -> HugePages {
        self.huge_pages
    }

    fn max_map_count(&self) -> usize {
        self.max_map_count
    }

    fn pause(&self, point: Point) {
        self.engine().pause(Label::Point(point));
    }

    fn wait(&self, wait: Wait, round: u32) -> Wake {
        self.engine().wait(Label::Wait(wait), round).expect("only threads of the run wait");
        Wake::Again
    }

    fn has(&self, bug: mm::museum::Bug) -> bool {
        self.rcu.source().bug == Some(Bug::Mm(bug))
    }
}
