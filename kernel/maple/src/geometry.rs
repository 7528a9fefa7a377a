//! How much a node holds. Tests shrink it (`--features small`, `--cfg loom`), so that few entries make deep trees.

/// Exclusive upper end of every key: the number of 4 KiB pages in a 64-bit address space.
pub const LIMIT: u64 = 1 << 52;

/// Most inner levels above the leaves.
pub(crate) const LEVELS: usize = 12;

#[cfg(not(any(loom, feature = "small")))]
mod chosen {
    /// Entries in a narrow leaf or a twin one (two u32 bounds and a pointer each: 240 bytes).
    pub(crate) const NARROW: usize = 15;
    /// Entries in a wide leaf (two u64 bounds and a pointer each: 240 bytes).
    pub(crate) const WIDE: usize = 10;
    /// Fewest entries in a leaf that is not the root.
    pub(crate) const LEAF_MIN: usize = 4;
    /// Children of an inner node (a u64 separator, a pointer and a u32 gap each).
    pub(crate) const FANOUT: usize = 12;
    /// Fewest children of an inner node that is not the root.
    pub(crate) const FANOUT_MIN: usize = 4;
    /// Farthest bound from the base of a narrow leaf, in pages. Of a twin leaf's two windows each reaches half as far.
    pub(crate) const SPAN: u64 = u32::MAX as u64;
    /// Bases are multiples of this, so that most stores below the first entry keep the base. A power of two: a twin leaf's second
    /// base is kept in the low bits of the first.
    pub(crate) const BASE_ROUND: u64 = 1 << 30;
    /// CPUs (or host threads) that can be registered as readers.
    pub const MAX_CPUS: usize = 64;
    /// Every how many stores a writer polls the grace period. A power of two.
    pub(crate) const BATCH: u64 = 16;
}

#[cfg(any(loom, feature = "small"))]
mod chosen {
    pub(crate) const NARROW: usize = 3;
    pub(crate) const WIDE: usize = 3;
    pub(crate) const LEAF_MIN: usize = 2;
    pub(crate) const FANOUT: usize = 4;
    pub(crate) const FANOUT_MIN: usize = 2;
    pub(crate) const SPAN: u64 = 63;
    pub(crate) const BASE_ROUND: u64 = 16;
    /// See the real geometry.
    pub const MAX_CPUS: usize = 4;
    pub(crate) const BATCH: u64 = 2;
}

pub use chosen::MAX_CPUS;
pub(crate) use chosen::{BASE_ROUND, BATCH, FANOUT, FANOUT_MIN, LEAF_MIN, NARROW, SPAN, WIDE};

// Redistributing an underfull leaf with any neighbour must fit two wide leaves, and halves of an overfull node
// must not be underfull; the store's rebuild relies on both.
const _: () = assert!(LEAF_MIN - 1 + NARROW <= 2 * WIDE && LEAF_MIN <= WIDE.div_ceil(2));
const _: () = assert!(LEAF_MIN <= NARROW.div_ceil(2) && FANOUT_MIN <= FANOUT.div_ceil(2) && FANOUT_MIN >= 2);
