//! Sugarbush's memory manager: address spaces, VMAs, page tables, frames.
//!
//! No statics, no assembler, no hardware: everything the code needs of a machine comes through
//! [`Platform`]. The kernel and the host simulation are its equal clients.
//!
//! | module | what |
//! | --- | --- |
//! | [`range`] | pages and page ranges |
//! | [`platform`] | the seam |
//! | [`schedule`] | named points at which another thread may run |
//! | [`museum`] | historical bugs that tests put back |
//! | [`sync`] | locks with ranks, the mmap lock, type-stable pools |
//! | [`frame`] | physical frames: buddy allocator, metadata |
//! | [`commit`] | memory that was promised |
//! | [`huge`] | which memory is mapped in blocks of 2 MiB |
//! | [`object`] | shared anonymous memory, seen by all that map it |
//! | [`pgtable`] | page tables: traverse, install, zap, free |
//! | [`tlb`] | what was unhooked, the flush, and only then the free |
//! | [`vma`] | VMAs: flags, locks, split, merge |
//! | [`space`] | the address space: one file an operation |
#![cfg_attr(not(test), no_std)]

extern crate alloc;

pub mod commit;
pub mod error;
pub mod event;
pub mod frame;
pub mod huge;
pub mod museum;
pub mod object;
pub mod pgtable;
pub mod platform;
pub mod range;
pub mod schedule;
pub mod space;
pub mod sync;
#[cfg(test)]
mod testing;
pub mod tlb;
pub mod trace;
pub mod userfault;
pub mod vma;

pub use error::MmError;
pub use huge::HugePages;
pub use platform::{Cpu, Fallible, Platform, SlabPage};
pub use range::{PAGE_SHIFT, PAGE_SIZE, Page, PageRange, PageSize, USER_END};
