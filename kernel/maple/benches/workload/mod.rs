//! The trees and operations that the benchmarks measure.
#![allow(dead_code, reason = "each benchmark uses its part")]

pub(crate) mod munmap;
pub(crate) mod small;

use std::{cell::RefCell, hint::black_box, ops::Range};

use maple::{FreeList, Node, NodeSource, Rcu, Reader, Store, Token, Tree};

/// A list of nodes with a cheap guard, about what a per-CPU magazine costs.
pub(crate) struct Magazine(RefCell<FreeList>);

impl Magazine {
    fn of(count: usize) -> Self {
        let mut free = FreeList::new();
        (0..count).for_each(|_| free.push(Box::leak(Box::new(Node::new()))));
        Self(RefCell::new(free))
    }

    fn len(&self) -> usize {
        self.0.borrow().len()
    }
}

impl NodeSource for Magazine {
    #[inline]
    fn allocate(&self) -> Option<&'static mut Node> {
        self.0.borrow_mut().pop()
    }

    #[inline]
    fn free(&self, node: &'static mut Node) {
        self.0.borrow_mut().push(node);
    }

    #[inline]
    fn free_all(&self, nodes: FreeList) {
        self.0.borrow_mut().append(nodes);
    }
}

/// Numbers of ranges in the measured trees.
pub(crate) const SIZES: [usize; 3] = [10, 1_000, 65_000];

/// How many ranges a munmap takes out of `n`.
pub(crate) fn spans(n: usize) -> impl Iterator<Item = usize> {
    [1, 3, 10, 100, 1_000].into_iter().filter(move |k| *k <= n / 2)
}

/// Pages from the start of one range to the start of the next.
const STRIDE: u64 = 256;
/// First page of the first range: 4 MiB below it are free.
pub(crate) const FIRST: u64 = 0x400;
static VALUE: u64 = 7;

/// A repeatable stream of numbers (xorshift).
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new() -> Self {
        Self(0x9e37_79b9_7f4a_7c15)
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) as usize % bound
    }

    pub(crate) fn shuffle<X>(&mut self, items: &mut [X]) {
        for at in (1..items.len()).rev() {
            items.swap(at, self.below(at + 1));
        }
    }
}

/// A tree of `n` ranges of 32 to 63 pages with gaps between, stored in random order.
pub(crate) struct Fixture {
    pub(crate) rcu: &'static Rcu<Magazine>,
    pub(crate) reader: Reader<'static, Magazine>,
    pub(crate) tree: Tree<'static, u64, Magazine>,
    pub(crate) token: Token<'static, u64, Magazine>,
    pub(crate) ranges: Vec<Range<u64>>,
    /// Nodes that the tree took.
    pub(crate) nodes: usize,
}

impl Fixture {
    pub(crate) fn new(n: usize) -> Self {
        let mut random = Random::new();
        let ranges = (0..n as u64).map(|index| {
            let start = FIRST + index * STRIDE + random.below(64) as u64;
            start..start + 32 + random.below(32) as u64
        });
        Self::of(ranges.collect(), random)
    }

    /// A tree of these ranges, stored in random order.
    fn of(ranges: Vec<Range<u64>>, mut random: Random) -> Self {
        let spare = ranges.len() + 4096;
        let rcu: &'static Rcu<Magazine> = Box::leak(Box::new(Rcu::new(Magazine::of(spare))));
        let reader = rcu.reader(0).expect("the domain is new");
        let (tree, token) = Tree::new(rcu);
        let mut new = Self { rcu, reader, tree, token, ranges, nodes: 0 };
        let mut order: Vec<_> = new.ranges.clone();
        random.shuffle(&mut order);
        order.into_iter().for_each(|range| new.store(range));
        new.drain();
        new.nodes = spare - new.rcu.source().len();
        new
    }

    pub(crate) fn drain(&self) {
        while !self.rcu.is_idle() {
            self.reader.quiescent();
            self.rcu.poll();
        }
    }

    /// One insert as a system call makes it: reservation, store, and the quiescent state on the way out.
    #[inline(always)]
    pub(crate) fn store(&mut self, range: Range<u64>) {
        let mut cursor = self.tree.cursor_mut(&mut self.token, range.start);
        let reservation = cursor.reserve(range, Store::Entry).expect("memory");
        cursor.store(reservation, Some(&VALUE));
        self.reader.quiescent();
    }

    /// The entry at the start of `range` gets the rest of it, which is free.
    #[inline(always)]
    pub(crate) fn resize(&mut self, range: Range<u64>) {
        assert!(self.tree.cursor_mut(&mut self.token, range.start).resize(range));
        self.reader.quiescent();
    }

    #[inline(always)]
    pub(crate) fn erase(&mut self, range: Range<u64>) {
        let mut cursor = self.tree.cursor_mut(&mut self.token, range.start);
        let reservation = cursor.reserve(range, Store::Erase).expect("memory");
        cursor.store(reservation, None);
        self.reader.quiescent();
    }

    /// `count` pages inside random ranges.
    pub(crate) fn pages(&self, count: usize) -> Vec<u64> {
        let mut random = Random::new();
        (0..count)
            .map(|_| {
                let range = &self.ranges[random.below(self.ranges.len())];
                range.start + random.below((range.end - range.start) as usize) as u64
            })
            .collect()
    }

    /// `count` different random gaps, a range of 16 pages in the middle of each.
    pub(crate) fn gaps(&self, count: usize) -> Vec<Range<u64>> {
        let mut random = Random::new();
        let mut gaps: Vec<_> = self
            .ranges
            .iter()
            .map(|range| range.end + 32 + random.below(48) as u64)
            .map(|s| s..s + 16)
            .collect();
        random.shuffle(&mut gaps);
        gaps.truncate(count);
        gaps
    }

    /// `count` different random ranges of the tree.
    pub(crate) fn some_ranges(&self, count: usize) -> Vec<Range<u64>> {
        let mut ranges = self.ranges.clone();
        Random::new().shuffle(&mut ranges);
        ranges.truncate(count);
        ranges
    }

    /// Sizes for the free-area search: gaps are 129 to 255 pages, so large sizes pass over many.
    pub(crate) fn sizes(&self, count: usize) -> Vec<u64> {
        let mut random = Random::new();
        (0..count).map(|_| 128 + random.below(120) as u64).collect()
    }

    #[inline(always)]
    pub(crate) fn lookup_rcu(&self, page: u64) {
        let guard = self.reader.read();
        black_box(self.tree.get(&guard, page));
    }

    #[inline(always)]
    pub(crate) fn lookup(&self, page: u64) {
        black_box(self.tree.get(&self.token, page));
    }

    #[inline(always)]
    pub(crate) fn find_area(&self, from: u64, pages: u64) {
        black_box(self.tree.find_area(&self.token, from..maple::LIMIT, pages));
    }

    #[inline(always)]
    pub(crate) fn find_area_rev(&self, to: u64, pages: u64) {
        black_box(self.tree.find_area_rev(&self.token, 0..to, pages));
    }

    /// Visits every entry.
    #[inline(always)]
    pub(crate) fn iterate(&self) {
        let mut cursor = self.tree.cursor(&self.token, 0);
        while let Some(entry) = cursor.next() {
            black_box(entry);
        }
    }

    #[inline(always)]
    pub(crate) fn iterate_back(&self) {
        let mut cursor = self.tree.cursor(&self.token, maple::LIMIT - 1);
        while let Some(entry) = cursor.prev() {
            black_box(entry);
        }
    }

    #[inline(always)]
    pub(crate) fn iterate_rcu(&self) {
        let guard = self.reader.read();
        let mut cursor = self.tree.cursor(&guard, 0);
        while let Some(entry) = cursor.next() {
            black_box(entry);
        }
    }

    /// Steps over every slot, gaps too.
    #[inline(always)]
    pub(crate) fn step(&self) {
        let mut cursor = self.tree.cursor(&self.token, 0);
        while let Some(range) = cursor.next_range() {
            black_box(range);
        }
    }
}
