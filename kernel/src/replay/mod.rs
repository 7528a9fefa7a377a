//! Replays one schedule of a race, which the simulation has found on the host, on the real machine: on one CPU, with forced
//! switches, in the same code of `mm`.
//!
//! ```text
//! .sugarbush/replay ─► Script ─► address spaces, threads ─► explore ─► figures: answers, steps
//!                                   │ mm over Forced: frames, tables and flushes of the kernel,
//!                                   └─ points and waits of the explorer, the bug of the script
//! ```
//!
//! No address space is loaded: an access walks the page tables and goes through the direct map. So there is no TLB that
//! could be stale, and no oracle but the answers and what every address space finds wrong with itself at the end.

mod act;
mod forced;
mod script;
mod trial;

use alloc::string::{String, ToString};
use core::str;

use explore::{Config, Explorer, Replayed, Rest};

use crate::memory::KernelStack;
use crate::ramdisk;
use crate::test::figure;
use forced::Forced;
use script::Script;

/// The script, if this machine was booted for one.
pub(crate) fn script() -> Option<&'static [u8]> {
    ramdisk::find(b".sugarbush/replay")
}

/// Runs a script, and tells the host tool in figures `answer THREAD ACT: ...` and, at the end, `steps N`. The trace goes to
/// the log.
///
/// # Errors
/// What is wrong, if anything is.
pub(crate) fn run(script: &'static [u8]) -> Result<(), String> {
    let script = str::from_utf8(script).map_err(|error| error.to_string()).and_then(Script::parse)?;
    let machine = Forced::new(script.bug, script.max_map_count, script.huge_pages);
    let mut explorer = Explorer::new(|| KernelStack::new().expect("memory for the stacks of threads"));
    let trial = |run: &mut explore::Run<'_, _>| trial::run(run, &script, &machine);
    // What the host's oracles have found may be no failure here; the threads then go on.
    let replayed = explorer.replay(&Config::new(0), &script.schedule, Rest::WithoutPreemption, trial);
    let Replayed { trace, fault } = replayed.map_err(|stale| stale.to_string())?;
    trace.to_string().lines().for_each(|line| log::info!("{line}"));
    figure(format_args!("steps {}", trace.steps.len()));
    fault.map_or(Ok(()), |fault| Err(fault.to_string()))
}

/// The result of a replay, or of the test that it was, in a line: of a panic, its first.
pub(crate) fn verdict(result: &Result<(), String>) -> &str {
    match result {
        Ok(()) => "passed",
        Err(wrong) => wrong.lines().next().unwrap_or("wrong"),
    }
}
