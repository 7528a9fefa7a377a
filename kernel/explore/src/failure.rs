//! What can go wrong in a run.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use crate::engine::Label;
use crate::schedule::Schedule;

/// Why a run failed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Fault {
    /// A thread panicked, or the trial outside of its threads. Only hosts see it.
    Panic {
        /// Name of the thread; `None` for the trial.
        thread: Option<&'static str>,
        /// What the panic said.
        message: String,
    },
    /// No thread may run and some have not ended: which waits for what.
    Deadlock(String),
    /// The run has not ended after this number of steps.
    Livelock {
        /// [`Config::steps`](crate::Config::steps).
        steps: usize,
    },
    /// A check found this.
    Check(String),
    /// The schedule asks for what the code does not do.
    Stale(String),
    /// A second run of the same schedule went another way: the trial depends on something else than the schedule.
    Unsteady(String),
}

impl Fault {
    /// What a check found.
    pub fn check(what: impl fmt::Display) -> Self {
        Fault::Check(what.to_string())
    }
}

impl From<String> for Fault {
    fn from(what: String) -> Self {
        Fault::Check(what)
    }
}

impl From<&str> for Fault {
    fn from(what: &str) -> Self {
        Fault::Check(what.to_string())
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Panic { thread: Some(thread), message } => write!(f, "panic in {thread}: {message}"),
            Fault::Panic { thread: None, message } => write!(f, "panic: {message}"),
            Fault::Deadlock(waits) => write!(f, "deadlock: {waits}"),
            Fault::Livelock { steps } => write!(f, "livelock: not over after {steps} steps"),
            Fault::Check(what) => write!(f, "check failed: {what}"),
            Fault::Stale(what) => write!(f, "the schedule does not fit: {what}"),
            Fault::Unsteady(what) => write!(f, "not deterministic: {what}"),
        }
    }
}

/// Where a step began.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Origin<L> {
    /// At the start of the thread.
    Start,
    /// At a pause.
    Pause(L),
    /// In a wait.
    Wait(L),
}

impl<L: Label> fmt::Display for Origin<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Start => f.write_str("start"),
            Origin::Pause(label) => write!(f, "{label}"),
            Origin::Wait(label) => write!(f, "wait: {label}"),
        }
    }
}

/// One step of a run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Step<L> {
    /// The thread that made it.
    pub thread: usize,
    /// The threads that could have made it, a bit for each.
    pub enabled: u8,
    /// Where that thread was.
    pub origin: Origin<L>,
}

/// Whether the step `next`, after a step of the thread `before`, switches away from a thread that could have gone on.
pub(crate) fn preempts(before: Option<usize>, thread: usize, enabled: u8) -> bool {
    before.is_some_and(|before| before != thread && enabled & 1 << before != 0)
}

/// The steps of a run. Prints as a table, each row with a line end.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Trace<L> {
    /// Names of the threads.
    pub names: Vec<&'static str>,
    /// The steps.
    pub steps: Vec<Step<L>>,
}

impl<L> Trace<L> {
    /// The schedule that they are.
    pub fn schedule(&self) -> Schedule {
        self.steps.iter().map(|step| step.thread).collect()
    }

    /// Which steps are preemptions, as indices of `steps`.
    pub fn preemptions(&self) -> impl Iterator<Item = usize> {
        self.steps.windows(2).enumerate().filter_map(|(index, pair)| {
            preempts(Some(pair[0].thread), pair[1].thread, pair[1].enabled).then_some(index + 1)
        })
    }
}

/// A run that failed. Prints as a table of its steps and the line that replays it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Failure<L> {
    /// What went wrong, after the last step.
    pub fault: Fault,
    /// The run up to the fault.
    pub trace: Trace<L>,
    /// Whether no other schedule with as few preemptions fails with fewer switches, or as many switches and fewer steps.
    pub shortest: bool,
}

/// The run of a given schedule.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Replayed<L> {
    /// The run, up to the fault if there was one.
    pub trace: Trace<L>,
    /// What went wrong, after the last step.
    pub fault: Option<Fault>,
}

/// A schedule does not fit the code.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Stale(pub String);

impl fmt::Display for Stale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the schedule does not fit: {}", self.0)
    }
}

impl core::error::Error for Stale {}
