//! Test programs, and a process for tests of system calls.

use core::fmt;
use core::time::Duration;

use alloc::vec::Vec;

use abi::{Errno, Signal};
use mm::space::Config;

use super::about::Places;
use super::launch::{Damage, LaunchError, first_thread, run_program};
use super::{Ending, Space, Thread, spaces, table};
use crate::arch::shared::Shared;
use crate::arch::user::Context;
use crate::fs::Tree;
use crate::fs::inode::Inode;
use crate::memory::KERNEL;
use crate::sched;

/// How long a test program may run.
const TEST_TIME: Duration = Duration::from_secs(60);
/// What a test program's name ends in if it must die, before the signal's name in lower case.
const DIES_BY: &str = "_dies_by_";

/// Why a test program failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum TestFailure {
    /// It could not be started.
    Launch(LaunchError),
    /// It ended in another way than its name says.
    Ended(Ending),
    /// Something is wrong with memory.
    Damaged(Damage),
}

impl fmt::Display for TestFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TestFailure::Launch(error) => error.fmt(f),
            TestFailure::Ended(ending) => ending.fmt(f),
            TestFailure::Damaged(damage) => damage.fmt(f),
        }
    }
}

/// Runs the test program `tests/NAME`. A name that ends in `_dies_by_` and a signal's name in lower case must
/// die by it, every other must exit with 0; and no memory may be left behind.
pub(crate) fn run_test_program(tree: &'static Tree, name: &str, config: Config) -> Result<(), TestFailure> {
    let mut path = Vec::from(b"/tests/");
    path.extend_from_slice(name.as_bytes());
    let result = run_program(tree, &path, &[&path], config, Some(TEST_TIME), || {});
    let (ending, damage) = result.map_err(TestFailure::Launch)?;
    let as_expected = match (ending, expected_signal(name)) {
        (Ending::Killed(number), Some(expected)) => number == expected.number(),
        (Ending::Exited(0), None) => true,
        _ => false,
    };
    if !as_expected {
        return Err(TestFailure::Ended(ending));
    }
    damage.map_or(Ok(()), |damage| Err(TestFailure::Damaged(damage)))
}

/// The signal that a program of this name must die by.
fn expected_signal(name: &str) -> Option<Signal> {
    let (_, wanted) = name.rsplit_once(DIES_BY)?;
    Signal::ALL.iter().copied().find(|signal| signal.name().eq_ignore_ascii_case(wanted))
}

/// Runs `body` with the thread of a process that has an empty address space, which is loaded, and the files of `tree`, of
/// which `exe` is the program. Its task is the current one. Errors: `ENOMEM`.
pub(crate) fn with_thread<R>(
    tree: &'static Tree,
    exe: Shared<Inode>,
    body: impl FnOnce(&mut Thread) -> R,
) -> Result<R, Errno> {
    table::begin();
    let space = spaces::register(Space::new(&KERNEL, Config::default()))?;
    let mut thread = first_thread(tree, exe, space.clone(), Context::new(0, 0), Places::default())?;
    let task = sched::current();
    task.revive();
    table::add_process(&thread.process, 0, &thread.handle, &task)?;
    sched::enter_space(Some(space));
    let result = body(&mut thread);
    drop(sched::enter_space(None));
    table::remove_process(&thread.process);
    task.revive();
    Ok(result)
}
