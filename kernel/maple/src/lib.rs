//! The VMA tree: a B-tree over ranges of pages, read without locks while one writer works.
//!
//! ```text
//! lock around the Token                       source of node memory
//!   &Token ───► Tree::get, cursor, find_area        ▲ free after a grace period
//!   &mut Token ► Tree::cursor_mut: reserve, store   │
//! Reader::read ► ReadGuard ► Tree::get, cursor ──► Rcu: retire, poll
//! ```
//!
//! - Leaves are copied on write and linked by one pointer write; a store that touches more nodes builds new ones up to the
//!   first that it can link by one pointer write. Only the erase of one entry is made in place (it becomes vacant). So a reader
//!   sees for each page the old or the new entry, and a range that one store replaces is never seen empty.
//! - A leaf has 15 entries within 2^32 pages of each other, or within 2^31 at each side of a hole, as those of a small process
//!   (32-bit bounds: `node/origin.rs`), or 10 anywhere.
//! - [`CursorMut::reserve`] does all that may fail, before anything visible changes.
//! - Inner nodes know the largest free area below each child: [`Tree::find_area`] takes O(log n).
//! - Replaced nodes are freed by [`Rcu`], quiescent-state based.
//!
//! Where to read: `geometry` (how much a node holds), `node` (layout, and all of the crate's pointers), `tree` (who may do
//! what), `place`, `step` and `entries` (cursors), `writer`, `reserve`, `split`, `span`, `climb` and `rebuild` (stores),
//! `area` (free space), `rcu`, `check`.

#![cfg_attr(not(any(test, loom)), no_std)]

mod area;
mod check;
mod climb;
mod cursor;
mod cut;
mod duplicate;
mod entries;
mod geometry;
#[cfg(feature = "host")]
mod host;
mod node;
mod path;
mod place;
mod rcu;
mod rebuild;
mod remove;
mod render;
mod reserve;
mod resize;
mod source;
mod span;
mod split;
pub mod stats;
mod step;
mod sync;
mod teardown;
mod tree;
mod writer;

pub use check::Violation;
pub use cursor::{Cursor, CursorMut, Position, TreeCursor};
pub use duplicate::DuplicateError;
pub use geometry::{LIMIT, MAX_CPUS};
#[cfg(feature = "host")]
pub use host::HostNodes;
pub use node::{FreeList, Node};
pub use rcu::{Rcu, ReadGuard, Reader};
pub use render::Dump;
pub use reserve::{NoMemory, Store};
pub use source::{Bug, NodeSource};
pub use tree::{Quiet, Token, Tree, Witness};
pub use writer::Reservation;
