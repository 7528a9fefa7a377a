//! New nodes out of runs of old ones.

use core::{ops::Range, ptr::NonNull};

use super::{
    Chain, Child, Head, INNER, Inner, Leaf, Link, NARROW as NARROW_TAG, Node,
    inner::Body,
    leaf::{Item, Packed, into_raw},
    origin::{One, Two},
};
use crate::{
    geometry::{FANOUT, NARROW, WIDE},
    sync::{AtomicPtr, AtomicU32, AtomicU64, Copied, copy},
};

/// Entries on their way into new leaves.
pub(crate) enum Entries<'m, T> {
    /// Entries `from` to `to` of a leaf.
    Run {
        leaf: Leaf<'m, T>,
        from: usize,
        to: usize,
    },
    One(Item<'m, T>),
}

impl<T> Clone for Entries<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T> Copy for Entries<'_, T> {}

/// Children on their way into new inner nodes.
pub(crate) enum Children<'a, 'm, T> {
    /// Children `from` to `to` of a node.
    Run {
        inner: Inner<'m, T>,
        from: usize,
        to: usize,
    },
    New(&'a [Child<'m, T>]),
}

/// A part of a list.
pub(crate) trait Piece {
    /// How many there are.
    fn len(&self) -> usize;
}

impl<T> Piece for Entries<'_, T> {
    #[inline]
    fn len(&self) -> usize {
        match self {
            Self::Run { from, to, .. } => to - from,
            Self::One(_) => 1,
        }
    }
}

impl<T> Piece for Children<'_, '_, T> {
    #[inline]
    fn len(&self) -> usize {
        match self {
            Self::Run { from, to, .. } => to - from,
            Self::New(new) => new.len(),
        }
    }
}

/// Length of the whole list.
pub(crate) fn length(pieces: &[impl Piece]) -> usize {
    pieces.iter().map(Piece::len).sum()
}

/// Calls `visit` for each piece that `chunk` meets, with the part of the piece that is inside.
#[inline(always)]
fn each_part<P: Piece>(pieces: &[P], chunk: &Range<usize>, mut visit: impl FnMut(&P, usize, usize)) {
    let (mut skip, mut left) = (chunk.start, chunk.len());
    for piece in pieces {
        let len = piece.len();
        if skip >= len {
            skip -= len;
            continue;
        }
        let take = left.min(len - skip);
        visit(piece, skip, skip + take);
        skip = 0;
        left -= take;
        if left == 0 {
            return;
        }
    }
}

/// Entry `index` of the list.
#[inline]
pub(crate) fn nth<'m, T>(pieces: &[Entries<'m, T>], mut index: usize) -> Item<'m, T> {
    for piece in pieces {
        match piece {
            Entries::Run { leaf, from, to } if index < to - from => return leaf.item(from + index),
            Entries::One(item) if index == 0 => return *item,
            _ => index -= piece.len(),
        }
    }
    Item::EMPTY
}

/// Where child `index` of the list begins.
pub(crate) fn nth_key<T>(pieces: &[Children<'_, '_, T>], index: usize) -> u64 {
    let mut key = 0;
    each_part(pieces, &(index..index + 1), |piece, at, _| match piece {
        Children::Run { inner, from, .. } => key = inner.key(from + at),
        Children::New(new) => key = new[at].key,
    });
    key
}

/// Whether one leaf can hold `chunk` (not empty) of the list.
pub(crate) fn fits<T>(pieces: &[Entries<'_, T>], chunk: &Range<usize>) -> bool {
    chunk.len() <= WIDE || chunk.len() <= NARROW && has_origin(pieces, chunk)
}

/// Whether the leaf for such a chunk has room for another entry.
pub(crate) fn has_room<T>(pieces: &[Entries<'_, T>], chunk: &Range<usize>) -> bool {
    chunk.len() < WIDE || chunk.len() < NARROW && has_origin(pieces, chunk)
}

/// Whether a packed leaf reaches over the chunk.
fn has_origin<T>(pieces: &[Entries<'_, T>], chunk: &Range<usize>) -> bool {
    let item = |index| nth(pieces, index);
    One::around(item(chunk.start).start, item(chunk.end - 1).end).is_some()
        || Two::around(chunk.clone().map(|index| item(index).start..item(index).end)).is_some()
}

/// Builds a leaf of `chunk` of the list, which [`fits`], in `memory`, put in front of `chain`. Only the writer links it.
pub(crate) fn pack_leaf<'m, T>(
    memory: &'static mut Node,
    chain: &mut Chain,
    pieces: &[Entries<'m, T>],
    chunk: &Range<usize>,
) -> Leaf<'m, T> {
    let start = nth(pieces, chunk.start).start;
    let Some(base) = One::around(start, nth(pieces, chunk.end - 1).end) else {
        let mut items = [Item::EMPTY; NARROW];
        for (place, index) in items.iter_mut().zip(chunk.clone()) {
            *place = nth(pieces, index);
        }
        return Leaf::build(memory, chain, &items[..chunk.len()]);
    };
    assert!(chunk.len() <= NARROW, "more entries than a leaf holds");
    let node = NonNull::from(memory);
    let new = node.cast::<Packed<'m, T>>().as_ptr();
    // SAFETY: the memory is exclusively ours, large enough and aligned (`Node` is the union of the bodies). Every field is
    // written before anyone reads it.
    let (bounds, entries) = unsafe {
        (&raw mut (*new).head).write(Head::on_chain(chunk.len(), chain, node));
        (&raw mut (*new).base).write(base);
        ((&raw mut (*new).bounds).cast::<AtomicU64>(), (&raw mut (*new).entries).cast::<AtomicPtr<T>>())
    };
    let mut at = 0;
    each_part(pieces, chunk, |piece, start, end| match piece {
        Entries::Run { leaf, from, .. } if leaf.is_narrow() && leaf.narrow().base == base => {
            let run = from + start..from + end;
            let (old, old_entries) = (&leaf.narrow().bounds[run.clone()], &leaf.narrow().entries[run]);
            // SAFETY: the chunk is no longer than NARROW.
            unsafe { copy_both((old, bounds.add(at)), (old_entries, entries.add(at))) };
            at += end - start;
        }
        Entries::Run { leaf, from, .. } => {
            for index in start..end {
                // SAFETY: as above.
                unsafe { put(&leaf.item(from + index), base, bounds.add(at), entries.add(at)) };
                at += 1;
            }
        }
        Entries::One(item) => {
            // SAFETY: as above.
            unsafe { put(item, base, bounds.add(at), entries.add(at)) };
            at += 1;
        }
    });
    for unused in chunk.len()..NARROW {
        // SAFETY: as above, up to NARROW.
        unsafe {
            bounds.add(unused).write(AtomicU64::new(u64::MAX));
            entries.add(unused).write(AtomicPtr::new(core::ptr::null_mut()));
        }
    }
    Leaf::at(Link::new(node, NARROW_TAG))
}

/// Builds an inner node of `chunk` of the list that ends at `high`, in `memory`, put in front of `chain`. Only the writer
/// links it. Gives its largest gap, too.
pub(crate) fn pack_inner<'m, T>(
    memory: &'static mut Node,
    chain: &mut Chain,
    pieces: &[Children<'_, 'm, T>],
    chunk: &Range<usize>,
    high: u64,
) -> (Inner<'m, T>, u32) {
    assert!(chunk.len() <= FANOUT, "more children than a node holds");
    let node = NonNull::from(memory);
    let new = node.cast::<Body<'m, T>>().as_ptr();
    // SAFETY: the memory is exclusively ours, large enough and aligned (`Node` is the union of the bodies). Every field is
    // written before anyone reads it.
    let (keys, links, gaps) = unsafe {
        (&raw mut (*new).head).write(Head::on_chain(chunk.len(), chain, node));
        (
            (&raw mut (*new).keys).cast::<AtomicU64>(),
            (&raw mut (*new).children).cast::<AtomicPtr<Node>>(),
            (&raw mut (*new).gaps).cast::<AtomicU32>(),
        )
    };
    let mut at = 0;
    each_part(pieces, chunk, |piece, start, end| match piece {
        Children::Run { inner, from, .. } => {
            let body = inner.body();
            let (mut next, end) = (from + start, (from + end).min(FANOUT));
            // SAFETY: the chunk is no longer than FANOUT, and neither is the old node. Only the writer writes that.
            unsafe {
                let from = (body.keys.as_ptr(), body.children.as_ptr(), body.gaps.as_ptr());
                while next + 1 < end {
                    copy::<_, 2>(from.0.add(next), keys.add(at));
                    copy::<_, 2>(from.1.add(next), links.add(at));
                    copy::<_, 2>(from.2.add(next), gaps.add(at));
                    (next, at) = (next + 2, at + 2);
                }
                if next < end {
                    copy::<_, 1>(from.0.add(next), keys.add(at));
                    copy::<_, 1>(from.1.add(next), links.add(at));
                    copy::<_, 1>(from.2.add(next), gaps.add(at));
                    at += 1;
                }
            }
        }
        Children::New(children) => {
            for child in &children[start..end] {
                // SAFETY: as above.
                unsafe {
                    keys.add(at).write(AtomicU64::new(child.key));
                    links.add(at).write(AtomicPtr::new(child.link.into_raw()));
                    gaps.add(at).write(AtomicU32::new(child.gap));
                }
                at += 1;
            }
        }
    });
    for unused in chunk.len()..FANOUT {
        // SAFETY: as above, up to FANOUT.
        unsafe {
            keys.add(unused).write(AtomicU64::new(u64::MAX));
            links.add(unused).write(AtomicPtr::new(core::ptr::null_mut()));
            gaps.add(unused).write(AtomicU32::new(0));
        }
    }
    // SAFETY: the index is at most FANOUT, and there is one key more than children.
    unsafe {
        keys.add(FANOUT).write(AtomicU64::new(u64::MAX));
        keys.add(chunk.len()).write(AtomicU64::new(high));
    }
    let inner = Inner::at(Link::new(node.cast(), INNER));
    (inner, inner.max_gap())
}

/// Writes an entry into a narrow leaf at `base`.
///
/// # Safety
/// The places are memory of a new leaf.
#[inline(always)]
unsafe fn put<T>(item: &Item<'_, T>, base: u64, bounds: *mut AtomicU64, entry: *mut AtomicPtr<T>) {
    // SAFETY: by the caller's promise.
    unsafe {
        bounds.write(AtomicU64::new((item.start - base) << 32 | (item.end - base)));
        entry.write(AtomicPtr::new(into_raw(item.entry)));
    }
}

/// Copies two runs of equal length, two places at a time.
///
/// # Safety
/// As [`copy`], for all places of the runs.
#[inline(always)]
unsafe fn copy_both<A: Copied, B: Copied>(one: (&[A], *mut A), other: (&[B], *mut B)) {
    let (mut at, count) = (0, one.0.len().min(other.0.len()));
    // SAFETY: by the caller's promise.
    unsafe {
        while at + 1 < count {
            copy::<_, 2>(one.0.as_ptr().add(at), one.1.add(at));
            copy::<_, 2>(other.0.as_ptr().add(at), other.1.add(at));
            at += 2;
        }
        if at < count {
            copy::<_, 1>(one.0.as_ptr().add(at), one.1.add(at));
            copy::<_, 1>(other.0.as_ptr().add(at), other.1.add(at));
        }
    }
}
