//! A page table in memory, and its geometry.

use core::ops::Range;

use super::Pte;
use crate::range::{Page, PageRange};
use crate::sync::atomic::{AtomicU64, Ordering};

/// Entries in a table.
pub const ENTRIES: usize = 512;
/// log2 of [`ENTRIES`].
pub const INDEX_BITS: u32 = ENTRIES.trailing_zeros();
/// Levels of tables: 0 holds the leaves, `LEVELS - 1` is the root.
pub const LEVELS: u32 = 4;

/// An entry in memory: an atomic, as processors and lock-free walks read it at any time.
#[repr(transparent)]
pub(super) struct Entry(AtomicU64);

impl Entry {
    /// What it is. What was stored before that is visible.
    #[inline]
    pub(super) fn get(&self) -> Pte {
        Pte::from_bits(self.0.load(Ordering::Acquire))
    }

    /// Replaces it; whoever sees it sees what was stored before.
    #[inline]
    pub(super) fn set(&self, pte: Pte) {
        self.0.store(pte.bits(), Ordering::Release);
    }

    /// Replaces it by `new` if it is `expected`, in one step; otherwise returns what it is.
    #[inline]
    pub(super) fn compare_exchange(&self, expected: Pte, new: Pte) -> Result<(), Pte> {
        self.0
            .compare_exchange(expected.bits(), new.bits(), Ordering::AcqRel, Ordering::Acquire)
            .map(drop)
            .map_err(Pte::from_bits)
    }

    /// The first index from `from` on whose entry is not absent, or the number of entries. Entries that become present at the
    /// same time may be missed.
    #[inline(always)]
    pub(super) fn next_used(entries: &[Entry], from: usize) -> usize {
        match entries.get(from) {
            Some(entry) if entry.get().is_absent() => Entry::next_used_behind(entries, from + 1),
            Some(_) => from,
            None => entries.len(),
        }
    }

    /// Whether all are absent, but for those that become present at the same time.
    #[inline(always)]
    pub(super) fn are_absent(entries: &[Entry]) -> bool {
        Entry::next_used(entries, 0) == entries.len()
    }

    /// The rest of `entries` from the first one on that is not absent, as [`next_used`](Self::next_used).
    #[inline]
    pub(super) fn from_next_used(entries: &[Entry]) -> &[Entry] {
        entries.get(Entry::next_used(entries, 0)..).unwrap_or_default()
    }

    #[inline]
    fn next_used_behind(entries: &[Entry], from: usize) -> usize {
        if from >= entries.len() { entries.len() } else { Entry::next_used_in_runs(entries, from) }
    }

    #[inline(never)]
    fn next_used_in_runs(entries: &[Entry], from: usize) -> usize {
        /// Entries that are looked at in one go.
        const RUN: usize = 16;
        let mut index = from;
        for run in entries.get(from..).unwrap_or_default().as_chunks::<RUN>().0 {
            if run.iter().fold(0, |bits, entry| bits | entry.0.load(Ordering::Relaxed)) != 0 {
                break;
            }
            index += RUN;
        }
        while entries.get(index).is_some_and(|entry| entry.get().is_absent()) {
            index += 1;
        }
        index
    }
}

/// A page table. There is no `&mut Pte`: see [`Entry`].
#[repr(C, align(4096))]
pub struct Table([Entry; ENTRIES]);

impl Table {
    /// A table whose entries are all absent.
    pub const fn new() -> Self {
        Table::filled(Pte::ABSENT)
    }

    /// A table whose entries are all this one.
    pub const fn filled(entry: Pte) -> Self {
        // An array of atomics is made of a constant, or one by one.
        let mut table = Table([const { Entry(AtomicU64::new(0)) }; ENTRIES]);
        let mut index = 0;
        while index < ENTRIES {
            table.0[index] = Entry(AtomicU64::new(entry.bits()));
            index += 1;
        }
        table
    }

    /// The entry at `index`, which counts modulo [`ENTRIES`]. What was stored before the entry is visible.
    #[inline]
    pub fn get(&self, index: usize) -> Pte {
        self.entry(index).get()
    }

    /// Replaces the entry at `index`; whoever sees it sees what was stored before.
    #[inline]
    pub fn set(&self, index: usize, pte: Pte) {
        self.entry(index).set(pte);
    }

    /// Replaces the entry at `index` in one step; what it was.
    #[inline]
    pub fn swap(&self, index: usize, pte: Pte) -> Pte {
        Pte::from_bits(self.entry(index).0.swap(pte.bits(), Ordering::AcqRel))
    }

    /// Replaces the entry at `index` by `new` if it is `expected`, in one step; otherwise returns what it is.
    #[inline]
    pub fn compare_exchange(&self, index: usize, expected: Pte, new: Pte) -> Result<(), Pte> {
        self.entry(index).compare_exchange(expected, new)
    }

    /// The entries for the pages of `part`, all of it in what this table, of level 0, spans.
    #[inline]
    pub(super) fn entries(&self, part: PageRange) -> &[Entry] {
        let first = index_of(part.start(), 0);
        self.part(first..first + part.pages() as usize)
    }

    /// The entries with these indices.
    #[inline]
    pub(super) fn part(&self, indices: Range<usize>) -> &[Entry] {
        self.0.get(indices).unwrap_or_default()
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
        let passed = Entry::next_used(self.part(index..last), 0);
        Page::new(next.number() + passed as u64 * entry_span(level))
    }

    /// All entries, in order.
    #[inline]
    pub fn iter(&self) -> impl Iterator<Item = Pte> {
        self.0.iter().map(Entry::get)
    }

    /// Whether all entries are absent.
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(|entry| entry.get().is_absent())
    }

    /// Whether it is a root table that has the entries `kernel_half` in its upper half and no others.
    pub(super) fn is_empty_root(&self, kernel_half: &[u64; ENTRIES / 2]) -> bool {
        let mut expected = [0; ENTRIES / 2].iter().chain(kernel_half);
        self.iter().all(|entry| Some(&entry.bits()) == expected.next())
    }

    #[inline]
    pub(super) fn entry(&self, index: usize) -> &Entry {
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

/// Whether one leaf table spans all of `range`.
#[inline]
pub(super) const fn is_in_one_table(range: PageRange) -> bool {
    range.end().number() <= entry_end(range.start(), 1).number()
}
