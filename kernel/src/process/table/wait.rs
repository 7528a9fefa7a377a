//! Waiting for children (`wait4(2)`, `waitid(2)`).

use abi::Errno;

use super::{Entry, TABLE};
use crate::arch::shared::Shared;
use crate::process::usage::{Ended, Usage};
use crate::process::{Ending, Process};
use crate::sched::Sleep;

/// Which children are waited for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Which {
    /// Any.
    Any,
    /// The one with this number.
    Process(i32),
    /// Those of this group.
    Group(i32),
}

/// Whether a child is gone once it was waited for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum After {
    /// It is.
    Reap,
    /// It can be waited for again (`WNOWAIT`).
    Keep,
}

/// A child that ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Child {
    /// Its number.
    pub(crate) pid: i32,
    /// How it ended.
    pub(crate) ending: Ending,
    /// What it has used, and its children that it has waited for.
    pub(crate) usage: Usage,
}

/// What a look at the children found.
enum Found {
    Ended(Child, Option<Entry>),
    Alive,
    Nobody,
}

impl Which {
    fn is(self, entry: &Entry) -> bool {
        match self {
            Which::Any => true,
            Which::Process(pid) => entry.process.pid == pid,
            Which::Group(group) => entry.group == group,
        }
    }
}

fn look(parent: &Process, which: Which, after: After) -> Found {
    let mut table = TABLE.lock();
    let is_child = |entry: &Entry| entry.parent == parent.pid && which.is(entry);
    let ended = table.entries.iter().position(|entry| is_child(entry) && entry.is_zombie());
    match ended {
        Some(at) => {
            let entry = &table.entries[at];
            let Ended { threads: mut usage, children } = *entry.process.ended.lock();
            usage += children;
            let child = Child { pid: entry.process.pid, ending: entry.own_ending(), usage };
            let removed = (after == After::Reap).then(|| table.entries.swap_remove(at));
            if removed.is_some() {
                parent.ended.lock().children += usage;
            }
            Found::Ended(child, removed)
        }
        None if table.entries.iter().any(is_child) => Found::Alive,
        None => Found::Nobody,
    }
}

/// A child that has ended. `None` if there are others only, and `wait` is false. Errors: `ECHILD` without such children;
/// `EINTR`.
pub(crate) fn wait_for_child(
    parent: &Shared<Process>,
    which: Which,
    after: After,
    patience: Patience,
) -> Result<Option<Child>, Errno> {
    let mut found = look(parent, which, after);
    if matches!(found, Found::Alive) && patience == Patience::Wait {
        let has_changed = || {
            found = look(parent, which, after);
            !matches!(found, Found::Alive)
        };
        parent.children.wait(Sleep::Interruptible, None, has_changed).map_err(|_| Errno::EINTR)?;
    }
    match found {
        Found::Ended(child, removed) => {
            drop(removed);
            Ok(Some(child))
        }
        Found::Nobody => Err(Errno::ECHILD),
        Found::Alive => Ok(None),
    }
}

/// Whether to wait for a child that has not ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Patience {
    /// Look only (`WNOHANG`).
    None,
    /// Wait.
    Wait,
}
