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
mod huge;
mod replay;
mod scenario;
mod scenarios;
mod script;
mod userfaults;
pub mod window;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::mem::ManuallyDrop;

use explore::{Config, Explorer, Failure, Fault, Report, Rest, Run, Stack};
use mm::platform::Cpu;
use mm::space::{AddressSpace, MunmapOrder};
use mm::vma::Backing;

pub use replay::{Outcome, ParseError, Replay};
pub use scenario::{Act, Scenario, Thread};
pub use scenarios::scenarios;

use crate::check::{area_of, seen_of};
use crate::machine::{Bug, Label, Machine};
use crate::model::{Area, System, runs};
use crate::op::PAGE;
use crate::setup::Setup;
use crate::world::{Answer, check_end};
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
        let history = RefCell::new(Vec::new());
        explorer.explore(config, |run| self.run(run, &history, &mut watch))
    }

    /// A failure of this race as text; its last line is the line that replays it.
    pub fn report(&self, failure: &Failure<Label>) -> String {
        let (race, schedule) = (self.clone(), failure.trace.schedule());
        let replay = Replay { race, schedule, rest: Rest::None };
        format!("{}{}\nreplay: sugarbush replay '{replay}'", failure.trace, failure.fault)
    }

    /// One run: the trial of the explorer. `history` gets what the threads have done.
    fn run(
        &self,
        run: &mut Run<'_, Label>,
        history: &RefCell<Vec<Done>>,
        watch: &mut dyn FnMut(&Machine),
    ) -> Result<(), Fault> {
        history.borrow_mut().clear();
        let machine = Machine::with_bug(self.scenario.setup.frames, self.bug);
        machine.set_max_map_count(self.scenario.setup.settings.max_map_count);
        machine.set_promises(&self.scenario.setup.settings);
        machine.set_huge_pages(self.scenario.setup.huge_pages);
        let free = machine.free_frames();
        let processes = Processes::new(&machine, &self.scenario, self.order);
        let clock = Cell::new(0);
        let body = |number: usize| {
            let Thread { process, acts } = &self.scenario.threads[number];
            let (cpu, space) = (Cpu(number as u32), &processes.spaces[*process]);
            let (machine, clock, children) = (&machine, &clock, &processes.children);
            let all: Vec<_> = processes.spaces.iter().map(|space| &**space).collect();
            move || {
                for (index, act) in acts.iter().enumerate() {
                    let value = value_of(number, index);
                    let begin = clock.replace(clock.get() + 1);
                    let answer = if act.is_fork() {
                        children.fork(space)
                    } else {
                        act.perform(space, &all, machine, cpu, value)
                    };
                    let end = clock.replace(clock.get() + 1);
                    let (thread, process) = (number, *process);
                    let done = Done { thread, index, process, act: *act, answer, begin, end, value };
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
        processes.check(&history.borrow()).map_err(Fault::check)?;
        processes.end();
        check_end(&machine, free);
        watch(&machine);
        Ok(())
    }
}

/// The processes of a run. They are taken apart only if nothing is broken.
struct Processes<'m> {
    machine: &'m Machine,
    /// Those that there are from the beginning.
    spaces: Vec<ManuallyDrop<AddressSpace<'m, Machine>>>,
    children: Children<'m>,
    system: System,
}

/// Processes that were forked during the run, in order. They have no threads.
struct Children<'m> {
    spaces: RefCell<Vec<ManuallyDrop<AddressSpace<'m, Machine>>>>,
    /// Number of the first.
    first: usize,
}

impl<'m> Children<'m> {
    /// `parent` forks.
    fn fork(&self, parent: &AddressSpace<'m, Machine>) -> Answer {
        match parent.fork() {
            Ok(child) => {
                let mut spaces = self.spaces.borrow_mut();
                spaces.push(ManuallyDrop::new(child));
                Answer::Returned((self.first + spaces.len() - 1) as u64)
            }
            Err(error) => Answer::Failed(error.into()),
        }
    }
}

impl<'m> Processes<'m> {
    /// As they are before the threads run; each CPU has loaded its thread's.
    fn new(machine: &'m Machine, scenario: &Scenario, order: MunmapOrder) -> Self {
        let children = Children { spaces: RefCell::default(), first: scenario.before.len() };
        let mut processes = Processes { machine, spaces: Vec::new(), children, system: System::default() };
        for (process, before) in scenario.before.iter().enumerate() {
            let setup = Setup { order, ..scenario.setup };
            let space = processes.begin(scenario.parents[process], &setup);
            let cpu = scenario.threads.iter().position(|thread| thread.process == process).unwrap_or(0);
            let cpu = Cpu(cpu as u32);
            machine.run_on(cpu);
            machine.load(cpu, &space);
            for op in before {
                let act = Act::Do(*op);
                if act.is_fork() {
                    // The child ends at once, and no program notices.
                    drop(space.fork().expect("memory for a child"));
                    continue;
                }
                let answer = act.perform(&space, &[&space], machine, cpu, VALUE_BEFORE);
                let expected = act.predict(&mut processes.system, process, VALUE_BEFORE);
                assert_eq!(answer, expected, "{op} before the race");
            }
            processes.spaces.push(ManuallyDrop::new(space));
        }
        for (cpu, thread) in scenario.threads.iter().enumerate() {
            machine.load(Cpu(cpu as u32), &processes.spaces[thread.process]);
        }
        processes
    }

    /// The address space of the next process: an empty one, or a copy of its parent's.
    fn begin(&mut self, parent: Option<usize>, setup: &Setup) -> AddressSpace<'m, Machine> {
        if let Some(parent) = parent {
            self.system.fork(parent);
            return self.spaces[parent].fork().expect("memory for a child");
        }
        self.system.spawn(setup.settings, setup.brk_start);
        let space = AddressSpace::new(self.machine, setup.config()).expect("memory for a root table");
        space.set_brk_start(setup.brk_start);
        space
    }

    /// Checks the state at the end, and whether `history` explains it.
    fn check(&self, history: &[Done]) -> Result<(), String> {
        let children = self.children.spaces.borrow();
        let spaces = || self.spaces.iter().chain(&*children);
        for space in spaces() {
            space.check().map_err(|error| error.to_string())?;
        }
        let ends: Vec<End> = spaces().map(|space| End::of(space, self.machine)).collect();
        let mut fits =
            |system: &System| ends.iter().enumerate().all(|(process, end)| end.fits(system, process));
        let Some(system) = explain(&self.system, history, &mut fits) else {
            return Err(unexplained(history, &ends));
        };
        let seen: Vec<_> =
            spaces().zip(system.live()).map(|(space, (_, model))| seen_of(space, model)).collect();
        self.machine.inspect(&seen);
        self.machine.first_violation()
    }

    /// Takes them apart.
    fn end(mut self) {
        for cpu in 0..crate::machine::CPUS {
            self.machine.load_root(Cpu(cpu), None);
        }
        for space in self.spaces.drain(..).chain(self.children.spaces.take()) {
            drop(ManuallyDrop::into_inner(space));
        }
    }
}

/// What was stored before the race.
const VALUE_BEFORE: u64 = 0xbef0;

/// What act number `index` of a thread stores, if it is a store.
fn value_of(thread: usize, index: usize) -> u64 {
    0x1000 * (thread as u64 + 1) + index as u64
}

/// An address space at the end.
struct End {
    /// Its areas, without regard to where VMAs end.
    areas: Vec<Area>,
    /// The first word of every page that is there.
    words: BTreeMap<u64, u64>,
    /// The pages with a guard.
    guards: Vec<u64>,
}

impl End {
    fn of(space: &AddressSpace<'_, Machine>, machine: &Machine) -> Self {
        let mut areas = Vec::new();
        space.for_each_vma(|view| areas.push(area_of(&view.vma)));
        let mut words = machine.first_words(space.root());
        // What a fault would bring from an object counts as being there.
        space.for_each_vma(|view| {
            let Backing::SharedAnonymous { object } = view.vma.backing else { return };
            for (offset, page) in (view.vma.pgoff..).zip(view.vma.range.iter()) {
                if let Some(frame) = object.find(machine, offset) {
                    words.insert(page.number(), machine.first_word(frame));
                }
            }
        });
        End { areas: runs(areas.into_iter()), words, guards: machine.guards(space.root()) }
    }

    /// Whether a program finds the same as `process` in `system`.
    fn fits(&self, system: &System, process: usize) -> bool {
        let expected = system.process(process).runs();
        let same = |(expected, area): (&Area, &Area)| {
            expected.is_like(area) && self.same_words(system, process, area)
        };
        expected.len() == self.areas.len() && expected.iter().zip(&self.areas).all(same)
    }

    fn same_words(&self, system: &System, process: usize, area: &Area) -> bool {
        let word = |page| self.words.get(&page).copied().unwrap_or(0);
        let seen = |page| (!self.guards.contains(&page)).then(|| word(page));
        (area.start..area.end).all(|page| system.peek(process, page * PAGE) == seen(page))
    }
}

fn unexplained(history: &[Done], ends: &[End]) -> String {
    let mut text = String::from("no order of the acts explains their answers and the end:");
    for done in history {
        let Done { process, act, answer, begin, end, value, .. } = *done;
        let stored = if act.is_store() { format!(" of {value:#x}") } else { String::new() };
        let _ = write!(text, "\n  process {process}: {act:?}{stored}, moments {begin} to {end}: {answer:x?}");
    }
    for (process, End { areas, words, guards }) in ends.iter().enumerate() {
        let _ = write!(text, "\n  process {process} at the end:");
        for area in areas {
            let _ = write!(text, "\n    {area}; words:");
            for page in area.start..area.end {
                let _ = match words.get(&page) {
                    None if guards.contains(&page) => write!(text, " guard"),
                    Some(word) => write!(text, " {word:x}"),
                    None => write!(text, " -"),
                };
            }
        }
    }
    text
}
