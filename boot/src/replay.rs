//! `sugarbush replay`: one schedule of a race, on the simulated machine and, if so told, in QEMU.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::args::{Order, ReplayArgs};
use crate::build::{Kernel, Nodes};
use crate::guest::{self, LogLevel};
use crate::initramfs::{self, Initramfs};
use crate::protocol::Message;
use crate::qemu::{Clock, Debugger, Machine, Medium};
use crate::session::Session;
use crate::simulation;

/// A machine that has not finished after this long is ended. The kernel ends a replay that hangs after ten seconds.
const TIMEOUT: Duration = Duration::from_secs(60);

/// The memory of the machine, in MiB.
const MEMORY: u32 = 128;

/// Runs the schedule, and returns the exit status.
///
/// # Errors
/// When something cannot be built, or the machine gives no verdict.
pub(crate) fn replay(args: &ReplayArgs) -> Result<u8> {
    // The line may have come as one argument or as several.
    let words: Vec<&str> = args.line.iter().flat_map(|part| part.split_whitespace()).collect();
    let nodes = if words.contains(&"small") { Nodes::Small } else { Nodes::Ordinary };
    let mut simulated = simulation::program("replay", nodes)?;
    if !args.qemu {
        return simulation::status_of(simulated.args(words));
    }
    let directory = tempfile::tempdir().context("no temporary directory")?;
    let status = simulation::status_of(simulated.arg("--into").arg(directory.path()).args(words))?;
    let Ok(host) = fs::read_to_string(directory.path().join("outcome")) else {
        // The line does not fit; it has been said why.
        return Ok(status);
    };
    let host = Outcome::read(host.lines());
    let qemu = in_qemu(directory.path(), nodes)?;
    println!("host: {}\nQEMU: {}", host.verdict, qemu.verdict);
    Ok(match host.compare(&qemu) {
        Ok(agreement) => {
            println!("{agreement}");
            0
        }
        Err(difference) => {
            println!("host and QEMU disagree: {difference}");
            1
        }
    })
}

/// Runs the script in `directory` in QEMU.
fn in_qemu(directory: &Path, nodes: Nodes) -> Result<Outcome> {
    let kernel = guest::kernel(None, Kernel::Checked(nodes))?;
    let mut ramdisk = Initramfs::default();
    ramdisk.replay(fs::read(directory.join("script"))?);
    // The script has the order.
    let words = guest::words(Order::Reordered, LogLevel::Info, "test");
    ramdisk.command_line(&initramfs::command_line(&words, None));
    let initramfs = directory.join("initramfs");
    guest::write(ramdisk, &kernel, &initramfs)?;
    let machine = Machine {
        medium: Medium::Kernel { elf: &kernel, initramfs: &initramfs },
        smp: 1,
        memory: MEMORY,
        clock: Clock::Host,
        debugger: Debugger::None,
    };
    let session = Session {
        input: Box::new(io::empty()),
        output: Box::new(io::sink()),
        log: Box::new(io::stderr()),
        timeout: Some(TIMEOUT),
    };
    let mut lines = Vec::new();
    let report = session.run(&machine, |message| {
        if let Message::Figure(text) = message {
            lines.push(text.clone());
        }
    })?;
    let outcome = Outcome::read(lines.iter().map(String::as_str));
    if outcome.verdict.is_empty() {
        bail!("the kernel gave no verdict ({:?}){}", report.ending, report.qemu);
    }
    Ok(outcome)
}

/// How a verdict on a schedule begins that cannot be followed.
const DOES_NOT_FIT: &str = "the schedule does not fit";

/// What came of a replay, as the simulation and the kernel report it.
#[derive(Debug, Default, PartialEq, Eq)]
struct Outcome {
    /// By thread and number of the act.
    answers: BTreeMap<String, String>,
    /// Steps that were made; none if the run did not come to its end.
    steps: Option<usize>,
    verdict: String,
}

impl Outcome {
    fn read<'l>(lines: impl Iterator<Item = &'l str>) -> Self {
        let mut outcome = Self::default();
        for line in lines {
            match line.split_once(' ') {
                Some(("answer", answer)) => {
                    let (act, answer) = answer.split_once(": ").unwrap_or((answer, ""));
                    outcome.answers.insert(act.to_owned(), answer.to_owned());
                }
                Some(("steps", steps)) => outcome.steps = steps.parse().ok(),
                Some(("verdict", verdict)) => outcome.verdict = verdict.to_owned(),
                _ => {}
            }
        }
        outcome
    }

    fn has_passed(&self) -> bool {
        self.verdict == "passed"
    }

    /// What can be said of this outcome, the host's, and that of QEMU, if they agree. Errors: in what they do not.
    fn compare(&self, qemu: &Self) -> Result<String, String> {
        if qemu.verdict.starts_with(DOES_NOT_FIT) {
            let why = "there is no TLB there that may serve an access although the page tables do not";
            return Err(format!("in QEMU {} ({why})", qemu.verdict));
        }
        let both_end_early = !self.has_passed() && qemu.steps.is_none();
        for (act, answer) in &self.answers {
            match qemu.answers.get(act) {
                Some(other) if other == answer => {}
                Some(other) => {
                    return Err(format!("thread and act {act}: {answer} on the host, {other} in QEMU"));
                }
                None if both_end_early => {}
                None => return Err(format!("thread and act {act}: no answer in QEMU")),
            }
        }
        if self.has_passed() && !qemu.has_passed() {
            return Err("only QEMU finds something wrong".to_owned());
        }
        if both_end_early {
            return Ok(format!("neither comes to its end; {} answers are equal", qemu.answers.len()));
        }
        // What fails on the host half way may go on in QEMU.
        let on_the_way = qemu.answers.len() - self.answers.len();
        let (steps, in_qemu) = (self.steps.unwrap_or(0), qemu.steps.unwrap_or(0));
        if in_qemu < steps || (on_the_way == 0 && in_qemu > steps) {
            return Err(format!("{steps} steps on the host, {in_qemu} in QEMU"));
        }
        let same = format!("the same {steps} steps and {} answers", self.answers.len());
        Ok(if self.has_passed() == qemu.has_passed() {
            format!("{same} on the host and in QEMU")
        } else {
            format!("{same}; only the host's oracles see what is wrong")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(text: &str) -> Outcome {
        Outcome::read(text.split(';'))
    }

    fn compare(host: &str, qemu: &str) -> Result<String, String> {
        outcome(host).compare(&outcome(qemu))
    }

    #[test]
    fn equal_outcomes_agree_whatever_they_are() {
        for verdict in ["passed", "check failed: a page"] {
            let text = format!("answer 0 0: returned 0x0;answer 1 0: word 0x5;steps 12;verdict {verdict}");
            let agreement = compare(&text, &text).expect("they are equal");
            assert_eq!(agreement, "the same 12 steps and 2 answers on the host and in QEMU");
        }
    }

    #[test]
    fn what_only_the_oracles_of_the_host_see_is_said() {
        let host = "answer 0 0: returned 0x0;steps 12;verdict check failed: a stale TLB";
        let qemu = "answer 0 0: returned 0x0;answer 1 0: word 0x5;steps 20;verdict passed";
        let agreement = compare(host, qemu).expect("as far as the host goes, they are equal");
        assert_eq!(agreement, "the same 12 steps and 1 answers; only the host's oracles see what is wrong");
    }

    #[test]
    fn two_panics_agree_if_the_answers_before_do() {
        let host = "answer 0 0: returned 0x0;answer 1 0: word 0x1;steps 12;verdict panic in thread 1: no";
        assert!(compare(host, "answer 0 0: returned 0x0;verdict no").is_ok());
        assert!(compare(host, "answer 0 0: returned 0x1;verdict no").is_err());
    }

    #[test]
    fn every_difference_is_named() {
        let host = "answer 0 0: returned 0x0;answer 1 0: word 0x5;steps 12;verdict passed";
        let difference = |qemu| compare(host, qemu).expect_err("they differ");
        assert_eq!(
            difference("answer 0 0: returned 0x0;answer 1 0: word 0x6;steps 12;verdict passed"),
            "thread and act 1 0: word 0x5 on the host, word 0x6 in QEMU"
        );
        assert_eq!(
            difference("answer 0 0: returned 0x0;steps 12;verdict passed"),
            "thread and act 1 0: no answer in QEMU"
        );
        assert_eq!(
            difference("answer 0 0: returned 0x0;answer 1 0: word 0x5;steps 13;verdict passed"),
            "12 steps on the host, 13 in QEMU"
        );
        assert_eq!(
            difference("answer 0 0: returned 0x0;answer 1 0: word 0x5;steps 12;verdict check failed: x"),
            "only QEMU finds something wrong"
        );
        let does_not_fit = "answer 0 0: returned 0x0;verdict the schedule does not fit: thread 0";
        assert!(difference(does_not_fit).contains("in QEMU the schedule does not fit"));
        let host = "steps 12;verdict panic in thread 0: no";
        assert!(compare(host, does_not_fit).is_err());
    }
}
