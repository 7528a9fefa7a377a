//! Counterparts of the categories that Linux's maple tree tests pin down (vma-tree.md, section 5).
#![cfg(not(loom))]

#[path = "../common/mod.rs"]
mod common;

mod areas;
mod basic;
mod iteration;
mod ranges;
mod structure;
