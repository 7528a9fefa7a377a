//! Translation caches: unhook, flush, and only then free (I23).
//!
//! ```text
//! page tables --unhook--> Gather --flush--> every TLB forgets --free--> frame allocator
//! ```
//!
//! What was unhooked from page tables may still be cached by processors: leaf translations, and the tables
//! themselves in paging-structure caches (Intel SDM volume 3, 4.10). A [`Gather`] owns it until a flush.

mod gather;
mod state;
#[cfg(test)]
mod tests;

pub(crate) use gather::forget_huge;
pub use gather::{Freed, Gather};
pub use state::{Flush, FlushScope, SINGLE_PAGES, TlbState};
