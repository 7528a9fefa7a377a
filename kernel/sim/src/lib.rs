//! The memory manager on the host: a simulated machine, a flat reference model, and both in step.
//!
//! | module | what |
//! | --- | --- |
//! | [`machine`] | memory, CPUs with TLBs, oracles, and whatever shall fail |
//! | [`model`] | what Linux answers, the slow and obvious way |
//! | [`world`] | processes on a machine, and the model of them, in step |
//! | [`op`] | what a simulated program does |
//! | [`setup`] | what a run begins with |
//! | [`in_every_order`], [`scenario`] | a scenario, in all orders of munmap, and where it maps |
//! | [`strategy`] | random programs |
//! | [`sweep`] | every fallible step refused in turn |
//! | [`museum`] | historical bugs, put back one by one |
//! | `userfaults` | accesses, and faults that programs resolve themselves |
//! | [`soak`] | random programs by number, without end |
//! | [`race`] | threads at the same time, under all schedules |
//! | [`figure()`] | what a test has to tell |
#![forbid(unsafe_code)]

mod check;
mod failure;
mod figure;
pub mod machine;
pub mod model;
pub mod museum;
pub mod op;
mod quiet;
pub mod race;
pub mod scenario;
pub mod setup;
pub mod soak;
pub mod strategy;
pub mod sweep;
mod userfaults;
pub mod world;

pub use failure::Attempt;
pub use figure::figure;
pub use scenario::{in_every_order, in_every_order_with};
