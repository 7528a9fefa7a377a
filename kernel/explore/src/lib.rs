//! Runs a concurrent program under every schedule up to a bound on preemptions, in the manner of CHESS.
//!
//! ```text
//! Explorer ──► Run::threads ──► Fiber 0 ─┐ body ─► code under test ─► Engine::pause, Engine::wait
//!   which schedule next  one schedule    Fiber 1 ─┘    back to the scheduler ◄──────┘
//! ```
//!
//! - A thread is a coroutine on its own stack. One runs at a time, until the code under test calls [`Engine::pause`]
//!   ("another thread may run here"), calls [`Engine::wait`] ("I cannot go on until another thread has done something") or
//!   ends. What it does in between is a step, and is atomic. So the order of steps is all that can differ between two runs.
//! - To switch away from a thread that could have gone on is a preemption; all other switches are free. The explorer runs
//!   all schedules with no preemption, then all with one, and so on, each schedule once: one with k preemptions is one with
//!   k - 1, up to some step, and there a preemption. So the first failure has the fewest preemptions, and the explorer then
//!   looks for the shortest of these.
//! - A thread that waits may run again once another has made progress. A second round of a wait loop is no progress. When
//!   no thread may run and some have not ended, that is a deadlock; too many steps are a livelock.
//! - The program must be deterministic but for its schedule. It is noticed when it is not.
//!
//! ```
//! # #[cfg(feature = "host")] {
//! use explore::{Config, Engine, Explorer};
//!
//! let engine = Engine::new(); // The code under test holds a reference.
//! let report = Explorer::on_host().explore(&Config::new(2), |run| {
//!     let counter = std::cell::Cell::new(0); // Fresh state for each schedule.
//!     let add_one = || {
//!         let value = counter.get();
//!         engine.pause("write back");
//!         counter.set(value + 1);
//!     };
//!     run.threads(&engine, &mut [("first", &mut || add_one()), ("second", &mut || add_one())])?;
//!     if counter.get() == 2 { Ok(()) } else { Err("an update is lost".into()) }
//! });
//! let failure = report.failure.expect("a failing schedule");
//! assert_eq!(failure.trace.schedule().to_string(), "0 1:2 0");
//! println!("{failure}"); // A table of the steps, and the line that replays them.
//! # }
//! ```
//!
//! Where to read: `engine` (what code under test calls), `run` (one schedule), `explorer`, `search` (which schedules),
//! `level` (the schedules of one number of preemptions), `schedule` (their text), `failure` (the report), `fiber` (all
//! unsafe code).

#![no_std]

extern crate alloc;
#[cfg(feature = "host")]
extern crate std;

mod engine;
mod explorer;
mod failure;
mod fiber;
mod level;
mod render;
mod run;
mod schedule;
mod search;
mod unwind;

pub use corosensei::stack::Stack;
pub use engine::{Engine, Label, WaitsForever};
pub use explorer::{Config, Explorer, Extent, Report, Rest};
pub use failure::{Failure, Fault, Origin, Replayed, Stale, Step, Trace};
pub use fiber::{MAX_THREADS, STACK_BYTES};
pub use run::{Run, Thread};
pub use schedule::{ParseError, Schedule};
