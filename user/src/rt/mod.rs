//! All `unsafe` of the user programs: start-up, the `syscall` instruction, raw memory accesses, odd instructions.
//!
//! The functions here are safe to call although a program can destroy itself with them: that is what the scenarios
//! are for. They keep Rust's own objects out of it by two rules. Accesses and system calls are inline assembly
//! with the default memory clobber, so the compiler assumes nothing about what they touch. And callers hand in only
//! addresses that belong to no Rust object (their own mappings, or addresses that fault), except through the typed
//! wrappers in [`crate::sys`], which pass slices and structures of the right size.

pub mod cpu;
pub mod memory;
mod panic;
pub mod start;
pub mod syscall;
pub mod thread;
