//! A page table in memory, and its geometry.

use core::ops::Range;

use super::Pte;
use crate::range::Page;
use crate::sync::atomic::{AtomicU64, Ordering};

/// Entries in a table.
pub const ENTRIES: usize = 512;
/// log2 of [`ENTRIES`].
pub const INDEX_BITS: u32 = ENTRIES.trailing_zeros();
/// Levels of tables: 0 holds the leaves, `LEVELS - 1` is the root.
pub const LEVELS: u32 = 4;

/// A page table. An entry is an atomic: processors and lock-free walks read it at any time, so there is no
/// `&mut Pte`.
#[repr(C, align(4096))]
pub struct Table([AtomicU64; ENTRIES]);

impl Table {
    /// A table whose entries are all absent.
    pub const fn new() -> Self {
        Table::filled(Pte::ABSENT)
    }

    /// A table whose entries are all this one.
    pub const fn filled(entry: Pte) -> Self {
        // An array of atomics is made of a constant, or one by one.
        let mut table = Table([const { AtomicU64::new(0) }; ENTRIES]);
        let mut index = 0;
        while index < ENTRIES {
            table.0[index] = AtomicU64::new(entry.bits());
            index += 1;
        }
        table
    }

    /// The entry at `index`, which counts modulo [`ENTRIES`]. What was stored before the entry is visible.
    #[inline]
    pub fn get(&self, index: usize) -> Pte {
        Pte::from_bits(self.entry(index).load(Ordering::Acquire))
    }

    /// Replaces the entry at `index`; whoever sees it sees what was stored before.
    #[inline]
    pub fn set(&self, index: usize, pte: Pte) {
        self.entry(index).store(pte.bits(), Ordering::Release);
    }

    /// Gives each entry of `indexes` (at most [`ENTRIES`]) what `change` makes of index and entry, as [`set`](Self::set). The caller
    /// holds the page-table lock; entries that are absent stay so.
    #[inline]
    pub(super) fn change(&self, indexes: Range<usize>, mut change: impl FnMut(usize, Pte) -> Pte) {
        let first = indexes.start;
        for (passed, entry) in self.0.get(indexes).unwrap_or_default().iter().enumerate() {
            let old = Pte::from_bits(entry.load(Ordering::Acquire));
            // One that is absent may become present without the lock.
            if !old.is_absent() {
                entry.store(change(first + passed, old).bits(), Ordering::Release);
            }
        }
    }

    /// Replaces the entry at `index` in one step; what it was.
    #[inline]
    pub fn swap(&self, index: usize, pte: Pte) -> Pte {
        Pte::from_bits(self.entry(index).swap(pte.bits(), Ordering::AcqRel))
    }

    /// Replaces the entry at `index` by `new` if it is `expected`, in one step; otherwise returns what it is.
    #[inline]
    pub fn compare_exchange(&self, index: usize, expected: Pte, new: Pte) -> Result<(), Pte> {
        self.entry(index)
            .compare_exchange(expected.bits(), new.bits(), Ordering::AcqRel, Ordering::Acquire)
            .map(drop)
            .map_err(Pte::from_bits)
    }

    /// The first index in `from..end` (at most [`ENTRIES`]) whose entry is not absent, or `end`. Entries that become present at
    /// the same time may be missed.
    pub(super) fn next_used(&self, from: usize, end: usize) -> usize {
        /// Entries that are looked at in one go.
        const RUN: usize = 8;
        let mut index = from;
        let entries = self.0.get(from..end).unwrap_or_default();
        for run in entries.as_chunks::<RUN>().0 {
            if run.iter().fold(0, |bits, entry| bits | entry.load(Ordering::Relaxed)) != 0 {
                break;
            }
            index += RUN;
        }
        while index < end && self.get(index).is_absent() {
            index += 1;
        }
        index
    }

    /// The first page behind the span of the entry for `page` whose entry in this table, of `level`, is not absent. If there is
    /// none, the end of what this table spans; at most a page that is not below `end`, behind which nothing is looked at.
    #[inline]
    pub(super) fn next_used_page(&self, page: Page, level: u32, end: Page) -> Page {
        let next = entry_end(page, level);
        if next >= end {
            return next;
        }
        let (index, wanted) =
            (index_of(next, level), (end.number() - next.number()).div_ceil(entry_span(level)));
        if index == 0 {
            // The next entry is another table's.
            return next;
        }
        let last = ENTRIES.min(index.saturating_add(wanted as usize));
        let passed = self.next_used(index, last) - index;
        Page::new(next.number() + passed as u64 * entry_span(level))
    }

    /// All entries, in order.
    #[inline]
    pub fn iter(&self) -> impl Iterator<Item = Pte> {
        self.0.iter().map(|entry| Pte::from_bits(entry.load(Ordering::Acquire)))
    }

    /// Whether all entries are absent.
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(|entry| entry.load(Ordering::Relaxed) == 0)
    }

    #[inline]
    fn entry(&self, index: usize) -> &AtomicU64 {
        &self.0[index % ENTRIES]
    }
}

impl Default for Table {
    fn default() -> Self {
        Self::new()
    }
}

/// The index of the entry for `page` in a table of `level` (0 holds the leaves).
#[inline]
pub const fn index_of(page: Page, level: u32) -> usize {
    (page.number() >> (INDEX_BITS * level)) as usize % ENTRIES
}

/// Pages that an entry of a table of `level` spans: 1, 2^9, 2^18, 2^27.
#[inline]
pub const fn entry_span(level: u32) -> u64 {
    1 << (INDEX_BITS * level)
}

/// The end of the span of the entry for `page` in a table of `level`.
#[inline]
pub(super) const fn entry_end(page: Page, level: u32) -> Page {
    Page::new((page.number() | (entry_span(level) - 1)) + 1)
}
