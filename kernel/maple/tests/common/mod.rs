//! What the tests share: a node source that counts and fails on cue, a flat model, and both side by side.
#![allow(dead_code, reason = "each test program uses its part")]

use std::{
    ops::Range,
    sync::{
        Mutex, OnceLock,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};

use maple::{CursorMut, LIMIT, NoMemory, Node, NodeSource, Position, Rcu, Reader, Store, Token, Tree};

/// Values of test trees; an entry is told by its value.
pub(crate) type Value = u32;

/// The value `id`, below 4096.
pub(crate) fn value(id: usize) -> &'static Value {
    static VALUES: OnceLock<Vec<Value>> = OnceLock::new();
    &VALUES.get_or_init(|| (0..4096).collect())[id]
}

/// Hands out at most `budget` more nodes; poisons what comes back and hands it out again last.
pub(crate) struct Source {
    free: Mutex<Vec<&'static mut Node>>,
    /// Nodes handed out and not yet back.
    pub(crate) out: AtomicUsize,
    /// Nodes ever handed out.
    pub(crate) taken: AtomicUsize,
    /// How many more are handed out.
    pub(crate) budget: AtomicUsize,
}

impl Source {
    pub(crate) fn new() -> Self {
        Self {
            free: Mutex::new(Vec::new()),
            out: AtomicUsize::new(0),
            taken: AtomicUsize::new(0),
            budget: AtomicUsize::new(usize::MAX),
        }
    }
}

impl NodeSource for Source {
    fn allocate(&self) -> Option<&'static mut Node> {
        self.budget.try_update(SeqCst, SeqCst, |left| left.checked_sub(1)).ok()?;
        self.out.fetch_add(1, SeqCst);
        self.taken.fetch_add(1, SeqCst);
        let mut free = self.free.lock().unwrap();
        Some(if free.len() > 64 { free.remove(0) } else { Box::leak(Box::new(Node::new())) })
    }

    fn free(&self, node: &'static mut Node) {
        node.poison();
        self.out.fetch_sub(1, SeqCst);
        self.free.lock().unwrap().push(node);
    }
}

/// A domain that lives as long as the test program.
pub(crate) fn domain() -> &'static Rcu<Source> {
    Box::leak(Box::new(Rcu::new(Source::new())))
}

/// Entries in ascending order; every operation is the obvious one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Model(pub(crate) Vec<(Range<u64>, Value)>);

impl Model {
    pub(crate) fn store(&mut self, range: Range<u64>, value: Option<Value>) {
        let mut new = Vec::new();
        for (old, id) in self.0.drain(..) {
            if old.start < range.start {
                new.push((old.start..old.end.min(range.start), id));
            }
            if old.end > range.end {
                new.push((old.start.max(range.end)..old.end, id));
            }
        }
        if let Some(id) = value {
            new.push((range, id));
        }
        new.sort_by_key(|(range, _)| range.start);
        self.0 = new;
    }

    pub(crate) fn get(&self, page: u64) -> Option<(Range<u64>, Value)> {
        self.0.iter().find(|(range, _)| range.contains(&page)).cloned()
    }

    /// All slots in order: entries, and the gaps between them.
    pub(crate) fn slots(&self) -> Vec<(Range<u64>, Option<Value>)> {
        let mut slots = Vec::new();
        let mut end = 0;
        for (range, id) in &self.0 {
            if range.start > end {
                slots.push((end..range.start, None));
            }
            slots.push((range.clone(), Some(*id)));
            end = range.end;
        }
        if end < LIMIT {
            slots.push((end..LIMIT, None));
        }
        slots
    }

    fn gaps_in(&self, window: &Range<u64>) -> Vec<Range<u64>> {
        let free = self.slots().into_iter().filter(|(_, id)| id.is_none());
        free.map(|(gap, _)| gap.start.max(window.start)..gap.end.min(window.end)).collect()
    }

    pub(crate) fn find_area(&self, window: Range<u64>, pages: u64) -> Option<u64> {
        let gaps = self.gaps_in(&window);
        gaps.into_iter().find(|gap| gap.start < gap.end && gap.end - gap.start >= pages).map(|gap| gap.start)
    }

    pub(crate) fn find_area_rev(&self, window: Range<u64>, pages: u64) -> Option<u64> {
        let gaps = self.gaps_in(&window);
        let fit = |gap: &Range<u64>| gap.start < gap.end && gap.end - gap.start >= pages;
        gaps.into_iter().rev().find(fit).map(|gap| gap.end - pages)
    }
}

/// A tree, its token and its model.
pub(crate) struct Pair {
    pub(crate) rcu: &'static Rcu<Source>,
    pub(crate) reader: Reader<'static, Source>,
    /// Lives as long as the program, so that cursors may be held while the pair stores.
    pub(crate) tree: &'static Tree<'static, Value, Source>,
    pub(crate) token: Token<'static, Value, Source>,
    pub(crate) model: Model,
}

impl Pair {
    pub(crate) fn new() -> Self {
        let rcu = domain();
        let (tree, token) = Tree::new(rcu);
        let reader = rcu.reader(0).expect("the first reader of a new domain");
        let tree = Box::leak(Box::new(tree));
        Self { rcu, reader, tree, token, model: Model::default() }
    }

    /// A pair that holds `entries` (ranges and value ids).
    pub(crate) fn with(entries: impl IntoIterator<Item = (Range<u64>, usize)>) -> Self {
        let mut pair = Self::new();
        for (range, id) in entries {
            pair.try_store(range, Some(id)).expect("memory");
        }
        pair.verify();
        pair
    }

    pub(crate) fn cursor_mut(&mut self, page: u64) -> CursorMut<'static, '_, 'static, Value, Source> {
        self.tree.cursor_mut(&mut self.token, page)
    }

    /// Stores in tree and model, or in neither.
    #[track_caller]
    pub(crate) fn try_store(&mut self, range: Range<u64>, id: Option<usize>) -> Result<(), NoMemory> {
        let mut cursor = self.tree.cursor_mut(&mut self.token, range.start);
        let what = if id.is_some() { Store::Entry } else { Store::Erase };
        if range.start.is_multiple_of(2) {
            // A cursor that has looked around knows more that may be out of date after the store.
            cursor.here();
        }
        let reservation = cursor.reserve(range.clone(), what)?;
        let taken = self.rcu.source().taken.load(SeqCst);
        cursor.store(reservation, id.map(value));
        assert_eq!(taken, self.rcu.source().taken.load(SeqCst), "a store allocated");
        assert_eq!(cursor.entry(), id.map(value));
        let place = cursor.position();
        self.model.store(range.clone(), id.map(|id| id as Value));
        self.verify_place(place, range.start);
        Ok(())
    }

    /// The cursor that has stored stands on the slot of `page`, and knows what is beside it.
    #[track_caller]
    fn verify_place(&self, place: Position<'static, 'static, Value, Source>, page: u64) {
        let slots = self.model.slots();
        let at = slots.partition_point(|(range, _)| range.end <= page);
        let range = |at: usize| slots.get(at).map(|(range, _)| range.clone());
        let value =
            |mut beside: std::slice::Iter<'_, (Range<u64>, Option<Value>)>| beside.find_map(|(_, id)| *id);
        let mut below = slots[..at].to_vec();
        below.reverse();
        let beside = self.tree.beside(&self.token, &place).map(|value| value.copied());
        assert_eq!(beside, [value(below.iter()), value(slots[at + 1..].iter())]);
        assert_eq!(self.tree.above(&self.token, &place).copied(), beside[1]);
        let cursor = || self.tree.resume(&self.token, place);
        assert_eq!(Some(cursor().range()), range(at), "the cursor stands elsewhere after a store");
        assert_eq!(cursor().next_range(), range(at + 1));
        assert_eq!(cursor().prev_range(), at.checked_sub(1).and_then(range));
        let first = |mut beside: std::slice::Iter<'_, (Range<u64>, Option<Value>)>| {
            beside.find(|(_, id)| id.is_some()).map(|(range, _)| range.clone())
        };
        assert_eq!(cursor().next().map(|(range, _)| range), first(slots[at + 1..].iter()));
        assert_eq!(cursor().prev().map(|(range, _)| range), first(below.iter()));
    }

    /// Finds the highest free area and stores there, without a walk between.
    #[track_caller]
    pub(crate) fn store_at_highest(&mut self, window: Range<u64>, pages: u64, id: usize) -> Option<u64> {
        let (start, gap) = self.tree.find_gap_rev(&self.token, window, pages)?;
        let range = start..start + pages;
        let around = self.tree.resume(&self.token, gap).range();
        assert!(around.start <= start && range.end <= around.end, "{range:?} is not in {around:?}");
        self.verify_place(gap, start);
        let mut cursor = self.tree.resume_mut(&mut self.token, gap);
        let reservation = cursor.reserve(range.clone(), Store::Entry).expect("memory");
        cursor.store(reservation, Some(value(id)));
        let place = cursor.position();
        self.model.store(range, Some(id as Value));
        self.verify_place(place, start);
        self.verify();
        Some(start)
    }

    #[track_caller]
    pub(crate) fn store(&mut self, range: Range<u64>, id: Option<usize>) {
        self.try_store(range, id).expect("memory");
        self.verify();
    }

    /// Gives the entry at `page` the `range`, in the tree and the model, or in neither; whether that was possible.
    #[track_caller]
    pub(crate) fn resize(&mut self, page: u64, range: Range<u64>) -> bool {
        let taken = self.rcu.source().taken.load(SeqCst);
        let mut cursor = self.tree.cursor_mut(&mut self.token, page);
        let done = cursor.resize(range.clone());
        let place = cursor.position();
        if done {
            let (old, id) = self.model.get(page).expect("a gap was resized");
            self.model.store(old, None);
            self.model.store(range.clone(), Some(id));
        }
        assert_eq!(taken, self.rcu.source().taken.load(SeqCst), "it took memory");
        self.verify_place(place, if done { range.start } else { page });
        self.verify();
        done
    }

    /// Takes the entry at `page` out in place, in the tree and the model, or in neither; whether that was possible.
    #[track_caller]
    pub(crate) fn remove(&mut self, page: u64) -> bool {
        let taken = self.rcu.source().taken.load(SeqCst);
        let mut cursor = self.tree.cursor_mut(&mut self.token, page);
        let done = cursor.remove();
        let place = cursor.position();
        if done {
            let (old, _) = self.model.get(page).expect("a gap was removed");
            self.model.store(old, None);
        }
        assert_eq!(taken, self.rcu.source().taken.load(SeqCst), "it took memory");
        self.verify_place(place, page);
        self.verify();
        done
    }

    /// Tree and model agree in everything that can be asked, and every invariant holds.
    #[track_caller]
    pub(crate) fn verify(&mut self) {
        let (tree, token, model) = (self.tree, &self.token, &self.model);
        if let Err(violation) = tree.check(token) {
            panic!("{violation}\n{}", tree.dump(token));
        }
        assert_eq!(tree.len(), model.0.len());
        let expected = model.slots();
        assert_eq!(forward(tree, token), expected, "{}", tree.dump(token));
        let mut backward = backward(tree, token);
        backward.reverse();
        assert_eq!(backward, expected);
        for (range, id) in &expected {
            for page in [range.start, range.end - 1] {
                let found = tree.get(token, page).map(|(range, value)| (range, *value));
                assert_eq!(found, id.map(|id| (range.clone(), id)), "get {page:#x}");
            }
        }
        self.reader.quiescent();
    }

    /// Empties the tree and waits until every node is back.
    #[track_caller]
    pub(crate) fn finish(mut self) {
        self.tree.clear(&mut self.token);
        self.model = Model::default();
        self.verify();
        self.drain();
        assert_eq!(self.rcu.source().out.load(SeqCst), 0, "nodes were lost");
    }

    /// Waits for all grace periods.
    pub(crate) fn drain(&self) {
        while !self.rcu.is_idle() {
            self.reader.quiescent();
            self.rcu.poll();
        }
    }

    /// Nodes of the tree itself.
    pub(crate) fn nodes(&self) -> usize {
        self.drain();
        self.rcu.source().out.load(SeqCst)
    }
}

type Slots = Vec<(Range<u64>, Option<Value>)>;

/// All slots, by `next_range`.
pub(crate) fn forward(tree: &Tree<'static, Value, Source>, token: &Token<'static, Value, Source>) -> Slots {
    let mut cursor = tree.cursor(token, 0);
    let mut slots = vec![(cursor.range(), cursor.entry().copied())];
    while let Some(range) = cursor.next_range() {
        slots.push((range, cursor.entry().copied()));
    }
    slots
}

/// All slots, by `prev_range`.
pub(crate) fn backward(tree: &Tree<'static, Value, Source>, token: &Token<'static, Value, Source>) -> Slots {
    let mut cursor = tree.cursor(token, LIMIT - 1);
    let mut slots = vec![(cursor.range(), cursor.entry().copied())];
    while let Some(range) = cursor.prev_range() {
        slots.push((range, cursor.entry().copied()));
    }
    slots
}
