//! One schedule of one race, as a line: `SCENARIO ORDER BUG SCHEDULE`, such as
//! `hole-and-accesses-in-it prepatch SplitWithoutLock 1:5 0:15 1:5`. The bug is `none` in code as it should be. Between bug and
//! schedule stands `small` if the nodes of the trees are small (cargo feature `small`): there are more of them to read. A schedule
//! that ends with `...` goes on without preemption.

use std::cell::RefCell;
use std::fmt;
use std::str::FromStr;

use explore::{Config, Explorer, Fault, Replayed, Rest, Schedule, Stack, Trace};
use mm::space::MunmapOrder;

use super::history::Done;
use super::{Race, Scenario};
use crate::machine::{Label, UnknownBug};
use crate::quiet::quietly;

/// The word for small nodes.
const SMALL: &str = "small";
/// The word for no bug.
const NO_BUG: &str = "none";

/// The word for steps that preempt nobody.
const GO_ON: &str = "...";

/// A race and a schedule of it.
#[derive(Clone, Debug)]
pub struct Replay {
    /// The race.
    pub race: Race,
    /// The schedule.
    pub schedule: Schedule,
    /// What comes after it.
    pub rest: Rest,
}

impl fmt::Display for Replay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Race { scenario, order, bug } = &self.race;
        write!(f, "{} {order} ", scenario.name)?;
        match bug {
            Some(bug) => write!(f, "{bug}")?,
            None => f.write_str(NO_BUG)?,
        }
        if cfg!(feature = "small") {
            write!(f, " {SMALL}")?;
        }
        write!(f, " {}", self.schedule)?;
        match self.rest {
            Rest::None => Ok(()),
            Rest::WithoutPreemption => write!(f, " {GO_ON}"),
        }
    }
}

/// A text is no line that can be replayed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ParseError {
    /// There is no scenario of this name.
    Scenario(String),
    /// There is no order of this name.
    Order(String),
    /// There is no bug of this name.
    Bug(String, UnknownBug),
    /// The line is of trees with other nodes than those of this build.
    Nodes,
    /// The schedule is none.
    Schedule(explore::ParseError),
    /// The line ends too early.
    Short,
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ParseError::Scenario(name) => {
                let names: Vec<&str> = Scenario::all().map(|scenario| scenario.name).collect();
                write!(f, "{name}: no such scenario; there are {}", names.join(", "))
            }
            ParseError::Order(name) => {
                let names = MunmapOrder::ALL.map(|order| order.to_string());
                write!(f, "{name}: no such order; there are {}", names.join(", "))
            }
            ParseError::Bug(name, error) => write!(f, "{name}: {error}, or {NO_BUG}"),
            ParseError::Nodes if cfg!(feature = "small") => {
                write!(f, "the line is of ordinary nodes; this is a build with the feature {SMALL}")
            }
            ParseError::Nodes => write!(f, "the line is of small nodes; they need the feature {SMALL}"),
            ParseError::Schedule(error) => error.fmt(f),
            ParseError::Short => f.write_str("the line is not SCENARIO ORDER BUG SCHEDULE"),
        }
    }
}

impl std::error::Error for ParseError {}

impl FromStr for Replay {
    type Err = ParseError;

    fn from_str(line: &str) -> Result<Self, ParseError> {
        let mut words = line.split_whitespace().peekable();
        let mut word = || words.next().ok_or(ParseError::Short);
        let (name, order, bug) = (word()?, word()?, word()?);
        let scenario = Scenario::named(name).ok_or_else(|| ParseError::Scenario(name.to_string()))?;
        let order = order.parse().map_err(|_| ParseError::Order(order.to_string()))?;
        let bug = match bug {
            NO_BUG => None,
            name => Some(name.parse().map_err(|error| ParseError::Bug(name.to_string(), error))?),
        };
        if words.next_if_eq(&SMALL).is_some() != cfg!(feature = "small") {
            return Err(ParseError::Nodes);
        }
        let mut words: Vec<&str> = words.collect();
        let rest = match words.pop_if(|word| *word == GO_ON) {
            Some(_) => Rest::WithoutPreemption,
            None => Rest::None,
        };
        let schedule: Schedule = words.join(" ").parse().map_err(ParseError::Schedule)?;
        if schedule.steps() == 0 {
            return Err(ParseError::Short);
        }
        Ok(Replay { race: Race { scenario, order, bug }, schedule, rest })
    }
}

impl Replay {
    /// Runs the schedule.
    ///
    /// # Errors
    /// A line that says why the schedule does not fit.
    pub fn run<S: Stack>(&self, explorer: &mut Explorer<S>) -> Result<Outcome, String> {
        let history = RefCell::new(Vec::new());
        let mut replayed = None;
        let trial = |run: &mut explore::Run<'_, Label>| self.race.run(run, &history, &mut |_| {});
        quietly(|| replayed = Some(explorer.replay(&Config::new(0), &self.schedule, self.rest, trial)))?;
        let replayed =
            replayed.ok_or("the replay has not come to its end")?.map_err(|stale| stale.to_string())?;
        let Replayed { trace, fault } = replayed;
        let replay = Replay { race: self.race.clone(), schedule: trace.schedule(), rest: Rest::None };
        Ok(Outcome { replay, trace, fault, answers: history.into_inner() })
    }
}

/// What came of a replay. Prints as the trace, what each act was answered, the verdict, and the line.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The whole run.
    pub replay: Replay,
    trace: Trace<Label>,
    /// What went wrong, if anything did.
    pub fault: Option<Fault>,
    answers: Vec<Done>,
}

impl Outcome {
    /// The outcome in the words in which the kernel reports its own: a line for each answer, the steps, the verdict.
    pub fn lines(&self) -> String {
        let answer = |done: &Done| format!("answer {} {}: {}\n", done.thread, done.index, done.answer);
        let answers: String = self.answers.iter().map(answer).collect();
        let verdict = self.verdict();
        let verdict = verdict.lines().next().unwrap_or_default();
        format!("{answers}steps {}\nverdict {verdict}\n", self.trace.steps.len())
    }

    fn verdict(&self) -> String {
        self.fault.as_ref().map_or_else(|| "passed".to_string(), Fault::to_string)
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.trace.fmt(f)?;
        for Done { thread, act, answer, .. } in &self.answers {
            writeln!(f, "thread {thread}: {act:?}: {answer}")?;
        }
        write!(f, "{}\nreplay: sugarbush replay '{}'", self.verdict(), self.replay)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::Bug;
    use crate::museum::EXHIBITS;

    const NODES: &str = if cfg!(feature = "small") { " small" } else { "" };

    fn mistake(line: &str) -> String {
        line.parse::<Replay>().expect_err("the line is wrong").to_string()
    }

    #[test]
    fn a_line_is_read_as_it_is_written() {
        for scenario in Scenario::all() {
            for order in MunmapOrder::ALL {
                let race = Race { scenario: scenario.clone(), order, bug: None };
                let schedule = "0 1:3 0:2".parse().expect("a schedule");
                let line = Replay { race, schedule, rest: Rest::None }.to_string();
                assert_eq!(line, format!("{} {order} none{NODES} 0 1:3 0:2", scenario.name));
                for line in [line.clone(), format!("{line} ...")] {
                    assert_eq!(line.parse::<Replay>().expect("it has just been written").to_string(), line);
                }
            }
        }
    }

    #[test]
    fn every_bug_of_the_museum_has_a_name() {
        for exhibit in EXHIBITS {
            let name = exhibit.bug.to_string();
            assert_eq!(name.parse(), Ok(exhibit.bug));
        }
    }

    #[test]
    fn a_wrong_line_is_answered_with_what_there_is() {
        let line = |words: &str| mistake(&format!("hole-and-accesses-in-it {words}"));
        assert!(
            mistake("holes prepatch none 0").contains("holes: no such scenario; there are munmap-of-a-vma")
        );
        assert!(
            line("backwards none 0").contains("backwards: no such order; there are prepatch, reordered,")
        );
        assert!(line("vms Mistake 0").contains("Mistake: no such bug; there are NewVma"));
        assert!(line(&format!("vms none{NODES} 0 7")).starts_with("word 2 of the schedule is not"));
        let other = if NODES.is_empty() { "vms none small 0" } else { "vms none 0" };
        assert!(line(other).contains("nodes"), "{}", line(other));
        for short in ["", "vms", "vms none", &format!("vms none{NODES}")] {
            let message = line(short);
            assert!(
                message.contains("not SCENARIO ORDER BUG") || message.contains("nodes"),
                "{short}: {message}"
            );
        }
        assert_eq!(mistake(""), "the line is not SCENARIO ORDER BUG SCHEDULE");
    }

    #[test]
    fn the_last_line_of_a_report_replays_the_failure() {
        let bug = Some(Bug::Mm(mm::museum::Bug::SplitWithoutLock));
        let scenario = Scenario::named("hole-and-accesses-in-it").expect("a scenario");
        let race = Race { scenario, order: MunmapOrder::Prepatch, bug };
        let mut explorer = Explorer::on_host();
        let mut failure = None;
        quietly(|| failure = race.explore(&mut explorer, &Config::new(1)).failure)
            .expect("failures are values");
        let failure = failure.expect("it fails");
        let report = race.report(&failure);
        let last = report.lines().last().expect("a line");
        let line = last.strip_prefix("replay: sugarbush replay '").and_then(|line| line.strip_suffix('\''));
        let replay: Replay = line.expect("a line to replay").parse().expect("it fits");
        let outcome = replay.run(&mut explorer).expect("it fits");
        assert_eq!((outcome.fault, outcome.trace), (Some(failure.fault), failure.trace));
    }

    #[test]
    fn a_schedule_that_does_not_fit_is_refused_and_one_that_passes_has_all_answers() {
        let mut explorer = Explorer::on_host();
        let run = |explorer: &mut Explorer<_>, schedule: &str| {
            let line = format!("munmap-of-a-vma-and-accesses vms none{NODES} {schedule}");
            line.parse::<Replay>().expect("a line").run(explorer)
        };
        let refusal = run(&mut explorer, "0:2").expect_err("it is too short");
        assert_eq!(
            refusal,
            "the schedule does not fit: it ends after 2 steps, and the threads have not ended"
        );
        let outcome = run(&mut explorer, "0:2 ...").expect("it goes on");
        assert_eq!(outcome.fault, None);
        assert_eq!(outcome.answers.len(), 3);
        assert!(outcome.lines().starts_with("answer 0 0: returned 0x0\nanswer 1 0: killed: not mapped\n"));
        assert!(outcome.lines().ends_with("\nverdict passed\n"), "{}", outcome.lines());
        let again = outcome.replay.run(&mut explorer).expect("it is the same schedule");
        assert_eq!(again.to_string(), outcome.to_string());
    }
}
