//! What runs trials: under all schedules, or under one.

use alloc::format;
use alloc::vec::Vec;
use core::mem;

use corosensei::stack::Stack;

use crate::engine::Label;
use crate::failure::{Failure, Fault, Replayed, Stale, Trace};
use crate::fiber::{MAX_THREADS, Region};
use crate::level::Choice;
use crate::run::{Decide, Record, Run, without_preemption};
use crate::schedule::Schedule;
use crate::search::Search;
use crate::unwind::{self, Ended};

/// How far an exploration goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Config {
    /// Preemptions of a schedule at most.
    pub preemptions: usize,
    /// Schedules at most.
    pub schedules: u64,
    /// Steps of a run at most; more are a livelock.
    pub steps: usize,
    /// Schedules at most that are run after the first failure, in search of a shorter one.
    pub shrink: u64,
}

impl Config {
    /// At most `preemptions` preemptions, a million schedules, 10,000 steps in each.
    pub const fn new(preemptions: usize) -> Self {
        Config { preemptions, schedules: 1_000_000, steps: 10_000, shrink: 20_000 }
    }
}

/// How much of the schedules an exploration has run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Extent {
    /// All that there are, with any number of preemptions.
    All,
    /// All with so many preemptions at most.
    Preemptions(usize),
    /// Not all: it stopped at [`Config::schedules`], or at a failure.
    Partial,
}

/// The result of an exploration.
#[derive(Clone, Debug)]
pub struct Report<L> {
    /// Schedules that were run with 0, 1, 2... preemptions.
    pub levels: Vec<u64>,
    /// Steps of all runs.
    pub steps: u64,
    /// How much was run.
    pub extent: Extent,
    /// The shortest of the failures with the fewest preemptions.
    pub failure: Option<Failure<L>>,
}

impl<L: Label> Report<L> {
    /// Schedules that were run.
    pub fn schedules(&self) -> u64 {
        self.levels.iter().sum()
    }

    /// # Panics
    /// With the failure, if there is one.
    #[track_caller]
    pub fn assert_passed(&self) {
        if let Some(failure) = &self.failure {
            panic!("a schedule fails, of {} that were run\n{failure}", self.schedules());
        }
    }
}

/// What comes after the last step of a schedule that is replayed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rest {
    /// Nothing: all threads must have ended, or the run have failed.
    None,
    /// Steps that preempt nobody, until all threads have ended.
    WithoutPreemption,
}

/// Runs trials. Keeps the stacks of their threads from run to run.
pub struct Explorer<S> {
    stacks: [S; MAX_THREADS],
}

#[cfg(feature = "host")]
impl Explorer<corosensei::stack::DefaultStack> {
    /// An explorer with stacks from the operating system.
    ///
    /// # Panics
    /// When there is no memory for them.
    pub fn on_host() -> Self {
        let stack = || corosensei::stack::DefaultStack::new(crate::STACK_BYTES).expect("memory for stacks");
        Self::new(stack)
    }
}

impl<S: Stack> Explorer<S> {
    /// An explorer with the stacks that `stack` makes, each of [`STACK_BYTES`](crate::STACK_BYTES) bytes and one to sixteen
    /// guard pages.
    pub fn new(mut stack: impl FnMut() -> S) -> Self {
        Explorer { stacks: core::array::from_fn(|_| stack()) }
    }

    /// Runs `trial` under all schedules that `config` allows, until one fails.
    ///
    /// A trial makes fresh state, calls [`Run::threads`] once, and checks the state. It does the same each time, but for
    /// the schedule. Its panic is a failure (on hosts).
    pub fn explore<L: Label>(
        &mut self,
        config: &Config,
        mut trial: impl FnMut(&mut Run<'_, L>) -> Result<(), Fault>,
    ) -> Report<L> {
        let mut search = Search::new(config);
        let extent =
            search.explore(&mut |plan, record| self.run(&mut Plan(plan), record, config.steps, &mut trial));
        let (levels, steps) = (mem::take(&mut search.levels), search.steps);
        let failure = search.into_best().map(|record| failure(record, extent != Extent::Partial));
        let extent = if failure.is_some() { Extent::Partial } else { extent };
        Report { levels, steps, extent, failure }
    }

    /// Runs `trial` under `schedule`. Of `config`, the steps count.
    ///
    /// # Errors
    /// When the schedule does not fit: a thread of it cannot run, it has too many steps, or too few and there shall be no
    /// rest.
    pub fn replay<L: Label>(
        &mut self,
        config: &Config,
        schedule: &Schedule,
        rest: Rest,
        mut trial: impl FnMut(&mut Run<'_, L>) -> Result<(), Fault>,
    ) -> Result<Replayed<L>, Stale> {
        let mut record = Record::new();
        let threads: Vec<usize> = schedule.threads().collect();
        self.run(&mut Script { threads: &threads, rest }, &mut record, config.steps, &mut trial);
        let Record { names, steps, fault } = record;
        match fault {
            Some(Fault::Stale(what)) => Err(Stale(what)),
            fault => Ok(Replayed { trace: Trace { names, steps }, fault }),
        }
    }

    fn run<L: Label>(
        &mut self,
        decide: &mut dyn Decide,
        record: &mut Record<L>,
        limit: usize,
        trial: &mut impl FnMut(&mut Run<'_, L>) -> Result<(), Fault>,
    ) {
        record.names.clear();
        record.steps.clear();
        record.fault = None;
        let stacks = self.stacks.each_mut().map(Region::of);
        let mut run = Run { stacks, decide, record, limit };
        let fault = match unwind::catch(|| trial(&mut run)) {
            Ended::Returned(result) => result.err(),
            Ended::Panicked(message) => Some(Fault::Panic { thread: None, message }),
            Ended::Cut => unreachable!("the trial runs in no thread"),
        };
        record.fault = record.fault.take().or(fault);
        if record.fault.is_none() && record.names.is_empty() {
            record.fault = Some(Fault::check("the trial has run no threads"));
        }
    }
}

/// A run that must be given up where nothing unwinds.
pub(crate) fn abandon<L: Label>(record: &Record<L>, fault: Option<Fault>) -> ! {
    let fault = fault.expect("a thread panicked and came back");
    let Record { names, steps, .. } = record.clone();
    panic!("{fault}\n{}", Trace { names, steps })
}

fn failure<L>(record: Record<L>, shortest: bool) -> Failure<L> {
    let Record { names, steps, fault } = record;
    Failure { fault: fault.expect("the record of a failure"), trace: Trace { names, steps }, shortest }
}

/// Follows a plan, then preempts nobody.
struct Plan<'p>(&'p [Choice]);

impl Decide for Plan<'_> {
    fn decide(&mut self, index: usize, before: Option<usize>, enabled: u8) -> Result<usize, Fault> {
        match self.0.get(index) {
            None => Ok(without_preemption(before, enabled)),
            Some(choice) if choice.enabled == enabled => Ok(choice.thread.into()),
            Some(choice) => Err(Fault::Unsteady(format!(
                "other threads may make step {} than in an earlier run ({enabled:#b}, {:#b} then)",
                index + 1,
                choice.enabled
            ))),
        }
    }

    fn complete(&mut self, steps: usize) -> Result<(), Fault> {
        let planned = self.0.len();
        if steps < planned {
            return Err(Fault::Unsteady(format!("over after {steps} steps, at least {planned} earlier")));
        }
        Ok(())
    }
}

/// Follows a schedule to the letter.
struct Script<'s> {
    threads: &'s [usize],
    rest: Rest,
}

impl Decide for Script<'_> {
    fn decide(&mut self, index: usize, before: Option<usize>, enabled: u8) -> Result<usize, Fault> {
        let total = self.threads.len();
        match self.threads.get(index) {
            Some(&thread) if enabled & 1 << thread != 0 => Ok(thread),
            Some(thread) => Err(Fault::Stale(format!(
                "thread {thread} waits, has ended or is missing at step {}",
                index + 1
            ))),
            None if self.rest == Rest::WithoutPreemption => Ok(without_preemption(before, enabled)),
            None => Err(Fault::Stale(format!("it ends after {total} steps, and the threads have not ended"))),
        }
    }

    fn complete(&mut self, steps: usize) -> Result<(), Fault> {
        let total = self.threads.len();
        if steps < total {
            return Err(Fault::Stale(format!("all threads end after {steps} steps of {total}")));
        }
        Ok(())
    }
}
