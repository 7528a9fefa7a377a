//! The simulated machine: physical memory, CPUs with TLBs, and everything that can be made to fail.
//!
//! ```text
//!  load, store, fetch ──► TLB ──miss──► walk of the page tables in the arena ──► word of the arena
//!                          ▲                       │ not present, not permitted
//!                          └── retry ◄── fault handler of mm
//! ```
//!
//! A machine never panics over what it finds wrong, because it is found in the middle of operations of `mm`:
//! it takes note, and [`World`](crate::world::World) reports it after the operation.

mod arena;
mod control;
mod cpu;
mod objects;
mod oracle;
mod rendezvous;
mod tlb;
mod walker;
mod window;

use std::sync::Mutex;
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering};

use explore::Engine;
use maple::{Rcu, ReadGuard};
use mm::commit::Commitment;
use mm::event::Event;
use mm::frame::{Frame, FrameAllocator, FrameKind, FrameMeta};
use mm::huge::HugePages;
use mm::object::{ObjectId, Objects};
use mm::pgtable::{ENTRIES, Pte, Table};
use mm::platform::{Cpu, Fallible, Platform, Slab, SlabPage};
use mm::range::{PageRange, PageSize};
pub use mm::schedule::Label;
use mm::schedule::{Point, Wait, Wake};
use mm::space::AddressSpace;
use mm::tlb::{Flush, FlushScope, TlbState};
use mm::trace::Step;
use mm::vma::VmaPool;

use crate::model::{Settings, stored_word};
use arena::Arena;
use control::Nodes;
pub use control::{Bug, UnknownBug};
pub use cpu::Accessed;
pub(crate) use cpu::Handled;
pub(crate) use oracle::{Mapped, Seen};
use rendezvous::Rendezvous;
use tlb::Tlb;
use window::Window;

/// Number of CPUs of every simulated machine.
pub const CPUS: u32 = 3;

/// A machine in memory.
pub struct Machine {
    arena: Arena,
    frames: FrameAllocator<Box<[FrameMeta]>>,
    vmas: VmaPool,
    objects: Objects,
    commitment: Commitment,
    rcu: Rcu<Nodes>,
    zero: Frame,
    kernel_half: Box<[u64; 256]>,
    cpus: Vec<Mutex<Tlb>>,
    /// The CPU that runs the code of `mm` now.
    current: AtomicU32,
    /// Frames that somebody owned at the last look, by number.
    owned: Mutex<Vec<bool>>,
    admission: Mutex<Admission>,
    max_map_count: AtomicUsize,
    huge_pages: AtomicU8,
    /// How often each event has happened, by number.
    events: [AtomicU64; Event::ALL.len()],
    /// Steps of the operation under way.
    steps: Mutex<Vec<Step>>,
    violations: Mutex<Vec<String>>,
    /// At which step of the operation under way another thread gets its turn.
    rendezvous: Mutex<Option<Rendezvous>>,
    /// The pages that programs touched last: what a CPU walks ahead to.
    recent: Mutex<Vec<u64>>,
    /// Who faults where a new VMA is not locked.
    window: Mutex<Window>,
    /// Looks at the frames so far; chooses the word that is compared.
    looks: AtomicU64,
    /// The one file, if there is any.
    file: Mutex<Option<ObjectId>>,
}

/// Which fallible points there were, and which one fails.
#[derive(Default)]
struct Admission {
    points: Vec<Fallible>,
    /// Number of the point that is refused, from 0.
    fail_at: Option<usize>,
    /// Whether one was.
    refused: bool,
}

impl Machine {
    /// A machine with `frames` frames of memory to allocate, besides the frame of zeroes and frame 0.
    pub fn with_frames(frames: u32) -> Self {
        Machine::with_bug(frames, None)
    }

    /// As [`with_frames`](Self::with_frames), with a bug put back.
    pub fn with_bug(frames: u32, bug: Option<Bug>) -> Self {
        let metadata: Box<[FrameMeta]> = (0..frames + 2).map(|_| FrameMeta::default()).collect();
        let allocator = FrameAllocator::new(metadata);
        allocator.add_range(Frame::new(1), Frame::new(frames + 2));
        let arena = Arena::new(frames as usize + 2);
        let zero = allocator.alloc_frame(FrameKind::Zero).unwrap_or(Frame::new(0));
        arena.fill(u64::from(zero.number()), 0);
        let mut owned = vec![false; arena.len()];
        owned[zero.number() as usize] = true;
        Machine {
            arena,
            frames: allocator,
            vmas: VmaPool::new(),
            objects: Objects::new(),
            commitment: Commitment::generous(),
            rcu: Rcu::new(Nodes::new(bug)),
            zero,
            // Any pattern will do that page-table code must carry over unchanged; not present for the walker.
            kernel_half: Box::new(std::array::from_fn(|index| (index as u64) << 12)),
            cpus: (0..CPUS).map(|cpu| Mutex::new(Tlb::new(u64::from(cpu)))).collect(),
            current: AtomicU32::new(0),
            owned: Mutex::new(owned),
            admission: Mutex::default(),
            max_map_count: AtomicUsize::new(65_530),
            huge_pages: AtomicU8::new(HugePages::default() as u8),
            events: Default::default(),
            steps: Mutex::default(),
            violations: Mutex::default(),
            rendezvous: Mutex::default(),
            recent: Mutex::default(),
            window: Mutex::default(),
            looks: AtomicU64::new(0),
            file: Mutex::default(),
        }
    }

    /// Sets the most VMAs that an address space may have (`vm.max_map_count`).
    pub fn set_max_map_count(&self, count: usize) {
        self.max_map_count.store(count, Ordering::Relaxed);
    }

    /// Sets which private memory gets huge pages.
    pub fn set_huge_pages(&self, huge_pages: HugePages) {
        self.huge_pages.store(huge_pages as u8, Ordering::Relaxed);
    }

    /// Fills `frame`, which is allocated and nobody else's, with zeroes behind the word `first`.
    pub(crate) fn begin_with(&self, frame: Frame, first: u64) {
        self.zero(frame);
        self.arena.table(frame).set(0, Pte::from_bits(first));
    }

    /// Sets what is promised to programs.
    pub(crate) fn set_promises(&self, settings: &Settings) {
        let Settings { promise, promises, .. } = *settings;
        let mode = match (promise, promises) {
            (u64::MAX, u64::MAX) => 1,
            (_, u64::MAX) => 0,
            _ => 2,
        };
        self.commitment.set_total(promise);
        self.commitment.kbytes.store(promises.saturating_mul(4) as u32, Ordering::Relaxed);
        self.commitment.mode.store(mode, Ordering::Relaxed);
    }

    /// Lets the fallible point number `fail_at` from now on (from 0) be refused, or none; forgets points and steps
    /// recorded so far.
    pub fn begin(&self, cpu: Cpu, fail_at: Option<usize>) {
        self.run_on(cpu);
        *lock(&self.admission) = Admission { points: Vec::new(), fail_at, refused: false };
        lock(&self.steps).clear();
    }

    /// Lets `cpu` be the CPU that calls `mm`.
    pub fn run_on(&self, cpu: Cpu) {
        self.current.store(cpu.0, Ordering::Relaxed);
    }

    /// The fallible points passed since [`begin`](Self::begin).
    pub fn points(&self) -> Vec<Fallible> {
        lock(&self.admission).points.clone()
    }

    /// Nothing is refused any more. Says whether a point was since [`begin`](Self::begin).
    pub fn end_refusals(&self) -> bool {
        let mut admission = lock(&self.admission);
        admission.fail_at = None;
        admission.refused
    }

    /// The steps of munmap since [`begin`](Self::begin).
    pub fn steps(&self) -> Vec<Step> {
        lock(&self.steps).clone()
    }

    /// What has been found wrong so far.
    pub fn violations(&self) -> Vec<String> {
        lock(&self.violations).clone()
    }

    /// Frames that are free now.
    pub fn free_frames(&self) -> u64 {
        self.frames.statistics().free
    }

    /// How often there was no frame.
    pub(crate) fn shortages(&self) -> u64 {
        self.frames.statistics().shortages
    }

    /// Frames of a kind that are allocated now.
    pub fn allocated(&self, kind: FrameKind) -> u64 {
        self.frames.statistics().allocated(kind)
    }

    /// How often `event` has happened.
    pub fn events(&self, event: Event) -> u64 {
        self.events[event as usize].load(Ordering::Relaxed)
    }

    /// VMA objects that are in use now.
    pub fn vmas_in_use(&self) -> u64 {
        self.vmas.statistics().in_use
    }

    /// Takes note of something wrong, with the step after which it was found.
    fn violate(&self, what: String) {
        let after = match lock(&self.steps).last() {
            Some(step) => format!("{what} (found after step: {step})"),
            None => what,
        };
        let mut violations = lock(&self.violations);
        if violations.len() < 20 && !violations.contains(&after) {
            violations.push(after);
        }
    }

    /// The first thing that was found wrong.
    ///
    /// # Errors
    /// That thing.
    pub(crate) fn first_violation(&self) -> Result<(), String> {
        lock(&self.violations).first().map_or(Ok(()), |violation| Err(violation.clone()))
    }

    /// Pages that were faulted on while they lay in a new VMA that was in the tree and not write-locked, though its write section
    /// was open: what I12 forbids.
    pub(crate) fn faults_in_the_window(&self) -> Vec<u64> {
        lock(&self.window).faults().to_vec()
    }

    /// There is a file, which somebody besides VMAs has; or none.
    pub(crate) fn set_file(&self, file: Option<ObjectId>) {
        *lock(&self.file) = file;
    }

    /// The scheduler of the threads that run on this machine.
    pub(crate) fn engine(&self) -> &Engine<Label> {
        &self.rcu.source().control().engine
    }

    /// Lets `cpu` run `space`.
    pub(crate) fn load(&self, cpu: Cpu, space: &AddressSpace<'_, Machine>) {
        space.tlb().load(cpu);
        self.load_root(cpu, Some(u64::from(space.root().number())));
    }

    fn tlb(&self, cpu: Cpu) -> std::sync::MutexGuard<'_, Tlb> {
        lock(&self.cpus[cpu.0 as usize])
    }
}

/// Locks; a panic of another holder does not matter, because its run has failed already.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

impl Platform for Machine {
    type FrameStore = Box<[FrameMeta]>;
    type Nodes = Nodes;

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

    fn rcu(&self) -> &Rcu<Nodes> {
        &self.rcu
    }

    fn rcu_read<R>(&self, section: impl FnOnce(&ReadGuard<'_, Nodes>) -> R) -> R {
        // Threads come and go, so each takes a place for one section.
        self.rcu.read_in_any_place(section)
    }

    fn slab_page(&self) -> Option<Slab> {
        Some(Slab::Owned(Box::new(SlabPage::new())))
    }

    fn table(&self, frame: Frame) -> &Table {
        if !matches!(self.frames.kind(frame), FrameKind::Table | FrameKind::Object) {
            self.violate(format!("{frame:?} is used as a page table, but is {:?}", self.frames.kind(frame)));
        }
        self.arena.table(frame)
    }

    fn kernel_half(&self) -> &[u64; 256] {
        &self.kernel_half
    }

    fn zero_frame(&self) -> Frame {
        self.zero
    }

    fn zero(&self, frame: Frame) {
        self.check_new_owner(frame);
        self.arena.fill(u64::from(frame.number()), 0);
    }

    fn zero_huge(&self, block: Frame) {
        self.check_new_owner_of_block(block);
        let first = u64::from(block.number());
        (first..first + PageSize::Huge.pages()).for_each(|frame| self.arena.fill(frame, 0));
    }

    fn zero_from(&self, frame: Frame, start: usize) {
        (start / 8..ENTRIES).for_each(|index| self.arena.store(frame.number().into(), index, 0));
    }

    fn fill(&self, frame: Frame, place: u64, bytes: usize) {
        self.check_new_owner(frame);
        for index in 0..bytes / 8 {
            self.arena.store(frame.number().into(), index, stored_word(place + index as u64 * 8));
        }
    }

    fn copy(&self, from: Frame, to: Frame) {
        self.check_new_owner(to);
        self.arena.copy(u64::from(from.number()), u64::from(to.number()));
    }

    fn flush(&self, tlb: &TlbState, flush: Flush) {
        // What is about to be freed must still be allocated.
        self.check_tlbs();
        for cpu in (0..CPUS).map(Cpu).filter(|cpu| tlb.is_loaded_on(*cpu)) {
            let mut tlb = self.tlb(cpu);
            match flush.scope {
                FlushScope::All => tlb.forget_pages(),
                FlushScope::Range(range) => range.iter().for_each(|page| tlb.forget_page(page.number())),
                FlushScope::Huge(range) => {
                    let first = PageRange::around(range.start(), PageSize::Huge).start().number();
                    let pages = (first..range.end().number()).step_by(PageSize::Huge.pages() as usize);
                    pages.for_each(|page| tlb.forget_page(page));
                }
            }
            if flush.tables {
                tlb.forget_tables();
            }
        }
        self.speculate();
    }

    fn cpu(&self) -> Cpu {
        // Each thread of a race has a CPU of its own.
        let thread = self.engine().current().map(|thread| thread as u32);
        Cpu(thread.unwrap_or_else(|| self.current.load(Ordering::Relaxed)))
    }

    fn pause(&self, point: Point) {
        lock(&self.window).pass(point);
        self.engine().pause(Label::Point(point));
    }

    fn wait(&self, wait: Wait, round: u32) -> Wake {
        if self.engine().wait(Label::Wait(wait), round).is_err() {
            // Threads of the host run by themselves.
            std::thread::yield_now();
        }
        Wake::Again
    }

    fn has(&self, bug: mm::museum::Bug) -> bool {
        self.rcu.source().control().bug == Some(Bug::Mm(bug))
    }

    fn count(&self, event: Event) {
        self.events[event as usize].fetch_add(1, Ordering::Relaxed);
    }

    fn huge_pages(&self) -> HugePages {
        HugePages::from_number(self.huge_pages.load(Ordering::Relaxed))
    }

    fn max_map_count(&self) -> usize {
        self.max_map_count.load(Ordering::Relaxed)
    }

    fn admit(&self, point: Fallible) -> bool {
        self.check_tlbs();
        self.speculate();
        let mut admission = lock(&self.admission);
        let number = admission.points.len();
        admission.points.push(point);
        let refuse = admission.fail_at == Some(number);
        admission.refused |= refuse;
        !refuse
    }

    fn unwinding(&self) -> bool {
        std::thread::panicking()
    }

    fn trace(&self, step: Step) {
        lock(&self.steps).push(step);
        self.check_tlbs();
        self.speculate();
        self.meet(&step);
    }
}
