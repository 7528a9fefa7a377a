//! Which schedules are run, in which order.

use alloc::vec::Vec;
use core::mem;

use crate::engine::Label;
use crate::explorer::{Config, Extent};
use crate::failure::{Fault, Step};
use crate::level::{self, Choice, Level};
use crate::run::Record;

/// The order of failures with as many preemptions: switches, then steps.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Length {
    switches: usize,
    steps: usize,
}

impl Length {
    fn of(threads: impl Iterator<Item = usize> + Clone) -> Self {
        let switches = threads.clone().zip(threads.clone().skip(1)).filter(|(a, b)| a != b).count();
        Length { switches, steps: threads.count() }
    }
}

/// Makes a run that begins with the given choices.
pub(crate) type Runner<'r, L> = dyn FnMut(&[Choice], &mut Record<L>) + 'r;

/// An exploration in progress.
pub(crate) struct Search<'c, L> {
    config: &'c Config,
    /// What the next run must do first.
    plan: Vec<Choice>,
    /// The last run.
    record: Record<L>,
    /// Schedules run with 0, 1, 2... preemptions.
    pub(crate) levels: Vec<u64>,
    /// Steps of all runs.
    pub(crate) steps: u64,
    /// The best failure.
    best: Option<(Length, Record<L>)>,
    /// Schedules that may still be run.
    budget: u64,
}

/// The budget is used up.
struct Exhausted;

impl<'c, L: Label> Search<'c, L> {
    pub(crate) fn new(config: &'c Config) -> Self {
        Search {
            config,
            plan: Vec::new(),
            record: Record::new(),
            levels: Vec::new(),
            steps: 0,
            best: None,
            budget: config.schedules,
        }
    }

    /// The failure, if there is one.
    pub(crate) fn into_best(self) -> Option<Record<L>> {
        self.best.map(|best| best.1)
    }

    /// Runs level after level, the last one that with the first failure. Returns how much was run.
    pub(crate) fn explore(&mut self, run: &mut Runner<'_, L>) -> Extent {
        let (mut level, mut next) = (Level::new(), Level::new());
        for preemptions in 0..=self.config.preemptions {
            self.levels.push(0);
            next.clear();
            let mut open = false;
            let keep = preemptions < self.config.preemptions;
            let mut store = |steps: &[Step<L>], own| {
                if keep { next.push(steps, own) } else { open |= level::can_be_preempted(steps, own) }
            };
            let result = if preemptions == 0 {
                self.plan.clear();
                self.subtree(run, &mut store)
            } else {
                level.preemptions().try_for_each(|preemption| {
                    preemption.write_to(&mut self.plan);
                    self.subtree(run, &mut store)
                })
            };
            match result {
                Err(Exhausted) => return Extent::Partial,
                Ok(()) if self.best.is_some() => return Extent::Preemptions(preemptions),
                Ok(()) if !open && next.is_empty() => return Extent::All,
                Ok(()) => mem::swap(&mut level, &mut next),
            }
        }
        Extent::Preemptions(self.config.preemptions)
    }

    /// Runs all schedules that begin with the plan and preempt nobody after it; `store` gets their steps, and which of
    /// these are in no schedule before.
    fn subtree(
        &mut self,
        run: &mut Runner<'_, L>,
        store: &mut dyn FnMut(&[Step<L>], usize),
    ) -> Result<(), Exhausted> {
        let floor = self.plan.len();
        if !self.can_improve() {
            return Ok(());
        }
        loop {
            self.budget = self.budget.checked_sub(1).ok_or(Exhausted)?;
            run(&self.plan, &mut self.record);
            *self.levels.last_mut().expect("a level is being run") += 1;
            self.steps += self.record.steps.len() as u64;
            if self.record.fault.is_some() {
                self.failed();
            } else if self.best.is_none() {
                store(&self.record.steps, self.plan.len());
            }
            // A plan that cannot lead to a shorter failure is skipped; a shorter plan may.
            let mut end = self.record.steps.len();
            loop {
                if !level::advance(&mut self.plan, &self.record.steps[..end], floor) {
                    return Ok(());
                }
                if self.can_improve() {
                    break;
                }
                end = self.plan.len() - 1;
            }
        }
    }

    /// Whether a run of the plan can be a shorter failure than the best one.
    fn can_improve(&self) -> bool {
        let planned = || Length::of(self.plan.iter().map(|choice| usize::from(choice.thread)));
        self.best.as_ref().is_none_or(|(best, _)| planned() < *best)
    }

    /// Keeps the run that has just failed if it is the best one.
    fn failed(&mut self) {
        let length = Length::of(self.record.steps.iter().map(|step| step.thread));
        match &self.best {
            Some((best, _)) if length >= *best => return,
            Some(_) => {}
            // No other schedule says more.
            None if matches!(self.record.fault, Some(Fault::Unsteady(_))) => self.budget = 0,
            None => self.budget = self.budget.min(self.config.shrink),
        }
        self.best = Some((length, self.record.clone()));
    }
}
