//! The tree and who may do what with it.

use core::{marker::PhantomData, ops::Range};

use crate::{
    area,
    cursor::{Cursor, CursorMut, Position},
    geometry::LIMIT,
    node::{Chain, Kind, Leaf, Link, Node},
    path::Plan,
    place::Place,
    rcu::{Rcu, ReadGuard},
    source::{Bug, NodeSource},
    sync::{AtomicPtr, AtomicU64, AtomicUsize, Ordering},
    teardown,
};

/// A B-tree from ranges of pages to values `&'m T`, read by many while one writes.
///
/// The tree itself is shared; what a caller may do is said by the [`Witness`] it shows:
/// - `&ReadGuard`: read without a lock, beside a writer;
/// - `&Token`: read while nobody writes (the holder of the lock that guards the token, shared or exclusive);
/// - `&mut Token`: write (the exclusive holder).
///
/// Pages are below [`LIMIT`]; ranges are half-open and in pages.
///
/// A cursor for reading under the token keeps writers out:
///
/// ```compile_fail,E0502
/// # use maple::{NodeSource, Token, Tree};
/// fn two_at_once<'m, S: NodeSource>(tree: &Tree<'m, u32, S>, token: &mut Token<'m, u32, S>) {
///     let reader = tree.cursor(&*token, 0);
///     let writer = tree.cursor_mut(token, 0);
///     reader.range();
/// }
/// ```
pub struct Tree<'m, T, S: NodeSource> {
    rcu: &'m Rcu<S>,
    /// Null when empty. Written under `&mut Token`, read by anyone.
    root: AtomicPtr<Node>,
    /// Rises with every store that changes the tree. Written under `&mut Token`.
    version: AtomicU64,
    /// Inner levels above the leaves. Written under `&mut Token`, read under the token.
    height: AtomicUsize,
    /// Entries. Written under `&mut Token`, read by anyone.
    len: AtomicUsize,
    /// Tells this tree's token from others of the domain. Never changes.
    name: u64,
    /// Values go in and come out: invariant in `'m`.
    values: PhantomData<Values<'m, T>>,
}

/// A tree takes values and gives them back.
type Values<'m, T> = (&'m T, fn(&'m T) -> &'m T);

/// The right to use one tree: what the lock around the tree guards (in mm the mmap lock).
///
/// `&Token` proves that no writer exists, `&mut Token` that the holder is the only user besides lock-free readers.
pub struct Token<'m, T, S: NodeSource> {
    rcu: &'m Rcu<S>,
    name: u64,
    /// The writer's notes between a reservation and its store.
    pub(crate) plan: Plan<'m, T>,
}

impl<'m, T, S: NodeSource> Token<'m, T, S> {
    #[inline]
    pub(crate) fn names(&self, tree: &Tree<'m, T, S>) -> bool {
        core::ptr::eq(self.rcu, tree.rcu) && self.name == tree.name
    }
}

mod sealed {
    pub trait Sealed {}
}

/// A right to read: a [`Token`] or a [`ReadGuard`].
pub trait Witness<'m, T, S: NodeSource>: sealed::Sealed {
    /// Whether a writer may be at work, so that a cursor must look out for replaced nodes.
    #[doc(hidden)]
    const CONCURRENT: bool;

    /// Whether this right is for `tree`.
    #[doc(hidden)]
    fn admits(&self, tree: &Tree<'m, T, S>) -> bool;
}

impl<T, S: NodeSource> sealed::Sealed for Token<'_, T, S> {}
impl<'m, T, S: NodeSource> Witness<'m, T, S> for Token<'m, T, S> {
    const CONCURRENT: bool = false;

    #[inline]
    fn admits(&self, tree: &Tree<'m, T, S>) -> bool {
        self.names(tree)
    }
}

impl<S: NodeSource> sealed::Sealed for ReadGuard<'_, S> {}
impl<'m, T, S: NodeSource> Witness<'m, T, S> for ReadGuard<'_, S> {
    const CONCURRENT: bool = true;

    #[inline]
    fn admits(&self, tree: &Tree<'m, T, S>) -> bool {
        self.is_of(tree.rcu)
    }
}

/// A witness that nobody but its holder writes.
pub trait Quiet<'m, T, S: NodeSource>: Witness<'m, T, S> {}

impl<'m, T, S: NodeSource> Quiet<'m, T, S> for &Token<'m, T, S> {}
impl<'m, T, S: NodeSource> Quiet<'m, T, S> for &mut Token<'m, T, S> {}

impl<W: sealed::Sealed> sealed::Sealed for &W {}
impl<'m, T, S: NodeSource, W: Witness<'m, T, S>> Witness<'m, T, S> for &W {
    const CONCURRENT: bool = W::CONCURRENT;

    #[inline]
    fn admits(&self, tree: &Tree<'m, T, S>) -> bool {
        (**self).admits(tree)
    }
}

impl<W: sealed::Sealed> sealed::Sealed for &mut W {}
impl<'m, T, S: NodeSource, W: Witness<'m, T, S>> Witness<'m, T, S> for &mut W {
    const CONCURRENT: bool = W::CONCURRENT;

    #[inline]
    fn admits(&self, tree: &Tree<'m, T, S>) -> bool {
        (**self).admits(tree)
    }
}

impl<'m, T, S: NodeSource> Tree<'m, T, S> {
    /// An empty tree in `rcu`'s domain, and its token.
    pub fn new(rcu: &'m Rcu<S>) -> (Self, Token<'m, T, S>) {
        let name = rcu.name_tree();
        let tree = Self {
            rcu,
            root: AtomicPtr::new(core::ptr::null_mut()),
            version: AtomicU64::new(0),
            height: AtomicUsize::new(0),
            len: AtomicUsize::new(0),
            name,
            values: PhantomData,
        };
        (tree, Token { rcu, name, plan: Plan::new() })
    }

    /// The entry that covers `page`, with its range.
    ///
    /// # Panics
    /// If the witness is another tree's or domain's (as every method that takes one).
    #[inline]
    pub fn get<W: Witness<'m, T, S>>(&self, witness: &W, page: u64) -> Option<(Range<u64>, &'m T)> {
        self.admit(witness);
        if page >= LIMIT {
            return None;
        }
        let mut link = self.root()?;
        loop {
            self.pause::<W>();
            match link.kind() {
                Kind::Inner(inner) => link = inner.child(inner.search(page)),
                Kind::Leaf(leaf) => return leaf.get(page),
            }
        }
    }

    /// A cursor at the slot (entry or gap) that covers `page`, which is below [`LIMIT`].
    #[inline]
    pub fn cursor<'t, 'k, W: Witness<'m, T, S>>(
        &'t self,
        witness: &'k W,
        page: u64,
    ) -> Cursor<'t, 'k, 'm, T, S, W> {
        self.admit(witness);
        Cursor::new(self, witness, Place::walk::<S, W>(self, page))
    }

    /// A cursor that can store.
    #[inline]
    pub fn cursor_mut<'t, 'k>(
        &'t self,
        token: &'k mut Token<'m, T, S>,
        page: u64,
    ) -> CursorMut<'t, 'k, 'm, T, S> {
        self.admit(token);
        CursorMut::start(self, token, page)
    }

    /// A cursor where `position` was taken: without a walk if nothing was stored since, else at the page where the slot began.
    #[inline]
    pub fn resume<'t, 'k>(
        &'t self,
        token: &'k Token<'m, T, S>,
        position: Position<'t, 'm, T, S>,
    ) -> Cursor<'t, 'k, 'm, T, S, Token<'m, T, S>> {
        self.admit(token);
        Cursor::new(self, token, position.place_in(self))
    }

    /// As [`resume`](Self::resume), with a cursor that can store.
    #[inline]
    pub fn resume_mut<'t, 'k>(
        &'t self,
        token: &'k mut Token<'m, T, S>,
        position: Position<'t, 'm, T, S>,
    ) -> CursorMut<'t, 'k, 'm, T, S> {
        self.admit(token);
        token.plan.serial += 1;
        CursorMut::new(self, token, position.place_in(self))
    }

    /// The values below and above the slot where `position` was taken, as [`resume`](Self::resume) finds it.
    #[inline]
    pub fn beside(&self, token: &Token<'m, T, S>, position: &Position<'_, 'm, T, S>) -> [Option<&'m T>; 2] {
        self.admit(token);
        if let Some(both) = position.place_if_of(self).and_then(Place::beside) {
            return both.map(Some);
        }
        Cursor::<'_, '_, 'm, T, S, Token<'m, T, S>>::new(self, token, position.place_in(self)).beside()
    }

    /// The value above the slot where `position` was taken, as [`resume`](Self::resume) finds it.
    #[inline]
    pub fn above(&self, token: &Token<'m, T, S>, position: &Position<'_, 'm, T, S>) -> Option<&'m T> {
        self.admit(token);
        if let Some(above) = position.place_if_of(self).and_then(Place::above) {
            return Some(above);
        }
        let mut place = position.place_in(self);
        place.next::<S, Token<'m, T, S>>(self, None).map(|(_, value)| value)
    }

    /// Lowest address at which `pages` (above 0) free pages lie inside `window`.
    pub fn find_area(&self, token: &Token<'m, T, S>, window: Range<u64>, pages: u64) -> Option<u64> {
        self.admit(token);
        area::lowest(self, window, pages)
    }

    /// Highest address at which `pages` (above 0) free pages lie inside `window`.
    pub fn find_area_rev(&self, token: &Token<'m, T, S>, window: Range<u64>, pages: u64) -> Option<u64> {
        self.admit(token);
        area::highest(self, window, pages).map(|(start, _)| start)
    }

    /// As [`find_area_rev`](Self::find_area_rev), with the gap: for [`resume`](Self::resume) or [`resume_mut`](Self::resume_mut).
    #[inline]
    pub fn find_gap_rev<'t>(
        &'t self,
        token: &Token<'m, T, S>,
        window: Range<u64>,
        pages: u64,
    ) -> Option<(u64, Position<'t, 'm, T, S>)> {
        self.admit(token);
        let (start, place) = area::highest(self, window, pages)?;
        Some((start, Position::new(self, start, place)))
    }

    /// Tells this tree from all others of its domain, for as long as the domain lives.
    pub fn name(&self) -> u64 {
        self.name
    }

    /// Number of entries.
    pub fn len(&self) -> usize {
        self.len.load(Ordering::Relaxed)
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Takes all entries out at once. Cannot fail; lock-free readers see the full or the empty tree.
    pub fn clear(&self, token: &mut Token<'m, T, S>) {
        self.admit(token);
        let doomed = teardown::doom_all(self);
        token.plan.path.forget();
        self.publish_root(None, 0);
        self.rcu.retire(doomed, self.changed(0));
        self.rcu.poll();
    }

    #[inline]
    fn admit<W: Witness<'m, T, S>>(&self, witness: &W) {
        assert!(witness.admits(self), "the token or guard shown belongs to another tree");
    }

    #[inline(always)]
    pub(crate) fn root(&self) -> Option<Link<'m, T>> {
        Link::from_raw(self.root.load(Ordering::Acquire))
    }

    /// Lets an explorer of schedules in, if the witness is a lock-free reader's.
    #[inline(always)]
    pub(crate) fn pause<W: Witness<'m, T, S>>(&self) {
        if W::CONCURRENT {
            self.rcu.source().pause();
        }
    }

    /// The dead check: whether a writer beside the witness has replaced the node of `link`.
    #[inline(always)]
    pub(crate) fn is_stale<W: Witness<'m, T, S>>(&self, link: Link<'m, T>) -> bool {
        W::CONCURRENT && link.is_dead() && !self.rcu.source().has(Bug::DeadNodeNotChecked)
    }

    /// As [`is_stale`](Self::is_stale), for the most frequent reads.
    #[inline(always)]
    pub(crate) fn is_replaced(&self, leaf: Leaf<'m, T>) -> bool {
        leaf.is_dead() && !self.rcu.source().has(Bug::DeadNodeNotChecked)
    }

    #[inline]
    pub(crate) fn height(&self) -> usize {
        self.height.load(Ordering::Relaxed)
    }

    #[inline]
    pub(crate) fn version(&self) -> u64 {
        self.version.load(Ordering::Relaxed)
    }

    pub(crate) fn rcu(&self) -> &'m Rcu<S> {
        self.rcu
    }

    /// Replaces the root: the store becomes visible here.
    pub(crate) fn publish_root(&self, root: Option<Link<'m, T>>, height: usize) {
        self.root.store(root.map_or(core::ptr::null_mut(), Link::into_raw), Ordering::Release);
        self.height.store(height, Ordering::Relaxed);
    }

    /// Notes a change that has become visible; gives the new version.
    #[inline(always)]
    pub(crate) fn changed(&self, len: usize) -> u64 {
        self.len.store(len, Ordering::Relaxed);
        let version = self.version() + 1;
        self.version.store(version, Ordering::Relaxed);
        version
    }
}

impl<T, S: NodeSource> Drop for Tree<'_, T, S> {
    /// Frees the nodes at once: cursors and guards in use borrow the tree, so there are none.
    fn drop(&mut self) {
        let doomed: Chain = teardown::doom_all(self);
        self.rcu.give_back(doomed);
        // Of a tree that had few stores nothing else frees what it retired.
        self.rcu.poll();
    }
}
