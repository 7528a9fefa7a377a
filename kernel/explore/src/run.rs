//! One schedule.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::array;
use core::fmt::Display;

use crate::engine::{Engine, Label};
use crate::failure::{Fault, Origin, Step};
use crate::fiber::{Fiber, MAX_THREADS, Order, Region, Stop, Turn};
use crate::unwind::{self, Ended};

/// A thread of a run: its name, and what it does, once.
pub type Thread<'t> = (&'static str, &'t mut (dyn FnMut() + 't));

/// Which thread makes the next step.
pub(crate) trait Decide {
    /// One of `enabled` (a bit for each thread, at least one) for step number `index`, after a step of `before`.
    fn decide(&mut self, index: usize, before: Option<usize>, enabled: u8) -> Result<usize, Fault>;

    /// Asked after step number `steps - 1`, when all threads have ended.
    fn complete(&mut self, steps: usize) -> Result<(), Fault>;
}

/// The choice that preempts nobody: goes on with the same thread, or the first that may run.
pub(crate) fn without_preemption(before: Option<usize>, enabled: u8) -> usize {
    match before {
        Some(before) if enabled & 1 << before != 0 => before,
        _ => enabled.trailing_zeros() as usize,
    }
}

/// What is known of a run. Reused by the next one.
#[derive(Clone)]
pub(crate) struct Record<L> {
    pub(crate) names: Vec<&'static str>,
    pub(crate) steps: Vec<Step<L>>,
    /// The first fault.
    pub(crate) fault: Option<Fault>,
}

impl<L> Record<L> {
    pub(crate) const fn new() -> Self {
        Record { names: Vec::new(), steps: Vec::new(), fault: None }
    }
}

/// A run of a trial: the trial sets up its state, lets [`Run::threads`] run, and checks what has become of the state.
pub struct Run<'r, L> {
    pub(crate) stacks: [Region<'r>; MAX_THREADS],
    pub(crate) decide: &'r mut dyn Decide,
    pub(crate) record: &'r mut Record<L>,
    /// Steps at most.
    pub(crate) limit: usize,
}

impl<L: Label> Run<'_, L> {
    /// Runs two to four threads to their end, under one schedule.
    ///
    /// # Errors
    /// When the run failed. The trial returns the fault, which the explorer has noted already.
    ///
    /// # Panics
    /// If it has been called before, or the number of threads is wrong. Without the feature `host` nobody can unwind threads
    /// that have not ended when a run fails: they go on to their ends, and when they cannot, it panics.
    pub fn threads(&mut self, engine: &Engine<L>, threads: &mut [Thread<'_>]) -> Result<(), Fault> {
        self.threads_watched(engine, threads, || Ok::<(), String>(()))
    }

    /// [`Run::threads`], and after each step calls `oracle`, whose error (or panic, on a host) ends the run.
    ///
    /// # Errors
    /// As [`Run::threads`].
    ///
    /// # Panics
    /// As [`Run::threads`].
    pub fn threads_watched<E: Display>(
        &mut self,
        engine: &Engine<L>,
        threads: &mut [Thread<'_>],
        mut oracle: impl FnMut() -> Result<(), E>,
    ) -> Result<(), Fault> {
        assert!(self.record.names.is_empty(), "a trial has one run");
        assert!((2..=MAX_THREADS).contains(&threads.len()), "a run has 2 to {MAX_THREADS} threads");
        self.record.names.extend(threads.iter().map(|thread| thread.0));
        let _claim = engine.claim();

        let mut bodies = threads.iter_mut();
        let mut stacks = self.stacks.each_mut().into_iter();
        let fibers: [Option<Fiber<'_, L>>; MAX_THREADS] = array::from_fn(|thread| {
            let body = &mut *bodies.next()?.1;
            Some(Fiber::new(stacks.next()?.reborrow(), &engine.slot, thread, body))
        });
        let mut threads = Threads { fibers, origins: [Origin::Start; MAX_THREADS], asleep: 0 };
        let mut watch = || match unwind::catch(&mut oracle) {
            Ended::Returned(result) => result.map_err(Fault::check),
            Ended::Panicked(message) => Err(Fault::Panic { thread: None, message }),
            Ended::Cut => unreachable!("the oracle runs in no thread"),
        };
        let result = threads.run(self.decide, self.record, self.limit, &mut watch);
        let result = result.map_err(|stop| threads.end(stop, self.record, self.limit));
        if let Err(fault) = &result {
            self.record.fault = Some(fault.clone());
        }
        result
    }
}

/// Why no further step is made.
enum Over {
    Fault(Fault),
    /// This thread panicked, and waits for another in a drop.
    Stuck(usize),
}

impl From<Fault> for Over {
    fn from(fault: Fault) -> Self {
        Over::Fault(fault)
    }
}

struct Threads<'a, L> {
    /// Those that have not ended.
    fibers: [Option<Fiber<'a, L>>; MAX_THREADS],
    /// Where each will go on.
    origins: [Origin<L>; MAX_THREADS],
    /// Those that wait and saw no progress since, a bit for each.
    asleep: u8,
}

impl<L: Label> Threads<'_, L> {
    fn run(
        &mut self,
        decide: &mut dyn Decide,
        record: &mut Record<L>,
        limit: usize,
        watch: &mut dyn FnMut() -> Result<(), Fault>,
    ) -> Result<(), Over> {
        let mut before = None;
        loop {
            let index = record.steps.len();
            let alive = self.alive();
            let enabled = alive & !self.asleep;
            if alive == 0 {
                return Ok(decide.complete(index)?);
            }
            if enabled == 0 {
                return Err(self.deadlock(record).into());
            }
            if index == limit {
                return Err(Fault::Livelock { steps: limit }.into());
            }
            let thread = decide.decide(index, before, enabled)?;
            debug_assert!(enabled & 1 << thread != 0, "thread {thread} cannot run");
            record.steps.push(Step { thread, enabled, origin: self.origins[thread] });
            self.step(thread, record)?;
            watch()?;
            before = Some(thread);
        }
    }

    /// Lets `thread`, which has not ended, make a step.
    fn step(&mut self, thread: usize, record: &Record<L>) -> Result<(), Over> {
        let fiber = self.fibers[thread].as_mut().expect("a thread that has ended is not enabled");
        match fiber.resume(Order::Go) {
            Turn::Stopped(Stop::Pause(label)) => {
                self.origins[thread] = Origin::Pause(label);
                self.asleep = 0;
            }
            Turn::Stopped(Stop::Wait(label, round)) => {
                self.origins[thread] = Origin::Wait(label);
                // A later round is no progress, so it wakes nobody.
                if round == 0 {
                    self.asleep = 0;
                }
                self.asleep |= 1 << thread;
            }
            Turn::Stopped(Stop::Stuck) => return Err(Over::Stuck(thread)),
            Turn::Ended(ended) => {
                self.fibers[thread] = None;
                self.asleep = 0;
                if let Some(fault) = panicked(ended, record.names[thread]) {
                    return Err(fault.into());
                }
            }
        }
        Ok(())
    }

    /// Those that have not ended, a bit for each.
    fn alive(&self) -> u8 {
        self.fibers
            .iter()
            .enumerate()
            .fold(0, |bits, (thread, fiber)| bits | u8::from(fiber.is_some()) << thread)
    }

    fn deadlock(&self, record: &Record<L>) -> Fault {
        let waits = record.names.iter().enumerate().filter(|(thread, _)| self.fibers[*thread].is_some());
        let waits: Vec<String> = waits
            .map(|(thread, name)| match self.origins[thread] {
                Origin::Wait(label) => format!("{name} waits for {label}"),
                origin => format!("{name} is at {origin}"),
            })
            .collect();
        Fault::Deadlock(waits.join(", "))
    }

    /// Lets all threads that have not ended go on without preemption, so many steps at most in all. Whether they end.
    fn go_on(&mut self, record: &Record<L>, limit: usize) -> bool {
        let mut before = record.steps.last().map(|step| step.thread);
        for _ in 0..limit {
            let enabled = self.alive() & !self.asleep;
            if enabled == 0 {
                break;
            }
            let thread = without_preemption(before, enabled);
            if self.step(thread, record).is_err() {
                break;
            }
            before = Some(thread);
        }
        self.alive() == 0
    }

    /// Ends all threads after a failure, and returns the fault.
    fn end(&mut self, over: Over, record: &Record<L>, limit: usize) -> Fault {
        let (mut fault, stuck) = match over {
            Over::Fault(fault) => (Some(fault), None),
            Over::Stuck(thread) => (None, Some(thread)),
        };
        let suspended = |fiber: &Option<Fiber<'_, L>>| fiber.as_ref().is_some_and(Fiber::is_suspended);
        if cfg!(not(feature = "host")) && self.fibers.iter().any(suspended) && !self.go_on(record, limit) {
            crate::explorer::abandon(record, fault);
        }
        let mut order = Order::End;
        while self.fibers.iter().any(suspended) {
            let mut ended_one = false;
            for thread in 0..record.names.len() {
                let Some(fiber) = self.fibers[thread].as_mut().filter(|fiber| fiber.is_suspended()) else {
                    continue;
                };
                if let Turn::Ended(ended) = fiber.resume(order) {
                    self.fibers[thread] = None;
                    ended_one = true;
                    let panic = panicked(ended, record.names[thread]);
                    // Of a thread that was being unwound only because of the fault, a panic is no news.
                    fault = fault.or(panic.filter(|_| stuck == Some(thread)));
                }
            }
            if !ended_one {
                order = Order::Hopeless;
            }
        }
        fault.unwrap_or_else(|| Fault::Panic {
            thread: stuck.map(|thread| record.names[thread]),
            message: "its drops never ended".to_string(),
        })
    }
}

fn panicked(ended: Ended<()>, thread: &'static str) -> Option<Fault> {
    match ended {
        Ended::Panicked(message) => Some(Fault::Panic { thread: Some(thread), message }),
        Ended::Returned(()) | Ended::Cut => None,
    }
}
