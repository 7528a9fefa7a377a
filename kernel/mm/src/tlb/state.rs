//! What an address space knows of the TLBs, and what a flush is.

use core::fmt;

use crate::platform::Cpu;
use crate::range::{PageRange, PageSize};
use crate::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};

/// Up to this many pages are flushed one by one, more by a full flush, as on Linux (`tlb_single_page_flush_ceiling`).
pub const SINGLE_PAGES: u64 = 33;

/// What TLBs have to forget of an address space.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Flush {
    /// Which leaf translations.
    pub scope: FlushScope,
    /// Whether tables were unhooked, so that paging-structure caches have to go as well, on idle CPUs too. On
    /// x86, invalidating any one page does that on the CPU that does it (Intel SDM volume 3, 4.10.4.1).
    pub tables: bool,
}

/// Leaf translations that TLBs have to forget.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FlushScope {
    /// All of the user half.
    All,
    /// Those of at most [`SINGLE_PAGES`] pages.
    Range(PageRange),
    /// Huge ones that begin in the range, at most [`SINGLE_PAGES`]: forgetting any one page of it, as its first, forgets a huge
    /// translation. Nothing is said of small ones.
    Huge(PageRange),
}

impl FlushScope {
    /// What to flush after leaves of `size` and larger ones have changed in `range`.
    #[inline]
    pub(super) const fn of(range: PageRange, size: PageSize) -> Self {
        match size {
            PageSize::Small if range.pages() <= SINGLE_PAGES => FlushScope::Range(range),
            PageSize::Huge if range.pages() / PageSize::Huge.pages() <= SINGLE_PAGES => {
                FlushScope::Huge(range)
            }
            _ => FlushScope::All,
        }
    }

    /// Translations that are flushed one by one, 0 for a full flush.
    #[inline]
    pub const fn single_pages(self) -> u64 {
        match self {
            FlushScope::All => 0,
            FlushScope::Range(range) => range.pages(),
            FlushScope::Huge(range) => range.pages().div_ceil(PageSize::Huge.pages()),
        }
    }
}

/// The TLBs as one address space sees them.
#[derive(Default)]
pub struct TlbState {
    /// Bit n: CPU n may cache translations of this address space. Changed by CPU n only.
    cpus: AtomicU64,
    /// Number of flushes so far. A CPU that loads the address space again compares.
    generation: AtomicU64,
    /// Gathers under way.
    gathers: AtomicU32,
}

impl TlbState {
    /// No CPU has loaded the address space yet.
    pub const fn new() -> Self {
        TlbState { cpus: AtomicU64::new(0), generation: AtomicU64::new(0), gathers: AtomicU32::new(0) }
    }

    /// CPU `cpu` (below 64) is about to load the root table: from now on flushes reach it. Called before the load.
    #[inline]
    pub fn load(&self, cpu: Cpu) {
        // SeqCst, with `advance`: either the flusher sees the CPU, or the CPU's later walks see the cleared entries.
        self.cpus.fetch_or(Self::bit(cpu), Ordering::SeqCst);
    }

    /// CPU `cpu` has loaded another root and flushed: no flush needs to reach it any more.
    #[inline]
    pub fn unload(&self, cpu: Cpu) {
        self.cpus.fetch_and(!Self::bit(cpu), Ordering::SeqCst);
    }

    /// Whether `cpu` may cache translations.
    #[inline]
    pub fn is_loaded_on(&self, cpu: Cpu) -> bool {
        self.cpus() & Self::bit(cpu) != 0
    }

    /// The CPUs that may cache translations, bit n for CPU n.
    #[inline]
    pub fn cpus(&self) -> u64 {
        self.cpus.load(Ordering::SeqCst)
    }

    /// Number of flushes so far.
    #[inline]
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Gathers that are not finished; for checks.
    pub fn gathers(&self) -> u32 {
        self.gathers.load(Ordering::Relaxed)
    }

    /// A flush begins: entries cleared before are visible to whoever the following look at `cpus` misses.
    #[inline]
    pub(super) fn advance(&self) {
        // A full barrier on x86: the entries that were cleared before it are in memory before `cpus` is read.
        self.generation.fetch_add(1, Ordering::SeqCst);
    }

    /// A gather begins.
    #[inline]
    pub(super) fn enter(&self) {
        self.gathers.fetch_add(1, Ordering::SeqCst);
    }

    /// Whether a gather is under way that may have cleared an entry which the caller has found absent.
    #[inline]
    pub(crate) fn is_gathered(&self) -> bool {
        // After the look at the entry: what cleared it began before.
        fence(Ordering::Acquire);
        self.gathers.load(Ordering::SeqCst) != 0
    }

    /// Whether another gather is under way than the one that asks.
    #[inline]
    pub(super) fn is_nested(&self) -> bool {
        self.gathers.load(Ordering::SeqCst) > 1
    }

    /// A gather ends, after its last flush.
    #[inline]
    pub(super) fn leave(&self) {
        self.gathers.fetch_sub(1, Ordering::SeqCst);
    }

    #[inline]
    fn bit(cpu: Cpu) -> u64 {
        debug_assert!(cpu.0 < u64::BITS, "{cpu:?} is beyond the mask");
        1 << (cpu.0 % u64::BITS)
    }
}

impl fmt::Debug for TlbState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TlbState(cpus {:#b}, generation {})", self.cpus(), self.generation())
    }
}
