//! New leaves out of lists of entries, and the value that comes last.

use core::ptr::{self, NonNull};

use super::{
    Chain, Head, Leaf, Link, Node, WIDE as WIDE_TAG,
    leaf::{Item, Packed, Wide, into_raw},
    origin::{One, Origin, Two},
};
use crate::{
    geometry::{NARROW, WIDE},
    sync::{AtomicPtr, AtomicU64},
};

impl<'m, T> Leaf<'m, T> {
    /// Builds a leaf of `items` (that fit) in `memory`, put in front of `chain`. Only the writer links it.
    pub(crate) fn build(memory: &'static mut Node, chain: &mut Chain, items: &[Item<'m, T>]) -> Self {
        if let Some(word) = One::around(items[0].start, items[items.len() - 1].end) {
            return Self::build_in::<One>(memory, chain, word, items);
        }
        if let Some(word) = Two::around(items.iter().map(|item| item.start..item.end)) {
            return Self::build_in::<Two>(memory, chain, word, items);
        }
        assert!(items.len() <= WIDE, "more entries than a leaf holds");
        let node = NonNull::from(memory);
        let body = Wide {
            head: Head::on_chain(items.len(), chain, node),
            starts: core::array::from_fn(|i| items.get(i).map_or(u64::MAX, |item| item.start)),
            ends: core::array::from_fn(|i| items.get(i).map_or(u64::MAX, |item| item.end)),
            entries: core::array::from_fn(|i| items.get(i).and_then(|item| item.entry)),
        };
        // SAFETY: the memory is exclusively ours, large enough and aligned (`Node` is the union of the bodies).
        unsafe { node.cast::<Wide<'m, T>>().write(body) };
        Self::at(Link::new(node, WIDE_TAG))
    }

    /// Builds a packed leaf whose origin has the `word`.
    fn build_in<O: Origin>(
        memory: &'static mut Node,
        chain: &mut Chain,
        word: u64,
        items: &[Item<'m, T>],
    ) -> Self {
        assert!(items.len() <= NARROW, "more entries than a leaf holds");
        let origin = O::of(word);
        let node = NonNull::from(memory);
        let new = node.cast::<Packed<'m, T>>().as_ptr();
        // SAFETY: the memory is exclusively ours, large enough and aligned (`Node` is the union of the bodies); indexes
        // are below NARROW. Every field is written before anyone reads it.
        unsafe {
            (&raw mut (*new).head).write(Head::on_chain(items.len(), chain, node));
            (&raw mut (*new).base).write(word);
            let bounds = (&raw mut (*new).bounds).cast::<AtomicU64>();
            let entries = (&raw mut (*new).entries).cast::<AtomicPtr<T>>();
            for (index, item) in items.iter().enumerate() {
                let (start, end) = origin.near(&(item.start..item.end)).expect("its origin was made for it");
                bounds.add(index).write(AtomicU64::new(start << 32 | end));
                entries.add(index).write(AtomicPtr::new(into_raw(item.entry)));
            }
            for unused in items.len()..NARROW {
                bounds.add(unused).write(AtomicU64::new(u64::MAX));
                entries.add(unused).write(AtomicPtr::new(ptr::null_mut()));
            }
        }
        Self::at(Link::new(node, O::TAG))
    }

    /// Brings the value for the place that a prepared leaf has left open.
    #[inline(always)]
    pub(crate) fn fill(self, index: usize, entry: &'m T) {
        let raw = self.link().into_raw();
        // SAFETY: the leaf is prepared and not linked, so nobody else reads it; index is below its count; the tag says
        // which body it has.
        unsafe {
            if self.is_narrow() {
                let body = raw.wrapping_byte_sub(One::TAG).cast::<Packed<'m, T>>();
                (&raw mut (*body).entries)
                    .cast::<AtomicPtr<T>>()
                    .add(index)
                    .write(AtomicPtr::new(into_raw(Some(entry))));
            } else if self.is_twin() {
                let body = raw.wrapping_byte_sub(Two::TAG).cast::<Packed<'m, T>>();
                (&raw mut (*body).entries)
                    .cast::<AtomicPtr<T>>()
                    .add(index)
                    .write(AtomicPtr::new(into_raw(Some(entry))));
            } else {
                let body = raw.wrapping_byte_sub(WIDE_TAG).cast::<Wide<'m, T>>();
                (&raw mut (*body).entries).cast::<Option<&'m T>>().add(index).write(Some(entry));
            }
        }
    }
}
