//! The same user test programs on the host's own Linux: what they expect of our kernel must hold there too.

use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use signal_hook::low_level::signal_name;
use wait_timeout::ChildExt as _;

use crate::build::Executable;
use crate::test::tally::Tally;

/// Programs that exercise our kernel only.
const ONLY_OURS: &str = "only_";

/// How a test program must end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expectation {
    /// With exit status 0.
    Success,
    /// Killed by this signal.
    Signal(i32),
}

/// What the name of a program says about its end (docs/ARCHITECTURE.md); none if it names no known signal.
fn expectation(name: &str) -> Option<Expectation> {
    let Some((_, signal)) = name.rsplit_once("_dies_by_") else { return Some(Expectation::Success) };
    let signal = signal.to_ascii_uppercase();
    (1..32).find(|&number| signal_name(number) == Some(signal.as_str())).map(Expectation::Signal)
}

/// Runs every program natively.
///
/// # Errors
/// When a program cannot be started for a reason that is not its own.
pub(crate) fn run(programs: &[&Executable], limit: Duration, tally: &mut Tally) -> Result<()> {
    let directory = tempfile::tempdir().context("no temporary directory")?;
    for program in programs {
        let name = format!("linux: {}", program.name);
        if !cfg!(all(target_arch = "x86_64", target_os = "linux")) {
            tally.skipped(&name, "this host is not x86-64 Linux");
            continue;
        }
        if program.name.starts_with(ONLY_OURS) {
            println!("skip {name}: for our kernel only");
            continue;
        }
        let Some(expected) = expectation(&program.name) else {
            tally.failed(&name, "its name ends in no known signal");
            continue;
        };
        let started = Instant::now();
        let child = Command::new(&program.path)
            .current_dir(directory.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("cannot start {}", program.path.display()))?;
        match within(child, limit)? {
            None => tally.failed(&name, "the time is up"),
            Some(status) if meets(status, expected) => tally.passed(&name, started.elapsed()),
            Some(status) => tally.failed(&name, &status.to_string()),
        }
    }
    Ok(())
}

fn meets(status: ExitStatus, expected: Expectation) -> bool {
    match expected {
        Expectation::Success => status.success(),
        Expectation::Signal(number) => status.signal() == Some(number),
    }
}

/// How the child ended; none if it had to be killed because its time was up.
fn within(mut child: Child, limit: Duration) -> std::io::Result<Option<ExitStatus>> {
    let status = child.wait_timeout(limit)?;
    if status.is_none() {
        child.kill()?;
        child.wait()?;
    }
    Ok(status)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_says_how_a_program_must_end() {
        assert_eq!(expectation("a_hole_is_gone"), Some(Expectation::Success));
        assert_eq!(expectation("reading_a_hole_dies_by_sigsegv"), Some(Expectation::Signal(11)));
        assert_eq!(expectation("x_dies_by_sigill"), Some(Expectation::Signal(4)));
        assert_eq!(expectation("x_dies_by_sigtrap"), Some(Expectation::Signal(5)));
        assert_eq!(expectation("x_dies_by_sigbus"), Some(Expectation::Signal(7)));
        assert_eq!(expectation("x_dies_by_sigfpe"), Some(Expectation::Signal(8)));
        assert_eq!(expectation("x_dies_by_boredom"), None);
        assert_eq!(expectation("x_dies_by_"), None);
    }

    #[test]
    fn an_end_is_compared_with_the_expectation() {
        let exited = |status: i32| ExitStatus::from_raw(status << 8);
        assert!(meets(exited(0), Expectation::Success));
        assert!(!meets(exited(1), Expectation::Success));
        assert!(!meets(ExitStatus::from_raw(11), Expectation::Success));
        assert!(meets(ExitStatus::from_raw(11), Expectation::Signal(11)));
        assert!(!meets(ExitStatus::from_raw(4), Expectation::Signal(11)));
        assert!(!meets(exited(11), Expectation::Signal(11)));
        assert!(!meets(exited(139), Expectation::Signal(11)));
    }

    #[test]
    fn a_program_that_does_not_end_is_killed() {
        let cat = |input| Command::new("cat").stdin(input).stdout(Stdio::null()).spawn().expect("cat");
        // Reads a pipe whose other end stays open.
        let mut endless = cat(Stdio::piped());
        let _open = endless.stdin.take();
        let killed = within(endless, Duration::from_millis(50)).expect("it can be waited for");
        assert_eq!(killed, None);
        let ended = within(cat(Stdio::null()), Duration::from_secs(600)).expect("it can be waited for");
        assert!(ended.is_some_and(|status| status.success()));
    }
}
