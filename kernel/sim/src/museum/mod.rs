//! The museum: each historical bug is put back, and the checkers of this crate are let loose on it.

mod exhibits;

use std::fmt;

use explore::{Config, Explorer, Stack};
use mm::space::MunmapOrder;

pub use exhibits::{EXHIBITS, Exhibit};

use crate::machine::Bug;
use crate::quiet::quietly;
use crate::race::Race;
use crate::setup::Setup;
use crate::soak::Numbered;
use crate::sweep::sweep_all;

/// How a bug was caught.
#[derive(Clone, Debug)]
pub struct Caught {
    /// By what.
    pub by: Finder,
    /// Order of munmap in which it was.
    pub order: MunmapOrder,
    /// What was found, in full.
    pub report: String,
}

/// What catches bugs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Finder {
    /// A random program disagreed with the model.
    Program {
        /// Its operations.
        operations: usize,
    },
    /// A refused step left something behind, or was not reported.
    Sweep,
    /// A schedule of a race failed.
    Schedule {
        /// Name of the scenario.
        scenario: &'static str,
        /// Its steps up to the failure.
        steps: usize,
        /// Switches away from a thread that could have gone on.
        preemptions: usize,
    },
}

impl fmt::Display for Finder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Finder::Program { operations } => write!(f, "model, program of {operations} operations"),
            Finder::Sweep => f.write_str("failure sweep"),
            Finder::Schedule { scenario, .. } => write!(f, "race {scenario}"),
        }
    }
}

/// Lets all checkers look for something wrong, with `bug` put back; the quick ones first. The first find, if any.
pub fn visit<S: Stack>(explorer: &mut Explorer<S>, bug: Option<Bug>) -> Option<Caught> {
    by_races(explorer, bug, 1)
        .or_else(|| by_programs(bug))
        .or_else(|| by_sweep(bug))
        .or_else(|| by_races(explorer, bug, 3))
}

/// Random programs at most, of all kinds in turn.
const PROGRAMS: u64 = 480;
/// Schedules of a race, at most.
const SCHEDULES: u64 = 6_000;

fn by_programs(bug: Option<Bug>) -> Option<Caught> {
    (0..PROGRAMS).find_map(|number| {
        let found = Numbered(number).run(bug).err()?;
        let (order, by) =
            (found.program.setup.order, Finder::Program { operations: found.program.ops.len() });
        Some(Caught { by, order, report: format!("{:?}\n{}", found.program, found.failure) })
    })
}

fn by_sweep(bug: Option<Bug>) -> Option<Caught> {
    MunmapOrder::ALL.into_iter().find_map(|order| {
        let report = sweep_all(Setup::new(order).bug(bug)).err()?;
        Some(Caught { by: Finder::Sweep, order, report })
    })
}

fn by_races<S: Stack>(explorer: &mut Explorer<S>, bug: Option<Bug>, preemptions: usize) -> Option<Caught> {
    let config = Config { schedules: SCHEDULES, ..Config::new(preemptions) };
    Race::all().into_iter().map(|race| Race { bug, ..race }).find_map(|race| {
        let mut failure = None;
        quietly(|| failure = race.explore(explorer, &config).failure).expect("failures are values");
        // What goes wrong before the threads start is no race.
        let failure = failure.filter(|failure| !failure.trace.steps.is_empty())?;
        let by = Finder::Schedule {
            scenario: race.scenario.name,
            steps: failure.trace.steps.len(),
            preemptions: failure.trace.preemptions().count(),
        };
        Some(Caught { by, order: race.order, report: race.report(&failure) })
    })
}
