//! The seam: what the memory manager asks of the machine it runs on.
//!
//! A platform is a value, never a global: zero-sized in the kernel, a simulated machine on the host.
//! Both are equal clients of this crate.

use alloc::boxed::Box;
use core::mem::MaybeUninit;

use maple::{NodeSource, Rcu, ReadGuard};

use crate::commit::Commitment;
use crate::event::Event;
use crate::frame::{Frame, FrameAllocator, FrameStore};
use crate::huge::HugePages;
use crate::museum::Bug;
use crate::object::{Attachment, ObjectId, Objects};
use crate::pgtable::Table;
use crate::schedule::{Place, Point, Sleep, Wait, Wake};
use crate::sync::{Parker, spin_loop};
use crate::tlb::{Flush, TlbState};
use crate::trace::Step;
use crate::vma::VmaPool;

/// A page of memory for objects, with any content.
#[repr(C, align(4096))]
pub struct SlabPage([MaybeUninit<u64>; 512]);

impl SlabPage {
    /// A page with undefined content.
    pub const fn new() -> Self {
        SlabPage([const { MaybeUninit::uninit() }; 512])
    }
}

impl Default for SlabPage {
    fn default() -> Self {
        Self::new()
    }
}

/// A page that a [`Pool`](crate::sync::Pool) takes over, cuts into objects and keeps for as long as the pool
/// lives (objects are type-stable, I25).
pub enum Slab {
    /// Memory that lives for ever: a frame of the kernel.
    Static(&'static mut SlabPage),
    /// Memory of the host's heap; freed with the pool.
    Owned(Box<SlabPage>),
}

/// A CPU, by number from 0.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cpu(pub u32);

/// A point at which an operation may fail (design, "Failure"); see [`Platform::admit`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fallible {
    /// A frame for user data.
    DataFrame,
    /// A block for a huge leaf; without one there is a small leaf.
    HugeBlock,
    /// A frame for a page table.
    TableFrame,
    /// A frame for a node of a shared object.
    ObjectNode,
    /// A VMA object (E7).
    Vma,
    /// Node memory of the VMA tree (E8, E11, E14).
    TreeNodes,
    /// A killable wait for the mmap lock (E1).
    MmapLock,
    /// A killable wait for the readers of a VMA (E15).
    VmaLock,
}

/// The machine, as the memory manager sees it.
pub trait Platform {
    /// Where the metadata of all frames lives.
    type FrameStore: FrameStore;

    /// Where the nodes of VMA trees come from.
    type Nodes: NodeSource;

    /// The allocator of physical frames.
    fn frames(&self) -> &FrameAllocator<Self::FrameStore>;

    /// The VMA objects of this machine.
    fn vmas(&self) -> &VmaPool;

    /// The shared objects of this machine.
    fn objects(&self) -> &Objects;

    /// What this machine has promised to programs.
    fn commitment(&self) -> &Commitment;

    /// The grace periods of all VMA trees of this machine.
    fn rcu(&self) -> &Rcu<Self::Nodes>;

    /// Runs `section` as an RCU read section of the CPU that runs it: what it finds in a tree stays valid until it is over.
    /// It does not sleep.
    fn rcu_read<R>(&self, section: impl FnOnce(&ReadGuard<'_, Self::Nodes>) -> R) -> R;

    /// A page of memory for objects, or `None` when memory is short.
    fn slab_page(&self) -> Option<Slab>;

    /// The page table in `frame`, which is an allocated frame of kind `Table`, or the node of a shared object (`Object`).
    fn table(&self, frame: Frame) -> &Table;

    /// The upper-half entries (256..512) that every address space has in its root table, in order.
    /// They never change after boot.
    fn kernel_half(&self) -> &[u64; 256];

    /// The one frame of zeroes that read faults share (kind `Zero`; never written, never freed).
    fn zero_frame(&self) -> Frame;

    /// Fills `frame` (allocated, owned by the caller) with zeroes.
    fn zero(&self, frame: Frame);

    /// Fills all frames of `block` (of kind `Huge`, owned by the caller) with zeroes.
    fn zero_huge(&self, block: Frame);

    /// Fills `frame` (allocated) with zeroes from byte `start` on.
    fn zero_from(&self, frame: Frame, start: usize);

    /// Fills the first `bytes` bytes of `frame` (allocated, owned by the caller) with those that the machine's read-only store
    /// of files has from `place` on.
    fn fill(&self, frame: Frame, place: u64, bytes: usize);

    /// Copies the content of `from` to `to` (both allocated, `to` owned by the caller).
    fn copy(&self, from: Frame, to: Frame);

    /// Makes every CPU that may cache translations of the address space behind `tlb` forget those of
    /// `flush`; returns when all have (I23). Interrupts are on and no page-table lock is held.
    fn flush(&self, tlb: &TlbState, flush: Flush);

    /// The CPU that runs this code.
    fn cpu(&self) -> Cpu;

    /// Most VMAs an address space may have (`vm.max_map_count`). It may change at any time, so that a check asks once
    /// and compares what it got.
    fn max_map_count(&self) -> usize;

    /// Which private memory gets huge pages. It may change at any time.
    fn huge_pages(&self) -> HugePages;

    /// Whether a fallible step may succeed. Tests refuse; the kernel always admits, at no cost.
    #[inline]
    fn admit(&self, point: Fallible) -> bool {
        let _ = point;
        true
    }

    /// Whether a panic is unwinding this thread, so that a drop must not panic once more. Only hosts unwind.
    #[inline]
    fn unwinding(&self) -> bool {
        false
    }

    /// Whether [`pause`](Self::pause) does anything, so that points need names.
    const PAUSES: bool = true;

    /// Another thread may run here; schedule explorers switch. No spin lock is held.
    #[inline]
    fn pause(&self, point: Point) {
        let _ = point;
    }

    /// Called in every round of a wait, counted from 0, with no spin lock held. Later rounds than the first change nothing
    /// that another thread waits for.
    #[inline]
    fn wait(&self, wait: Wait, round: u32) -> Wake {
        let _ = (wait, round);
        spin_loop();
        Wake::Again
    }

    /// Sleeps until another thread [unparks](Self::unpark) `place`, but not if `ready`, which is asked when the thread is about to
    /// sleep; see [`Parker`]. Where nothing sleeps this is a round of [`wait`](Self::wait).
    #[inline]
    fn park(&self, wait: Wait, sleep: Sleep, place: Place, round: u32, ready: &dyn Fn() -> bool) -> Wake {
        let _ = (sleep, place, ready);
        self.wait(wait, round)
    }

    /// Wakes the thread that has parked at `place`, if there is one. No spin lock is held.
    #[inline]
    fn unpark(&self, place: Place) {
        let _ = place;
    }

    /// A VMA that is an attachment of `object` ([`VmaFlags::ATTACHED`](crate::vma::VmaFlags)) comes, or has gone. The mmap lock is held;
    /// of an object that has gone as well there is nothing but the name.
    #[inline]
    fn attachment(&self, object: ObjectId, change: Attachment) {
        let _ = (object, change);
    }

    /// Counts an event. Writes nothing that another CPU writes.
    #[inline]
    fn count(&self, event: Event) {
        let _ = event;
    }

    /// Whether a bug of the museum is put back. Only tests have any; in the kernel nothing of them is compiled in.
    #[inline]
    fn has(&self, bug: Bug) -> bool {
        let _ = bug;
        false
    }

    /// Listens to the steps of an operation (see [`crate::trace`]).
    #[inline]
    fn trace(&self, step: Step) {
        let _ = step;
    }
}

/// Locks of a machine's address spaces sleep as the machine does.
impl<P: Platform> Parker for &P {
    #[inline]
    fn park(&self, wait: Wait, sleep: Sleep, place: Place, round: u32, ready: &dyn Fn() -> bool) -> Wake {
        P::park(self, wait, sleep, place, round, ready)
    }

    #[inline]
    fn unpark(&self, place: Place) {
        P::unpark(self, place);
    }
}
