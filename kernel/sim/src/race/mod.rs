//! Races: a few threads, each with a few acts, under every schedule up to a bound on preemptions.
//!
//! ```text
//!  scenario ──► machine, address spaces ──► threads, switched at the points that mm names ──► history
//!                    │ oracles after every step                                                  │
//!                    └─► state at the end ──────── is there an order of the acts that explains ◄─┘ both?
//! ```
//!
//! The code that runs is the kernel's. What is found wrong:
//! - by the machine, after any step: a TLB that knows a frame that was freed, a frame used by two, a free one written to;
//! - a thread that panics (every assertion of mm is on), a deadlock, a livelock;
//! - a history that no order of the acts explains ([`history`]): an access that succeeds after munmap has returned, a
//!   page that was mapped throughout and was not found, a lost store, a wrong error;
//! - a state at the end that is not the model's: areas, sums, contents, entries where nothing is mapped, leaks.

mod history;
mod scenario;
mod scenarios;
pub mod window;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::mem::ManuallyDrop;

use explore::{Config, Explorer, Fault, Report, Run, Schedule, Stack};
use mm::platform::Cpu;
use mm::space::{AddressSpace, MunmapOrder};

pub use scenario::{Act, Scenario, Thread};
pub use scenarios::scenarios;

use crate::check::{area_of, seen_of};
use crate::machine::{Bug, Label, Machine};
use crate::model::{Area, Model, runs};
use crate::op::PAGE;
use crate::world::check_end;
use history::{Done, explain};

/// A scenario in an order of munmap, perhaps with a bug put back.
#[derive(Clone, Debug)]
pub struct Race {
    /// What happens.
    pub scenario: Scenario,
    /// Order of the munmap steps.
    pub order: MunmapOrder,
    /// The bug.
    pub bug: Option<Bug>,
}

const NAMES: [&str; 4] = ["thread 0", "thread 1", "thread 2", "thread 3"];

impl Race {
    /// All races without a bug: every scenario, in every order where that makes a difference.
    pub fn all() -> Vec<Race> {
        let in_orders = |scenario: Scenario| {
            let orders = if scenario.unmaps() { &MunmapOrder::ALL[..] } else { &[MunmapOrder::Reordered] };
            orders.iter().map(move |order| Race { scenario: scenario.clone(), order: *order, bug: None })
        };
        scenarios().into_iter().flat_map(in_orders).collect()
    }

    /// Runs all schedules that `config` allows, until one fails.
    pub fn explore<S: Stack>(&self, explorer: &mut Explorer<S>, config: &Config) -> Report<Label> {
        self.explore_watching(explorer, config, |_| {})
    }

    /// As [`explore`](Self::explore); `watch` sees the machine after every run that has not failed.
    pub(crate) fn explore_watching<S: Stack>(
        &self,
        explorer: &mut Explorer<S>,
        config: &Config,
        mut watch: impl FnMut(&Machine),
    ) -> Report<Label> {
        explorer.explore(config, |run| self.run(run, &mut watch))
    }

    /// Runs one schedule. The result is the failure, if it fails.
    ///
    /// # Errors
    /// A line that says why the schedule does not fit.
    pub fn replay<S: Stack>(
        &self,
        explorer: &mut Explorer<S>,
        schedule: &Schedule,
    ) -> Result<Option<String>, String> {
        let failure = explorer.replay(&Config::new(0), schedule, |run| self.run(run, &mut |_| {}));
        failure.map(|failure| failure.map(|failure| failure.to_string())).map_err(|stale| stale.to_string())
    }

    /// One run: the trial of the explorer.
    fn run(&self, run: &mut Run<'_, Label>, watch: &mut dyn FnMut(&Machine)) -> Result<(), Fault> {
        let machine = Machine::with_bug(self.scenario.setup.frames, self.bug);
        machine.set_max_map_count(self.scenario.setup.settings.max_map_count);
        let free = machine.free_frames();
        let processes = Processes::new(&machine, &self.scenario, self.order);
        let (history, clock) = (RefCell::new(Vec::new()), Cell::new(0));
        let body = |number: usize| {
            let Thread { process, acts } = &self.scenario.threads[number];
            let (cpu, space) = (Cpu(number as u32), &processes.spaces[*process]);
            let (machine, history, clock) = (&machine, &history, &clock);
            move || {
                for (index, act) in acts.iter().enumerate() {
                    let value = 0x1000 * (number as u64 + 1) + index as u64;
                    let begin = clock.replace(clock.get() + 1);
                    let answer = act.perform(space, machine, cpu, value);
                    let end = clock.replace(clock.get() + 1);
                    let done = Done { process: *process, act: *act, answer, begin, end, value };
                    history.borrow_mut().push(done);
                }
            }
        };
        let mut bodies: Vec<_> = (0..self.scenario.threads.len()).map(body).collect();
        let mut threads: Vec<explore::Thread<'_>> =
            NAMES.into_iter().zip(&mut bodies).map(|(name, body)| (name, body as &mut dyn FnMut())).collect();
        run.threads_watched(machine.engine(), &mut threads, || machine.first_violation())?;
        drop(threads);
        drop(bodies);
        processes.check(&history.into_inner()).map_err(Fault::check)?;
        processes.end();
        check_end(&machine, free);
        watch(&machine);
        Ok(())
    }
}

/// The processes of a run. They are taken apart only if nothing is broken.
struct Processes<'m> {
    machine: &'m Machine,
    spaces: Vec<ManuallyDrop<AddressSpace<'m, Machine>>>,
    models: Vec<Model>,
}

impl<'m> Processes<'m> {
    /// As they are before the threads run; each CPU has loaded its thread's.
    fn new(machine: &'m Machine, scenario: &Scenario, order: MunmapOrder) -> Self {
        let mut processes = Processes { machine, spaces: Vec::new(), models: Vec::new() };
        for (process, before) in scenario.before.iter().enumerate() {
            let setup = crate::setup::Setup { order, ..scenario.setup };
            let space = AddressSpace::new(machine, setup.config()).expect("memory for a root table");
            space.set_brk_start(setup.brk_start);
            let mut model = Model::new(setup.settings);
            model.set_brk_start(setup.brk_start);
            let cpu = scenario.threads.iter().position(|thread| thread.process == process).unwrap_or(0);
            let cpu = Cpu(cpu as u32);
            machine.run_on(cpu);
            machine.load(cpu, &space);
            for op in before {
                let act = Act::Do(*op);
                let answer = act.perform(&space, machine, cpu, VALUE_BEFORE);
                assert_eq!(answer, act.predict(&mut model, VALUE_BEFORE), "{op} before the race");
            }
            processes.spaces.push(ManuallyDrop::new(space));
            processes.models.push(model);
        }
        for (cpu, thread) in scenario.threads.iter().enumerate() {
            machine.load(Cpu(cpu as u32), &processes.spaces[thread.process]);
        }
        processes
    }

    /// Checks the state at the end, and whether `history` explains it.
    fn check(&self, history: &[Done]) -> Result<(), String> {
        for space in &self.spaces {
            space.check().map_err(|error| error.to_string())?;
        }
        let ends: Vec<End> = self.spaces.iter().map(|space| End::of(space, self.machine)).collect();
        let mut fits = |models: &[Model]| models.iter().zip(&ends).all(|(model, end)| end.fits(model));
        let Some(models) = explain(&self.models, history, &mut fits) else {
            return Err(unexplained(history, &ends));
        };
        let seen: Vec<_> =
            self.spaces.iter().zip(&models).map(|(space, model)| seen_of(space, model)).collect();
        self.machine.inspect(&seen);
        self.machine.first_violation()
    }

    /// Takes them apart.
    fn end(mut self) {
        for cpu in 0..crate::machine::CPUS {
            self.machine.load_root(Cpu(cpu), None);
        }
        for space in self.spaces.drain(..) {
            drop(ManuallyDrop::into_inner(space));
        }
    }
}

/// What was stored before the race.
const VALUE_BEFORE: u64 = 0xbef0;

/// An address space at the end.
struct End {
    /// Its areas, without regard to where VMAs end.
    areas: Vec<Area>,
    /// The first word of every page that is there.
    words: BTreeMap<u64, u64>,
}

impl End {
    fn of(space: &AddressSpace<'_, Machine>, machine: &Machine) -> Self {
        let mut areas = Vec::new();
        space.for_each_vma(|view| areas.push(area_of(&view.vma)));
        End { areas: runs(areas.into_iter()), words: machine.first_words(space.root()) }
    }

    /// Whether a program finds the same as in `model`.
    fn fits(&self, model: &Model) -> bool {
        let expected = model.runs();
        let same = |(expected, area): (&Area, &Area)| expected.is_like(area) && self.same_words(model, area);
        expected.len() == self.areas.len() && expected.iter().zip(&self.areas).all(same)
    }

    fn same_words(&self, model: &Model, area: &Area) -> bool {
        let word = |page| self.words.get(&page).copied().unwrap_or(0);
        (area.start..area.end).all(|page| model.peek(page * PAGE) == Some(word(page)))
    }
}

fn unexplained(history: &[Done], ends: &[End]) -> String {
    let mut text = String::from("no order of the acts explains their answers and the end:");
    for done in history {
        let Done { process, act, answer, begin, end, value } = *done;
        let stored = if act.is_store() { format!(" of {value:#x}") } else { String::new() };
        let _ = write!(text, "\n  process {process}: {act:?}{stored}, moments {begin} to {end}: {answer:x?}");
    }
    for (process, End { areas, words }) in ends.iter().enumerate() {
        let _ = write!(text, "\n  process {process} at the end:");
        for area in areas {
            let _ = write!(text, "\n    {area}; words:");
            for page in area.start..area.end {
                let _ = match words.get(&page) {
                    Some(word) => write!(text, " {word:x}"),
                    None => write!(text, " -"),
                };
            }
        }
    }
    text
}
