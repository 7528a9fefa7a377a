//! What threads did, and whether it could have been done one thing after another.
//!
//! Every act has an interval in time. A history is right if the acts can be put into an order in which the model gives the
//! same answers and ends in the same state, and that keeps the order of acts that did not overlap. Two accesses to
//! different pages may change places: an unmap takes its pages away one after another, so one that overlaps
//! with both may be seen by the first access and not by the second.

use crate::model::System;
use crate::race::scenario::Act;
use crate::world::Answer;

/// An act that is over.
#[derive(Clone, Copy, Debug)]
pub(super) struct Done {
    pub(super) thread: usize,
    /// Which act of the thread, from 0.
    pub(super) index: usize,
    pub(super) process: usize,
    pub(super) act: Act,
    pub(super) answer: Answer,
    /// Moments in time, all different.
    pub(super) begin: u64,
    pub(super) end: u64,
    /// What it stored, if it was a store.
    pub(super) value: u64,
}

impl Done {
    fn must_precede(&self, other: &Done) -> bool {
        self.end < other.begin && !self.is_independent_of(other)
    }

    fn is_independent_of(&self, other: &Done) -> bool {
        match (self.act.page(), other.act.page()) {
            (Some(mine), Some(others)) => mine != others,
            _ => false,
        }
    }
}

/// The model of all processes after `history`, in an order that explains it and for whose end `fits` holds.
pub(super) fn explain(
    system: &System,
    history: &[Done],
    fits: &mut dyn FnMut(&System) -> bool,
) -> Option<System> {
    search(system.clone(), history, 0, fits)
}

fn search(
    system: System,
    history: &[Done],
    done: u32,
    fits: &mut dyn FnMut(&System) -> bool,
) -> Option<System> {
    if done == (1 << history.len()) - 1 {
        return fits(&system).then_some(system);
    }
    let pending = |index: usize| done & 1 << index == 0;
    for (index, next) in history.iter().enumerate().filter(|(index, _)| pending(*index)) {
        let early = |(other, act): (usize, &Done)| pending(other) && act.must_precede(next);
        if history.iter().enumerate().any(early) {
            continue;
        }
        let mut after = system.clone();
        if next.act.predict(&mut after, next.process, next.value) == next.answer {
            let found = search(after, history, done | 1 << index, fits);
            if found.is_some() {
                return found;
            }
        }
    }
    None
}
