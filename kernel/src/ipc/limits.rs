//! The limits of shared memory (`/proc/sys/kernel/shm*`).

use core::sync::atomic::{AtomicU32, AtomicU64};

/// Bits of an identifier that are the index; the others are the sequence number.
pub(super) const INDEX_BITS: u32 = 15;
/// There are no more indices than this.
pub(crate) const INDICES: u32 = 1 << INDEX_BITS;
/// Linux's limit where there is none: so far below the end that sums do not wrap.
const UNLIMITED: u64 = u64::MAX - (1 << 24);

/// `shmmni`: most segments.
pub(crate) static COUNT_MAX: AtomicU32 = AtomicU32::new(4096);
/// `shmmax`: most bytes of a segment.
pub(crate) static SIZE_MAX: AtomicU64 = AtomicU64::new(UNLIMITED);
/// `shmall`: most pages of all segments.
pub(crate) static PAGES_MAX: AtomicU64 = AtomicU64::new(UNLIMITED);
