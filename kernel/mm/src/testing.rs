//! A machine for unit tests: frames in host memory, and TLBs that cache until told otherwise.
//!
//! The TLB is stricter than hardware: it keeps everything it has seen, leaf translations and the tables on the way,
//! until a flush names it. Frames that it still knows must stay allocated, and are never handed out.

use std::sync::Mutex;

use maple::{HostNodes, Rcu, ReadGuard};

use crate::commit::Commitment;
use crate::event::Event;
use crate::frame::{Frame, FrameAllocator, FrameKind, FrameMeta};
use crate::huge::HugePages;
use crate::object::Objects;
use crate::pgtable::{LEVELS, Protection, PteView, Table, index_of};
use crate::platform::{Cpu, Fallible, Platform, Slab};
use crate::range::{PAGE_SIZE, Page, PageRange, PageSize};
use crate::schedule::{Wait, Wake};
use crate::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use crate::tlb::{Flush, FlushScope, TlbState};
use crate::trace::Step;
use crate::vma::VmaPool;

/// The machine.
pub(crate) struct Machine {
    frames: FrameAllocator<Box<[FrameMeta]>>,
    /// Content of each frame, as 512 words.
    memory: Box<[Table]>,
    vmas: VmaPool,
    objects: Objects,
    pub(crate) commitment: Commitment,
    rcu: Rcu<HostNodes>,
    kernel_half: [u64; 256],
    zero_frame: Frame,
    /// Fallible points that are still admitted.
    admitted: AtomicU64,
    /// Whether a fatal signal has come for all who wait.
    killed: AtomicBool,
    max_map_count: AtomicU64,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    cached: Vec<Cached>,
    flushes: Vec<Flush>,
    steps: Vec<Step>,
    refused: Vec<Fallible>,
    events: Vec<Event>,
}

/// What a TLB knows of a page.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Cached {
    /// Address of the `TlbState`: which address space.
    space: usize,
    page: Page,
    frame: Frame,
    what: What,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum What {
    Table,
    Leaf(Protection),
}

/// The byte at `place` of the machine's store of files; never 0.
pub(crate) fn stored_byte(place: u64) -> u8 {
    (place % 251) as u8 + 1
}

/// The level of tables that leaves of `size` are in.
fn level_of(size: PageSize) -> u32 {
    match size {
        PageSize::Small => 0,
        PageSize::Huge => 1,
    }
}

/// The block of 2 MiB that `frame` is in.
fn block_of(frame: Frame) -> Frame {
    Frame::new(frame.number() & !511)
}

fn space_of(tlb: &TlbState) -> usize {
    std::ptr::from_ref(tlb).addr()
}

impl Machine {
    /// A machine with `count` frames of memory, one of which is the zero frame.
    pub(crate) fn with_frames(count: u32) -> Self {
        let store = (0..count).map(|_| FrameMeta::default()).collect();
        let frames = FrameAllocator::new(store);
        frames.add_range(Frame::new(0), Frame::new(count));
        let zero_frame = frames.alloc_frame(FrameKind::Zero).expect("a machine without memory");
        Machine {
            frames,
            memory: (0..count).map(|_| Table::new()).collect(),
            vmas: VmaPool::new(),
            objects: Objects::new(),
            commitment: Commitment::generous(),
            rcu: Rcu::new(HostNodes),
            kernel_half: std::array::from_fn(|index| index as u64 * 0x1000 + 1),
            zero_frame,
            admitted: AtomicU64::new(u64::MAX),
            killed: AtomicBool::new(false),
            max_map_count: AtomicU64::new(65_530),
            state: Mutex::default(),
        }
    }

    /// Admits the next `points` fallible points and refuses all after.
    pub(crate) fn admit_only(&self, points: u64) {
        self.admitted.store(points, Ordering::Relaxed);
    }

    /// Admits everything again.
    pub(crate) fn admit_all(&self) {
        self.admit_only(u64::MAX);
    }

    /// Sets the most VMAs that an address space may have.
    pub(crate) fn set_max_map_count(&self, count: u64) {
        self.max_map_count.store(count, Ordering::Relaxed);
    }

    /// A frame of user data whose first word is `word`.
    pub(crate) fn data_frame(&self, word: u64) -> Frame {
        let frame = self.frames.alloc_frame(FrameKind::Anonymous).expect("no memory");
        self.zero(frame);
        self.set_word(frame, word);
        frame
    }

    /// First word of `frame`.
    pub(crate) fn word(&self, frame: Frame) -> u64 {
        self.content(frame).get(0).bits()
    }

    /// Sets the first word of `frame`.
    pub(crate) fn set_word(&self, frame: Frame, word: u64) {
        self.content(frame).set(0, crate::pgtable::Pte::from_bits(word));
    }

    /// Byte `at` of `frame`.
    pub(crate) fn byte(&self, frame: Frame, at: usize) -> u8 {
        self.content(frame).get(at / 8).bits().to_le_bytes()[at % 8]
    }

    /// Sets byte `at` of `frame`.
    pub(crate) fn set_byte(&self, frame: Frame, at: usize, byte: u8) {
        let mut bytes = self.content(frame).get(at / 8).bits().to_le_bytes();
        bytes[at % 8] = byte;
        self.content(frame).set(at / 8, crate::pgtable::Pte::from_bits(u64::from_le_bytes(bytes)));
    }

    fn content(&self, frame: Frame) -> &Table {
        &self.memory[frame.number() as usize]
    }

    /// What a load or store of user code finds for `page`: what the TLB has, or else what a walk from `root` finds, which
    /// the TLB then has. `None` where it faults because nothing is present.
    pub(crate) fn access(&self, root: Frame, tlb: &TlbState, page: Page) -> Option<(Frame, Protection)> {
        let space = space_of(tlb);
        let mut state = self.state.lock().unwrap();
        let hit = state.cached.iter().find_map(|cached| match cached.what {
            What::Leaf(protection) if cached.space == space && cached.page == page => {
                Some((cached.frame, protection))
            }
            _ => None,
        });
        if hit.is_some() {
            return hit;
        }
        let mut table = root;
        for level in (0..LEVELS).rev() {
            let entry = self.content(table).get(index_of(page, level));
            match entry.view() {
                PteView::Table(frame) if level > 0 => {
                    state.cached.push(Cached { space, page, frame, what: What::Table });
                    table = frame;
                }
                PteView::Leaf { protection, size, .. }
                    if level == level_of(size) && protection != Protection::None =>
                {
                    let frame = entry.frame_of(page);
                    state.cached.push(Cached { space, page, frame, what: What::Leaf(protection) });
                    return Some((frame, protection));
                }
                PteView::Leaf { protection: Protection::None, .. } | PteView::Absent | PteView::Guard => {
                    return None;
                }
                view => panic!("{view:?} in a table of level {level}"),
            }
        }
        None
    }

    /// All flushes since the last call.
    pub(crate) fn take_flushes(&self) -> Vec<Flush> {
        std::mem::take(&mut self.state.lock().unwrap().flushes)
    }

    /// All steps since the last call.
    pub(crate) fn take_steps(&self) -> Vec<Step> {
        std::mem::take(&mut self.state.lock().unwrap().steps)
    }

    /// All refused points since the last call.
    pub(crate) fn take_refused(&self) -> Vec<Fallible> {
        std::mem::take(&mut self.state.lock().unwrap().refused)
    }

    /// All events since the last call.
    pub(crate) fn take_events(&self) -> Vec<Event> {
        std::mem::take(&mut self.state.lock().unwrap().events)
    }

    /// From now on a fatal signal ends every killable wait.
    pub(crate) fn kill_waiters(&self) {
        self.killed.store(true, Ordering::Relaxed);
    }

    /// Frames allocated for `kind`.
    pub(crate) fn allocated(&self, kind: FrameKind) -> u64 {
        self.frames.statistics().allocated(kind)
    }

    /// Checks the frames, and that none was freed that a TLB still knows (I23).
    pub(crate) fn check(&self) {
        self.frames.check();
        self.check_tlb(&self.state.lock().unwrap());
    }

    fn check_tlb(&self, state: &State) {
        for cached in &state.cached {
            let kind = self.frames.kind(cached.frame);
            let right = match cached.what {
                What::Table => kind == FrameKind::Table,
                What::Leaf(_) => match kind {
                    FrameKind::Unusable => self.frames.kind(block_of(cached.frame)) == FrameKind::Huge,
                    _ => !matches!(kind, FrameKind::Table | FrameKind::Free),
                },
            };
            assert!(right, "freed before the flush: now {kind:?}, but a TLB has {cached:?}");
        }
    }

    fn assert_uncached(&self, frame: Frame) {
        let state = self.state.lock().unwrap();
        let cached = state.cached.iter().find(|cached| cached.frame == frame);
        assert!(cached.is_none(), "{frame:?} is used anew, but a TLB has {cached:?}");
    }
}

impl Platform for Machine {
    type FrameStore = Box<[FrameMeta]>;
    type Nodes = HostNodes;

    fn frames(&self) -> &FrameAllocator<Self::FrameStore> {
        &self.frames
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

    fn rcu(&self) -> &Rcu<HostNodes> {
        &self.rcu
    }

    fn rcu_read<R>(&self, section: impl FnOnce(&ReadGuard<'_, HostNodes>) -> R) -> R {
        let reader = self.rcu.reader(0).expect("read sections do not nest");
        section(&reader.read())
    }

    fn slab_page(&self) -> Option<Slab> {
        Some(Slab::Owned(Box::default()))
    }

    fn table(&self, frame: Frame) -> &Table {
        let kind = self.frames.kind(frame);
        assert!(
            matches!(kind, FrameKind::Table | FrameKind::Object),
            "{frame:?} as a table, but is {kind:?}"
        );
        self.content(frame)
    }

    fn kernel_half(&self) -> &[u64; 256] {
        &self.kernel_half
    }

    fn zero_frame(&self) -> Frame {
        self.zero_frame
    }

    fn zero(&self, frame: Frame) {
        self.assert_uncached(frame);
        (0..512).for_each(|index| self.content(frame).set(index, crate::pgtable::Pte::ABSENT));
    }

    fn zero_huge(&self, block: Frame) {
        (block.number()..block.number() + 512).for_each(|number| self.zero(Frame::new(number)));
    }

    fn zero_from(&self, frame: Frame, start: usize) {
        for at in start..PAGE_SIZE as usize {
            self.set_byte(frame, at, 0);
        }
    }

    fn fill(&self, frame: Frame, place: u64, bytes: usize) {
        self.assert_uncached(frame);
        (0..bytes).for_each(|at| self.set_byte(frame, at, stored_byte(place + at as u64)));
    }

    fn copy(&self, from: Frame, to: Frame) {
        self.assert_uncached(to);
        (0..512).for_each(|index| self.content(to).set(index, self.content(from).get(index)));
    }

    fn flush(&self, tlb: &TlbState, flush: Flush) {
        let space = space_of(tlb);
        let mut state = self.state.lock().unwrap();
        self.check_tlb(&state);
        state.cached.retain(|cached| {
            let named = match (cached.what, flush.scope) {
                (What::Table, _) => flush.tables,
                (What::Leaf(_), FlushScope::All) => true,
                (What::Leaf(_), FlushScope::Range(range)) => range.contains(cached.page),
                (What::Leaf(_), FlushScope::Huge(range)) => {
                    range.contains(PageRange::around(cached.page, PageSize::Huge).start())
                }
            };
            cached.space != space || !named
        });
        state.flushes.push(flush);
    }

    fn cpu(&self) -> Cpu {
        Cpu(0)
    }

    fn max_map_count(&self) -> usize {
        self.max_map_count.load(Ordering::Relaxed) as usize
    }

    fn huge_pages(&self) -> HugePages {
        HugePages::Never
    }

    fn admit(&self, point: Fallible) -> bool {
        let left = self.admitted.load(Ordering::Relaxed);
        if left == 0 {
            self.state.lock().unwrap().refused.push(point);
            return false;
        }
        self.admitted.store(left - 1, Ordering::Relaxed);
        true
    }

    fn wait(&self, _wait: Wait, _round: u32) -> Wake {
        std::thread::yield_now();
        if self.killed.load(Ordering::Relaxed) { Wake::Killed } else { Wake::Again }
    }

    fn count(&self, event: Event) {
        self.state.lock().unwrap().events.push(event);
    }

    fn unwinding(&self) -> bool {
        std::thread::panicking()
    }

    fn trace(&self, step: Step) {
        self.state.lock().unwrap().steps.push(step);
    }
}
