//! The machine as the memory manager sees it.

use core::sync::atomic::{AtomicU32, Ordering};

use maple::{Rcu, ReadGuard, Reader};
use mm::commit::Commitment;
use mm::event::Event;
use mm::frame::{Frame, FrameAllocator, FrameKind};
use mm::huge::HugePages;
use mm::object::{Attachment, ObjectId, Objects};
use mm::pgtable::Table;
use mm::platform::Slab;
use mm::schedule::{Place, Sleep, Wait, Wake};
use mm::tlb::{Flush, TlbState};
use mm::trace::Step;
use mm::vma::VmaPool;
use mm::{Cpu, PAGE_SIZE, PageSize, Platform};
use spin::Once;

use super::nodes::KernelNodes;
use crate::arch::{self, Local, direct_map, paging, tlb};
use crate::ipc::segments;
use crate::ramdisk;
use crate::sched::{self, Attention, WaitQueue};

/// The real machine: a value without content.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kernel;

/// For address spaces, which borrow their platform.
pub(crate) static KERNEL: Kernel = Kernel;

/// Most VMAs an address space may have; at most `i32::MAX`. `/proc/sys/vm/max_map_count` is this.
pub(crate) static MAX_MAP_COUNT: AtomicU32 = AtomicU32::new(65_530);

/// Which private memory gets huge pages, by number. `/sys/kernel/mm/transparent_hugepage/enabled` is this.
pub(crate) static HUGE_PAGES: AtomicU32 = AtomicU32::new(HugePages::Advised as u32);

/// What the machine has promised; settings of `/proc/sys/vm` are in it.
pub(crate) static COMMITMENT: Commitment = Commitment::new();

/// Sets which private memory gets huge pages.
pub(crate) fn set_huge_pages(huge_pages: HugePages) {
    HUGE_PAGES.store(huge_pages as u32, Ordering::Relaxed);
}

static VMAS: VmaPool = VmaPool::new();
static OBJECTS: Objects = Objects::new();
static GRACE_PERIODS: Once<Rcu<KernelNodes>> = Once::new();
static READERS: Local<Reader<'static, KernelNodes>> = Local::new();
/// Tasks that sleep for a lock, by the place where they do.
static PARKED: [WaitQueue; PARKING_LOTS] = [const { WaitQueue::new() }; PARKING_LOTS];
const PARKING_LOTS: usize = 64;
static ZERO_FRAME: Once<Frame> = Once::new();

/// Takes what the platform needs of memory.
pub(super) fn init() {
    COMMITMENT.set_total(super::frames().statistics().total);
    GRACE_PERIODS.call_once(|| Rcu::new(KernelNodes));
    ZERO_FRAME.call_once(|| {
        let frame = super::frames().alloc_frame(FrameKind::Zero).expect("a frame of zeroes");
        direct_map::zero(frame.address().as_u64());
        frame
    });
}

/// The queue of a place, which other places share: who is woken for another one looks, and sleeps again.
fn parked(place: Place) -> &'static WaitQueue {
    // Places are addresses on kernel stacks.
    let mixed = (place.0 as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    &PARKED[mixed as usize % PARKING_LOTS]
}

#[inline]
fn grace_periods() -> &'static Rcu<KernelNodes> {
    GRACE_PERIODS.get().expect("memory is set up")
}

impl Platform for Kernel {
    type FrameStore = super::Metadata;
    type Nodes = KernelNodes;

    const PAUSES: bool = false;

    #[inline]
    fn frames(&self) -> &FrameAllocator<Self::FrameStore> {
        super::frames()
    }

    #[inline]
    fn vmas(&self) -> &VmaPool {
        &VMAS
    }

    #[inline]
    fn objects(&self) -> &Objects {
        &OBJECTS
    }

    #[inline]
    fn commitment(&self) -> &Commitment {
        &COMMITMENT
    }

    #[inline]
    fn rcu(&self) -> &Rcu<KernelNodes> {
        grace_periods()
    }

    #[inline]
    fn rcu_read<R>(&self, section: impl FnOnce(&ReadGuard<'_, KernelNodes>) -> R) -> R {
        let make = |cpu| grace_periods().reader(cpu as usize).expect("the CPU's own place");
        READERS.with(make, |reader| {
            let result = section(&reader.read());
            // A CPU that runs a program or idles makes nobody wait.
            reader.offline();
            result
        })
    }

    fn slab_page(&self) -> Option<Slab> {
        let frame = self.frames().alloc_frame(FrameKind::Slab)?;
        Some(Slab::Static(direct_map::slab_page(frame.address().as_u64())))
    }

    #[inline]
    fn table(&self, frame: Frame) -> &Table {
        direct_map::table(frame.address().as_u64())
    }

    fn kernel_half(&self) -> &[u64; 256] {
        paging::kernel_half()
    }

    #[inline]
    fn zero_frame(&self) -> Frame {
        *ZERO_FRAME.get().expect("memory is set up")
    }

    #[inline]
    fn zero(&self, frame: Frame) {
        direct_map::zero(frame.address().as_u64());
    }

    fn zero_huge(&self, block: Frame) {
        let first = block.address().as_u64();
        (0..PageSize::Huge.pages()).for_each(|at| direct_map::zero(first + at * PAGE_SIZE));
    }

    fn zero_from(&self, frame: Frame, start: usize) {
        direct_map::zero_from(frame.address().as_u64(), start);
    }

    /// The store is the ramdisk.
    fn fill(&self, frame: Frame, place: u64, bytes: usize) {
        let content = &ramdisk::archive()[place as usize..][..bytes];
        direct_map::with_frame_mut(frame.address().as_u64(), |to| to[..bytes].copy_from_slice(content));
    }

    #[inline]
    fn copy(&self, from: Frame, to: Frame) {
        direct_map::copy(from.address().as_u64(), to.address().as_u64());
    }

    #[inline]
    fn flush(&self, tlb: &TlbState, flush: Flush) {
        tlb::flush(tlb, flush);
    }

    #[inline]
    fn cpu(&self) -> Cpu {
        Cpu(arch::cpu_number())
    }

    /// Lets other tasks run: the one that is waited for, too.
    fn wait(&self, _: Wait, round: u32) -> Wake {
        sched::relax(round);
        if sched::current().attention() == Attention::Killed { Wake::Killed } else { Wake::Again }
    }

    fn park(&self, wait: Wait, sleep: Sleep, place: Place, round: u32, ready: &dyn Fn() -> bool) -> Wake {
        if !sched::can_sleep() {
            return self.wait(wait, round);
        }
        let sleep = match sleep {
            Sleep::Interruptible => sched::Sleep::Interruptible,
            Sleep::Killable => sched::Sleep::Killable,
            Sleep::Uninterruptible => sched::Sleep::Uninterruptible,
        };
        match parked(place).wait_once(sleep, None, &mut || ready()) {
            None | Some(Ok(())) => Wake::Again,
            Some(Err(_)) => Wake::Killed,
        }
    }

    fn unpark(&self, place: Place) {
        parked(place).wake_all();
    }

    fn attachment(&self, object: ObjectId, change: Attachment) {
        match change {
            Attachment::Comes => segments::attached(object),
            Attachment::Goes => segments::detached(object),
        }
    }

    #[inline]
    fn count(&self, event: Event) {
        arch::count(event);
    }

    #[cfg(feature = "test")]
    #[inline]
    fn admit(&self, point: mm::Fallible) -> bool {
        super::refusal::admit(point)
    }

    #[inline]
    fn huge_pages(&self) -> HugePages {
        HugePages::from_number(HUGE_PAGES.load(Ordering::Relaxed) as u8)
    }

    #[inline]
    fn max_map_count(&self) -> usize {
        MAX_MAP_COUNT.load(Ordering::Relaxed) as usize
    }

    #[inline]
    fn trace(&self, step: Step) {
        crate::process::trace::record(step);
    }
}

impl Kernel {
    /// Loads the address space with the root table `root` on this CPU, whose TLB state is `tlb`. It stays alive
    /// until [`leave`](Self::leave). No other is loaded here.
    pub(crate) fn load(&self, root: Frame, tlb: &TlbState) {
        tlb::load(root.address().as_u64(), tlb);
    }

    /// As [`load`](Self::load), and leaves the address space behind `from`, which is loaded.
    pub(crate) fn switch(&self, root: Frame, tlb: &TlbState, from: &TlbState) {
        tlb::switch(root.address().as_u64(), tlb, from);
    }

    /// Leaves the loaded address space, whose TLB state is `tlb`, for the kernel's own tables.
    pub(crate) fn leave(&self, tlb: &TlbState) {
        tlb::leave(tlb);
    }
}
