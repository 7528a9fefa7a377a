//! Physical frames: who has them, and which are free.
//!
//! ```text
//! order 0    [f]->[f]           blocks of 2^order frames, aligned to their size
//! order 1    [ff]
//!  ...                          the lists run through the metadata; no frame is touched
//! order 10   [ffff...]->[...]
//! cache      [f]->[f]->[f]      single frames, freed and not yet merged with their buddies
//! ```
//!
//! Two free buddies are one block, except for cached single frames: those are merged when the cache overflows
//! or when a request cannot be met otherwise.

mod allocator;
mod batch;
mod check;
mod lists;
mod meta;
#[cfg(test)]
mod tests;

pub use allocator::{FrameAllocator, FrameStatistics};
pub use batch::FrameBatch;
pub use lists::MAX_ORDER;
pub use meta::{Frame, FrameKind, FrameMeta};
