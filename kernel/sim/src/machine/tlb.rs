//! A CPU's translation lookaside buffer, in software.
//!
//! It caches translations of pages and, as real ones do, the tables that a walk went through. It forgets when told
//! to, and now and then on its own, so that both the cached and the uncached path occur. What it forgets on its own
//! depends on the seed only: a failing run repeats.

use std::collections::BTreeMap;

use super::walker::{Leaf, Reached, Size};

/// Translations that fit.
const CAPACITY: usize = 96;

/// The caches of one CPU.
#[derive(Debug)]
pub(crate) struct Tlb {
    /// Root table of the address space that runs (CR3); no translations of another one are kept.
    root: Option<u64>,
    pages: BTreeMap<u64, Leaf>,
    /// Huge translations, by number of the span.
    huge: BTreeMap<u64, Leaf>,
    /// By level (0, 1, 2) and number of the span.
    tables: BTreeMap<(u8, u64), Reached>,
    random: fastrand::Rng,
}

impl Tlb {
    pub(crate) fn new(seed: u64) -> Self {
        Tlb {
            root: None,
            pages: BTreeMap::new(),
            huge: BTreeMap::new(),
            tables: BTreeMap::new(),
            random: fastrand::Rng::with_seed(seed),
        }
    }

    /// Root table of the address space that runs here.
    pub(crate) fn root(&self) -> Option<u64> {
        self.root
    }

    /// Switches to another address space; without PCIDs that forgets everything.
    pub(crate) fn switch(&mut self, root: Option<u64>) {
        if self.root != root {
            self.root = root;
            self.forget_pages();
            self.forget_tables();
        }
    }

    /// The cached translation of `page`; one time in sixteen it has just been evicted.
    pub(crate) fn page(&mut self, page: u64) -> Option<Leaf> {
        if self.random.u8(..16) == 0 {
            self.forget_page(page);
        }
        self.pages.get(&page).or(self.huge.get(&span(page, 0))).copied()
    }

    /// Whether a small translation of `page` is cached.
    pub(crate) fn holds(&self, page: u64) -> bool {
        self.pages.contains_key(&page)
    }

    /// Whether translations of different sizes are cached that lead from `page` to the same frame: some processors stop then
    /// (AMD family 10h erratum 383; Intel's machine checks on page size changes).
    pub(crate) fn is_ambiguous(&self, page: u64) -> bool {
        let huge = self.huge.get(&span(page, 0));
        let pages = || self.pages.range(first_of(page)..first_of(page) + Size::Huge.pages());
        huge.is_some_and(|huge| pages().any(|(page, small)| huge.frame_of(*page) == small.frame))
    }

    /// Where a walk to `page` begins: at the lowest cached table three times in four, else at the root.
    pub(crate) fn walk_from(&mut self, page: u64) -> Option<Reached> {
        let root = Reached::root(self.root?);
        if self.random.u8(..4) == 0 {
            return Some(root);
        }
        (0..3).find_map(|level| self.tables.get(&(level, span(page, level))).copied()).or(Some(root))
    }

    /// Whether to use an opportunity to walk ahead of the program, and a number to choose the page by.
    pub(crate) fn speculates(&mut self) -> Option<usize> {
        (self.random.u8(..4) == 0).then(|| self.random.usize(..))
    }

    /// Caches a translation.
    pub(crate) fn fill_page(&mut self, page: u64, leaf: Leaf) {
        if leaf.size == Size::Huge {
            self.huge.insert(span(page, 0), leaf);
            return;
        }
        if self.pages.len() >= CAPACITY {
            let victim = self.random.usize(..self.pages.len());
            if let Some(page) = self.pages.keys().nth(victim).copied() {
                self.pages.remove(&page);
            }
        }
        self.pages.insert(page, leaf);
    }

    /// Caches a table on the way to `page`.
    pub(crate) fn fill_table(&mut self, page: u64, table: Reached) {
        self.tables.insert((table.level, span(page, table.level)), table);
    }

    /// Forgets one page, not the tables on the way there: the architecture would do that too (SDM vol. 3, 4.10.4.1),
    /// but nobody who frees tables shall rely on it without saying so.
    pub(crate) fn forget_page(&mut self, page: u64) {
        self.pages.remove(&page);
        self.huge.remove(&span(page, 0));
    }

    /// Forgets everything about `page`, as a page fault at it does.
    pub(crate) fn forget_fault(&mut self, page: u64) {
        self.forget_page(page);
        for level in 0..3 {
            self.tables.remove(&(level, span(page, level)));
        }
    }

    /// Forgets the tables.
    pub(crate) fn forget_tables(&mut self) {
        self.tables.clear();
    }

    /// Forgets the translations of all pages.
    pub(crate) fn forget_pages(&mut self) {
        self.pages.clear();
        self.huge.clear();
    }

    /// All cached translations, with their first pages.
    pub(crate) fn pages(&self) -> impl Iterator<Item = (u64, Leaf)> {
        let huge = self.huge.iter().map(|(span, leaf)| (span * Size::Huge.pages(), *leaf));
        self.pages.iter().map(|(page, leaf)| (*page, *leaf)).chain(huge)
    }

    /// All cached tables, with the first page of the span.
    pub(crate) fn tables(&self) -> impl Iterator<Item = (u64, Reached)> {
        self.tables.iter().map(|((level, span), table)| (span << (9 * (u32::from(*level) + 1)), *table))
    }
}

/// The first page that a huge translation of `page` is for.
fn first_of(page: u64) -> u64 {
    page / Size::Huge.pages() * Size::Huge.pages()
}

/// Number of the span of a table of `level` that contains `page`.
fn span(page: u64, level: u8) -> u64 {
    page >> (9 * (u32::from(level) + 1))
}
