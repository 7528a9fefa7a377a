//! Nodes: the only place (with `rcu.rs`) where memory is reinterpreted.
//!
//! ```text
//! 256 bytes, 256-aligned; the low bits of a link say what it leads to
//!   inner   head | 13 keys | 12 children | 12 gaps
//!   narrow  head | base | 15 x (u32 start, u32 end, relative to base) | 15 entries
//!   twin    the same, relative to one base below a hole and to another above it (see `origin`)
//!   wide    head | 10 x u64 start | 10 x u64 end | 10 entries
//! ```
//!
//! - A leaf holds entries in ascending order; gaps take no slot. Once it is linked, two changes are made to it in place: an entry
//!   becomes longer or shorter (see `resize`), or vacant. One that becomes vacant loses its value first and then its bounds, which
//!   become empty and move down to the end of the entry below: whoever reads the bounds before the value finds the old entry or
//!   none, and gaps are as if it were not there.
//! - Key `i` is where child `i` begins: at the first start below it, so the free space between two leaves belongs to the
//!   lower one. The key behind the last child is where the node ends.
//! - An inner node's children, keys and gaps may be replaced in place, one word at a time; their number never changes.
//! - Unused keys and packed bounds are `u64::MAX`, so a search needs no count.
//!
//! The rest of the crate is safe code over the handles [`Link`], [`Inner`] and [`Leaf`]. They are plain copies of an
//! address; the crate keeps this contract, on which every `SAFETY` line here rests:
//! **a handle is used only while its node is linked, prepared by the reservation at hand, or retired within
//! the grace period of the user's read section.** Cursors keep it by their witness (see `tree.rs`), the writer by the version.

mod buffer;
mod build;
mod free;
mod free_list;
mod inner;
mod join;
mod leaf;
mod origin;
mod pack;
mod resize;
mod splice;
mod vacant;

use core::{
    hint::select_unpredictable,
    marker::PhantomData,
    mem::{ManuallyDrop, MaybeUninit},
    ptr::{self, NonNull},
};

use crate::sync::{AtomicPtr, Ordering, Touch};

pub(crate) use buffer::Buffer;
pub use free_list::FreeList;
pub(crate) use inner::{Child, Inner};
pub(crate) use join::{Run, Siblings};
pub(crate) use leaf::{Found, Item, Leaf, saturate};
pub(crate) use origin::{One, Origin, Two};
pub(crate) use pack::{Children, Entries, fits, has_room, length, nth, nth_key, pack_inner, pack_leaf};
pub(crate) use resize::Resized;
pub(crate) use splice::{Aim, Met, Spot};

/// Memory of one node.
#[repr(C, align(256))]
pub struct Node {
    /// What it is depends on the links that lead here.
    memory: MaybeUninit<Bodies>,
}

#[repr(C)]
union Bodies {
    _inner: ManuallyDrop<inner::Body<'static, ()>>,
    _packed: ManuallyDrop<leaf::Packed<'static, ()>>,
    _wide: ManuallyDrop<leaf::Wide<'static, ()>>,
}

#[cfg(not(loom))]
const _: () = assert!(cfg!(feature = "small") || size_of::<Node>() == 256);

impl Node {
    /// Memory for one node; its content does not matter.
    pub const fn new() -> Self {
        Self { memory: MaybeUninit::uninit() }
    }

    /// Overwrites the memory so that a reader which still comes here is noticed: it sees the freed mark
    /// (asserted in debug builds) or addresses that do not exist.
    pub fn poison(&mut self) {
        self.memory = MaybeUninit::uninit();
        // SAFETY: the memory is ours and as large as said; any bytes will do.
        unsafe { ptr::from_mut(self).cast::<u8>().write_bytes(0xf7, size_of::<Self>()) };
    }
}

impl Default for Node {
    fn default() -> Self {
        Self::new()
    }
}

/// Legal values of the low 8 bits of `Head::meta`: a count of 0 to 15, a number of vacant entries, and one or none of the marks.
const COUNT: usize = 0x0f;
/// How many of a leaf's entries are vacant.
const VACANT: usize = 0x30;
const ONE_VACANT: usize = 0x10;
/// The node is no longer linked: written once, after the store that unlinked it.
const DEAD: usize = 0x80;
/// Never written to a node in use; the poison sets it.
const FREED: usize = 0x40;
const MARKS: usize = 0xff;

/// Which body a link leads to: the low bits of its address.
const INNER: usize = 0;
const NARROW: usize = 1;
const WIDE: usize = 2;
const TWIN: usize = 4;
const KINDS: usize = 7;

/// First word of every node.
#[repr(C)]
struct Head {
    /// Next node of the chain this one is on (reservation, retired), and count and marks in the low bits. The address
    /// is the writer's, then the grace period's; the marks may be read by anyone.
    meta: AtomicPtr<Node>,
    touch: Touch,
}

impl Head {
    /// A head of `count` entries or children (and perhaps a number of vacant ones), put in front of `chain`.
    fn on_chain(count: usize, chain: &mut Chain, node: NonNull<Node>) -> Self {
        debug_assert!(count <= COUNT | VACANT);
        let next = chain.head;
        if next.is_null() {
            chain.tail = node.as_ptr();
        }
        chain.head = node.as_ptr();
        Self { meta: AtomicPtr::new(next.map_addr(|a| a | count)), touch: Touch::new() }
    }

    #[inline(always)]
    fn count(&self) -> usize {
        self.meta.load(Ordering::Relaxed).addr() & COUNT
    }

    /// The count, and the number of vacant entries in steps of `ONE_VACANT`.
    #[inline(always)]
    fn count_and_vacant(&self) -> (usize, usize) {
        let counts = self.counts();
        (counts & COUNT, counts & VACANT)
    }

    /// The count, and in its own bits the number of vacant entries.
    #[inline(always)]
    fn counts(&self) -> usize {
        self.meta.load(Ordering::Relaxed).addr() & (COUNT | VACANT)
    }

    #[inline(always)]
    fn is_dead(&self) -> bool {
        self.meta.load(Ordering::Acquire).addr() & DEAD != 0
    }
}

/// Address of a linked node, with its kind.
pub(crate) struct Link<'m, T> {
    tagged: NonNull<Node>,
    values: PhantomData<&'m T>,
}

impl<T> Clone for Link<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T> Copy for Link<'_, T> {}
impl<T> PartialEq for Link<'_, T> {
    fn eq(&self, other: &Self) -> bool {
        self.tagged == other.tagged
    }
}

// SAFETY: a link gives shared access to atomics and to entries `&'m T`, which may cross threads if `T: Sync`.
unsafe impl<T: Sync> Send for Link<'_, T> {}
// SAFETY: as above.
unsafe impl<T: Sync> Sync for Link<'_, T> {}

/// What a link leads to.
pub(crate) enum Kind<'m, T> {
    Inner(Inner<'m, T>),
    Leaf(Leaf<'m, T>),
}

impl<'m, T> Link<'m, T> {
    fn new(node: NonNull<Node>, kind: usize) -> Self {
        Self { tagged: node.map_addr(|a| a | kind), values: PhantomData }
    }

    #[inline(always)]
    pub(crate) fn from_raw(raw: *mut Node) -> Option<Self> {
        NonNull::new(raw).map(|tagged| Self { tagged, values: PhantomData })
    }

    #[inline(always)]
    pub(crate) fn into_raw(self) -> *mut Node {
        self.tagged.as_ptr()
    }

    #[inline(always)]
    fn tag(self) -> usize {
        self.tagged.addr().get() & KINDS
    }

    #[inline(always)]
    pub(crate) fn kind(self) -> Kind<'m, T> {
        if self.tag() == INNER { Kind::Inner(Inner::at(self)) } else { Kind::Leaf(Leaf::at(self)) }
    }

    /// Address of the node's memory.
    fn node(self) -> *mut Node {
        self.tagged.as_ptr().map_addr(|a| a & !MARKS)
    }

    fn head(&self) -> &Head {
        // SAFETY: every body begins with a `Head`; the node is in use (contract of the module).
        unsafe { &*self.node().cast::<Head>() }
    }

    /// Whether a store has unlinked the node.
    #[inline(always)]
    pub(crate) fn is_dead(self) -> bool {
        self.head().is_dead()
    }
}

/// Checks of every read of a node: loom's and the poison's.
#[inline(always)]
fn visited(head: &Head) {
    head.touch.read();
    debug_assert!(
        cfg!(loom) || head.meta.load(Ordering::Relaxed).addr() & FREED == 0,
        "a reader came to a freed node: its grace period was cut short"
    );
}

/// Nodes linked through their heads: prepared by a reservation, doomed by it, or retired.
pub(crate) struct Chain {
    head: *mut Node,
    tail: *mut Node,
}

// SAFETY: the nodes of a chain belong to whoever has the chain.
unsafe impl Send for Chain {}
// SAFETY: `&Chain` gives no access.
unsafe impl Sync for Chain {}

impl Chain {
    pub(crate) const fn new() -> Self {
        Self { head: ptr::null_mut(), tail: ptr::null_mut() }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.head.is_null()
    }

    /// Leaves an empty chain behind.
    pub(crate) fn take(&mut self) -> Self {
        core::mem::replace(self, Self::new())
    }

    /// Puts a linked node that the store at hand will unlink in front. Gives how many entries (that are not vacant) or children
    /// it has.
    #[inline]
    pub(crate) fn doom<T>(&mut self, link: Link<'_, T>) -> usize {
        let node = link.node();
        let head = link.head();
        let marks = head.counts();
        head.meta.store(self.head.map_addr(|a| a | marks), Ordering::Relaxed);
        if self.head.is_null() {
            self.tail = node;
        }
        self.head = node;
        (marks & COUNT) - (marks & VACANT) / ONE_VACANT
    }

    /// Marks one node dead and moves it onto the stack `arrivals`.
    #[inline]
    pub(crate) fn push_dead<T>(link: Link<'_, T>, arrivals: &AtomicPtr<Node>) {
        let head = link.head();
        let marks = head.counts() | DEAD;
        let mut old = arrivals.load(Ordering::Relaxed);
        loop {
            head.meta.store(old.map_addr(|a| a | marks), Ordering::Release);
            match arrivals.compare_exchange_weak(old, link.node(), Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => return,
                Err(now) => old = now,
            }
        }
    }

    /// Marks every node dead; from now on reader cursors leave them at their next step.
    pub(crate) fn mark_dead(&self) {
        let mut at = self.head;
        while !at.is_null() {
            // SAFETY: nodes of a chain are in use until the chain is freed.
            let meta = unsafe { &(*at.cast::<Head>()).meta };
            let old = meta.load(Ordering::Relaxed);
            meta.store(old.map_addr(|a| a | DEAD), Ordering::Release);
            at = old.map_addr(|a| a & !MARKS);
        }
    }

    /// Moves the whole chain onto the stack `arrivals`. Must not be empty.
    #[inline]
    pub(crate) fn push_onto(self, arrivals: &AtomicPtr<Node>) {
        // SAFETY: the tail is a node of this chain.
        let tail = unsafe { &(*self.tail.cast::<Head>()).meta };
        let marks = tail.load(Ordering::Relaxed).addr() & MARKS;
        let mut old = arrivals.load(Ordering::Relaxed);
        loop {
            tail.store(old.map_addr(|a| a | marks), Ordering::Relaxed);
            match arrivals.compare_exchange_weak(old, self.head, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => return,
                Err(now) => old = now,
            }
        }
    }

    /// Takes the whole stack that `push_onto` filled.
    pub(crate) fn take_from(arrivals: &AtomicPtr<Node>) -> Self {
        Self { head: arrivals.swap(ptr::null_mut(), Ordering::AcqRel), tail: ptr::null_mut() }
    }

    /// Keeps the nodes elsewhere, without the tail.
    pub(crate) fn into_raw(self) -> *mut Node {
        self.head
    }

    pub(crate) fn from_raw(head: *mut Node) -> Self {
        Self { head, tail: ptr::null_mut() }
    }

    /// Takes the memory of all nodes.
    ///
    /// # Safety
    /// No link leads to the chain's nodes any more, and nobody who found one earlier still reads it.
    pub(crate) unsafe fn into_free(self) -> FreeList {
        if Touch::WATCHES {
            let mut at = self.head;
            while !at.is_null() {
                // SAFETY: a node of the chain, which was in use until now.
                let head = unsafe { &*at.cast::<Head>() };
                head.touch.reclaim();
                at = head.meta.load(Ordering::Relaxed).map_addr(|a| a & !MARKS);
            }
        }
        FreeList::of(self.head)
    }
}

/// Number of keys that are not above `key`, for `N` keys in ascending order (`N` is 3 plus a multiple of 4): four steps, none
/// of them an unpredictable branch.
#[inline(always)]
fn count_le<const N: usize>(load: impl Fn(usize) -> u64, key: u64) -> usize {
    const { assert!(N % 4 == 3) };
    let step = |at: usize, width: usize| select_unpredictable(load(at + width - 1) <= key, at + width, at);
    let mut at = 0;
    if N == 15 {
        at = step(at, 8);
        at = step(at, 4);
    } else {
        let mut four = N / 4;
        while four > 0 {
            at = step(at, 4);
            four -= 1;
        }
    }
    step(step(at, 2), 1)
}
