//! Physical frames: who has them, and which are free.
//!
//! ```text
//! order 0    [f]->[f]           blocks of 2^order frames, aligned to their size
//! order 1    [ff]
//!  ...                          the lists run through the metadata; no frame is touched
//! order 10   [ffff...]->[...]
//! caches     [f]->[f]->[f]      single frames of each CPU, not merged with their buddies
//! ```
//!
//! Two free buddies are one block, except for cached single frames: those are merged when a cache overflows
//! or when a request cannot be met otherwise. A CPU takes frames from its cache, which is filled by a block at a time, and frees into it,
//! so that CPUs that fault at the same time write to no cache line in common but for every 32nd fault.

mod allocator;
mod batch;
mod cache;
mod chain;
mod check;
mod huge;
mod lists;
mod meta;
#[cfg(test)]
mod tests;

pub(crate) use allocator::Metadata;
pub use allocator::{FrameAllocator, FrameStatistics};
pub use batch::FrameBatch;
pub use cache::{Content, FrameStore};
pub use chain::FrameChain;
pub use lists::MAX_ORDER;
pub use meta::{Frame, FrameKind, FrameMeta};
