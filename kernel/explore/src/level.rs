//! The schedules of one number of preemptions, from which those of the next number are made.

use alloc::vec::Vec;
use core::ops::Range;

use crate::failure::Step;

/// Who made a step, and who could have (a bit for each thread).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Choice {
    pub(crate) thread: u8,
    pub(crate) enabled: u8,
}

impl Choice {
    pub(crate) fn of<L>(step: &Step<L>) -> Self {
        Choice { thread: step.thread as u8, enabled: step.enabled }
    }

    /// Those that would have been a preemption at this step, which goes on with the thread of the step `before`.
    fn preemptions(self, before: Choice) -> u8 {
        if self.enabled & 1 << before.thread == 0 { 0 } else { self.enabled & !(1 << before.thread) }
    }
}

/// Schedules of equal numbers of preemptions.
pub(crate) struct Level {
    /// All of them, one after the other.
    choices: Vec<Choice>,
    /// Where each is, and where its own steps begin: those before are in an earlier schedule of this level also, or are
    /// not after the last preemption.
    runs: Vec<(Range<usize>, usize)>,
}

impl Level {
    pub(crate) const fn new() -> Self {
        Level { choices: Vec::new(), runs: Vec::new() }
    }

    pub(crate) fn clear(&mut self) {
        self.choices.clear();
        self.runs.clear();
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// Adds a run whose steps from `own` on are its own, if these can be preempted.
    pub(crate) fn push<L>(&mut self, steps: &[Step<L>], own: usize) {
        if can_be_preempted(steps, own) {
            let start = self.choices.len();
            self.choices.extend(steps.iter().map(Choice::of));
            self.runs.push((start..self.choices.len(), own));
        }
    }

    /// All beginnings of schedules with one preemption more, each up to this preemption: a run, the step, the thread.
    pub(crate) fn preemptions(&self) -> impl Iterator<Item = Preemption<'_>> {
        self.runs.iter().flat_map(move |(range, own)| {
            let run = &self.choices[range.clone()];
            (1.max(*own)..run.len()).flat_map(move |index| {
                let others = run[index].preemptions(run[index - 1]);
                let others = (0..u8::BITS as u8).filter(move |thread| others & 1 << thread != 0);
                others.map(move |thread| Preemption {
                    before: &run[..index],
                    thread,
                    enabled: run[index].enabled,
                })
            })
        })
    }
}

/// The beginning of a schedule that ends with a preemption.
#[derive(Clone, Copy)]
pub(crate) struct Preemption<'l> {
    before: &'l [Choice],
    thread: u8,
    enabled: u8,
}

impl Preemption<'_> {
    /// Writes it down as a plan.
    pub(crate) fn write_to(self, plan: &mut Vec<Choice>) {
        plan.clear();
        plan.extend_from_slice(self.before);
        plan.push(Choice { thread: self.thread, enabled: self.enabled });
    }
}

/// Whether a step from `own` on could have been a preemption.
pub(crate) fn can_be_preempted<L>(steps: &[Step<L>], own: usize) -> bool {
    (1.max(own)..steps.len())
        .any(|index| Choice::of(&steps[index]).preemptions(Choice::of(&steps[index - 1])) != 0)
}

/// Turns the steps of a run, whose first `floor` are fixed, into the plan of the next run that differs in a choice that
/// preempts nobody: the last such choice that has another thread to try. Returns false when there is none.
pub(crate) fn advance<L>(plan: &mut Vec<Choice>, steps: &[Step<L>], floor: usize) -> bool {
    for index in (floor..steps.len()).rev() {
        let choice = Choice::of(&steps[index]);
        let free = index == 0 || choice.enabled & 1 << steps[index - 1].thread == 0;
        let later = choice.enabled >> choice.thread >> 1;
        if free && later != 0 {
            plan.clear();
            plan.extend(steps[..index].iter().map(Choice::of));
            let thread = choice.thread + 1 + later.trailing_zeros() as u8;
            plan.push(Choice { thread, enabled: choice.enabled });
            return true;
        }
    }
    false
}
