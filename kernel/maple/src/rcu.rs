//! Read-copy-update, quiescent-state based: who may still read a node that a store has replaced.
//!
//! ```text
//! epoch      rises when a grace period begins
//! cpu.seen   the epoch at this CPU's last quiescent state; OFFLINE when it does not read at all
//! arrivals ──poll──► waiting (for epoch `target`) ──all seen >= target──► source.free
//! ```
//!
//! A CPU (or host thread) claims its slot with [`Rcu::reader`]. A read section is a [`ReadGuard`]; it costs a counter.
//! Outside of read sections the CPU says so now and then with [`Reader::quiescent`], and [`Reader::offline`] before it
//! idles or runs user code for long. A node retired at some time is freed once every CPU has done one or the other since.
//!
//! Proof, for a node unlinked before `arrivals` was taken: the poll's `fetch_add` to `target` follows the unlinking. A CPU
//! with `seen >= target` read the epoch after that (acquire), so its later reads find the node unlinked, and its earlier
//! reads precede its store of `seen` (release), which precedes the free. A CPU found OFFLINE either stored its next `seen`
//! after the poll's fence, then its reads follow its own fence and find the node unlinked; or before, then the poll sees it.

use core::cell::Cell;

use crate::{
    geometry::{BATCH, MAX_CPUS},
    node::{Chain, Link, Node},
    source::{Bug, NodeSource},
    sync::{AtomicBool, AtomicPtr, AtomicU64, AtomicUsize, Ordering, fence},
};

/// `seen` of a CPU that is not inside the kernel's reading world.
const OFFLINE: u64 = u64::MAX;

/// In place of the number of read guards.
const OUTSIDE: isize = -1;

/// One reader's state, in a cache line of its own.
#[repr(align(64))]
struct Cpu {
    /// Written by the claimant, read by whoever polls.
    seen: AtomicU64,
    /// Set while a [`Reader`] for this slot exists.
    claimed: AtomicBool,
}

/// A domain: the readers, the nodes that wait for them, and the source the nodes return to.
///
/// Trees of one domain share their grace periods.
pub struct Rcu<S: NodeSource> {
    source: S,
    /// One more than the highest slot ever claimed; only grows.
    slots: AtomicUsize,
    cpus: [Cpu; MAX_CPUS],
    /// Written by the poll.
    epoch: AtomicU64,
    /// Stack of retired chains, pushed by writers and taken by the poll.
    arrivals: AtomicPtr<Node>,
    /// Held by the one who polls; guards `waiting` and `target`.
    polling: AtomicBool,
    waiting: AtomicPtr<Node>,
    target: AtomicU64,
    /// Names trees, so that a token fits its tree only.
    trees: AtomicU64,
}

impl<S: NodeSource> Rcu<S> {
    /// A domain without readers.
    pub fn new(source: S) -> Self {
        Self {
            source,
            slots: AtomicUsize::new(0),
            cpus: core::array::from_fn(|_| Cpu {
                seen: AtomicU64::new(OFFLINE),
                claimed: AtomicBool::new(false),
            }),
            epoch: AtomicU64::new(1),
            arrivals: AtomicPtr::new(core::ptr::null_mut()),
            polling: AtomicBool::new(false),
            waiting: AtomicPtr::new(core::ptr::null_mut()),
            target: AtomicU64::new(0),
            trees: AtomicU64::new(0),
        }
    }

    /// The source that the domain was made with.
    pub fn source(&self) -> &S {
        &self.source
    }

    /// Claims the slot of CPU `cpu` (below [`MAX_CPUS`]) and puts it online. `None` if there is no such slot or
    /// somebody has it.
    pub fn reader(&self, cpu: usize) -> Option<Reader<'_, S>> {
        let slot = self.cpus.get(cpu)?;
        if slot.claimed.swap(true, Ordering::Acquire) {
            return None;
        }
        // Before the fence of `online`, like `seen` itself.
        self.slots.fetch_max(cpu + 1, Ordering::Relaxed);
        let reader = Reader { rcu: self, cpu: slot, nesting: Cell::new(OUTSIDE) };
        reader.online();
        Some(reader)
    }

    /// Runs `section` as a read section in the first place that is free: for threads that have no CPU of their own, as those
    /// of a simulation.
    ///
    /// # Panics
    /// If all [`MAX_CPUS`] places are taken.
    pub fn read_in_any_place<R>(&self, section: impl FnOnce(&ReadGuard<'_, S>) -> R) -> R {
        let reader = (0..MAX_CPUS).find_map(|place| self.reader(place)).expect("few threads read at once");
        section(&reader.read())
    }

    pub(crate) fn name_tree(&self) -> u64 {
        self.trees.fetch_add(1, Ordering::Relaxed)
    }

    /// Memory for one node; when the source has none, what a finished grace period gives back.
    #[inline]
    pub(crate) fn allocate(&self) -> Option<&'static mut Node> {
        self.source.allocate().or_else(|| {
            self.poll();
            self.source.allocate()
        })
    }

    /// Marks the nodes dead that the store of `version` has unlinked and frees them after a grace period. One store of
    /// several polls.
    pub(crate) fn retire(&self, chain: Chain, version: u64) {
        if chain.is_empty() {
            return self.poll_at(version);
        }
        chain.mark_dead();
        if self.source.has(Bug::NodeFreedWithoutGracePeriod) {
            return self.give_back(chain);
        }
        chain.push_onto(&self.arrivals);
        self.poll_at(version);
    }

    /// As [`retire`](Self::retire), for one node.
    #[inline(always)]
    pub(crate) fn retire_one<T>(&self, link: Link<'_, T>, version: u64) {
        if self.source.has(Bug::NodeFreedWithoutGracePeriod) {
            let mut chain = Chain::new();
            chain.doom(link);
            return self.retire(chain, version);
        }
        Chain::push_dead(link, &self.arrivals);
        self.poll_at(version);
    }

    /// Polls at every so manieth version of a tree. Every change of a tree comes here, also one that retires nothing: else those
    /// that do could miss the turn each time.
    #[inline(always)]
    pub(crate) fn poll_at(&self, version: u64) {
        if version.is_multiple_of(BATCH) {
            self.poll();
        }
    }

    /// Gives back nodes that were never linked.
    pub(crate) fn give_back(&self, chain: Chain) {
        // SAFETY: never linked, so nobody found them.
        self.source.free_all(unsafe { chain.into_free() });
    }

    /// Frees the nodes whose grace period has passed and begins the next one if nodes wait. Never waits; may be called by
    /// anyone at any time outside the source's locks, and does nothing while another poll runs. An idle CPU calls it
    /// until [`is_idle`](Self::is_idle).
    #[inline(never)]
    pub fn poll(&self) {
        if self.is_idle() || self.polling.swap(true, Ordering::Acquire) {
            return;
        }
        self.free_waiting();
        if self.waiting.load(Ordering::Relaxed).is_null() {
            let arrived = Chain::take_from(&self.arrivals);
            if !arrived.is_empty() {
                let target = self.epoch.fetch_add(1, Ordering::AcqRel) + 1;
                // Orders the unlinking before the reads of `seen`; pairs with the fence of `Reader::online`.
                fence(Ordering::SeqCst);
                self.target.store(target, Ordering::Relaxed);
                self.waiting.store(arrived.into_raw(), Ordering::Relaxed);
                self.free_waiting();
            }
        }
        self.polling.store(false, Ordering::Release);
    }

    /// Whether no retired node waits.
    pub fn is_idle(&self) -> bool {
        self.waiting.load(Ordering::Relaxed).is_null() && self.arrivals.load(Ordering::Relaxed).is_null()
    }

    /// Frees the waiting nodes if their grace period has passed. The caller holds `polling`.
    fn free_waiting(&self) {
        let waiting = self.waiting.load(Ordering::Relaxed);
        if waiting.is_null() || !self.has_passed(self.target.load(Ordering::Relaxed)) {
            return;
        }
        self.waiting.store(core::ptr::null_mut(), Ordering::Relaxed);
        // SAFETY: unlinked before `target` began, and every CPU has been quiescent since (proof above).
        self.source.free_all(unsafe { Chain::from_raw(waiting).into_free() });
    }

    /// Whether every CPU has been outside read sections since epoch `target` began.
    fn has_passed(&self, target: u64) -> bool {
        let slots = self.slots.load(Ordering::Relaxed);
        self.cpus.iter().take(slots).all(|cpu| cpu.seen.load(Ordering::Acquire) >= target)
    }
}

impl<S: NodeSource> Drop for Rcu<S> {
    fn drop(&mut self) {
        for retired in [&self.waiting, &self.arrivals] {
            // SAFETY: readers and trees borrow the domain, so there are none left.
            self.source.free_all(unsafe { Chain::take_from(retired).into_free() });
        }
    }
}

/// A CPU's (or host thread's) membership in a domain. Not `Sync`: a slot has one thread at a time.
pub struct Reader<'r, S: NodeSource> {
    rcu: &'r Rcu<S>,
    cpu: &'r Cpu,
    /// Read guards that exist; `OUTSIDE` while this CPU is offline.
    nesting: Cell<isize>,
}

impl<'r, S: NodeSource> Reader<'r, S> {
    /// Begins a read section: nothing found in a tree through the guard is freed before the guard is dropped.
    #[inline]
    pub fn read(&self) -> ReadGuard<'_, S> {
        let mut nesting = self.nesting.get() + 1;
        if nesting == OUTSIDE + 1 {
            self.online();
            nesting = 1;
        }
        self.nesting.set(nesting);
        ReadGuard { rcu: self.rcu, nesting: &self.nesting }
    }

    /// Reports that this CPU holds nothing from earlier read sections. Inside a read section (an interrupt asks)
    /// nothing is reported.
    #[inline]
    pub fn quiescent(&self) {
        if self.nesting.get() == 0 {
            let epoch = self.rcu.epoch.load(Ordering::Acquire);
            self.cpu.seen.store(epoch, Ordering::Release);
        }
    }

    /// Leaves the domain for a while: grace periods do not wait for this CPU until it reads again.
    /// Inside a read section nothing happens.
    pub fn offline(&self) {
        if self.nesting.get() == 0 {
            self.nesting.set(OUTSIDE);
            self.cpu.seen.store(OFFLINE, Ordering::Release);
        }
    }

    /// Comes back after [`offline`](Self::offline); [`read`](Self::read) does it by itself.
    pub fn online(&self) {
        if self.nesting.get() != OUTSIDE {
            return;
        }
        self.nesting.set(0);
        let epoch = self.rcu.epoch.load(Ordering::Acquire);
        self.cpu.seen.store(epoch, Ordering::Release);
        // Orders `seen` before the reads that follow; pairs with the fence of `Rcu::poll`.
        fence(Ordering::SeqCst);
    }

    /// The domain.
    pub fn rcu(&self) -> &'r Rcu<S> {
        self.rcu
    }
}

impl<S: NodeSource> Drop for Reader<'_, S> {
    fn drop(&mut self) {
        self.cpu.seen.store(OFFLINE, Ordering::Release);
        self.cpu.claimed.store(false, Ordering::Release);
    }
}

/// Witness of a read section on one CPU.
pub struct ReadGuard<'g, S: NodeSource> {
    rcu: &'g Rcu<S>,
    nesting: &'g Cell<isize>,
}

impl<S: NodeSource> ReadGuard<'_, S> {
    pub(crate) fn is_of(&self, rcu: &Rcu<S>) -> bool {
        core::ptr::eq(self.rcu, rcu)
    }
}

impl<S: NodeSource> Drop for ReadGuard<'_, S> {
    #[inline]
    fn drop(&mut self) {
        self.nesting.set(self.nesting.get() - 1);
    }
}
