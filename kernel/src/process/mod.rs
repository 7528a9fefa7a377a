//! The process: one, with one thread, number 1.
//!
//! ```text
//! program file ─ elf ─► load ─► address space, stack, registers ─► run ─► Ending
//!                                                                   │ ▲
//!                                             system call, fault,   ▼ │
//!                                             exception, interrupt  ring 3
//! ```
//!
//! | module | what |
//! | --- | --- |
//! | [`elf`] | reading and checking a program file |
//! | [`load`] | putting it into an address space |
//! | [`stack`] | the stack it starts with |
//! | [`run`] | the loop around ring 3, and what becomes of faults |
//! | [`launch`] | from a name to an ending: the first process, the check for leaks |
//! | `test_program` | test programs |
//! | [`report`] | messages about fatal faults; `/proc/self/maps` |
//! | [`limits`], [`signals`] | resource limits; signal actions and masks |
//! | [`trace`] | the ring behind `/proc/sugarbush/trace` |
#![deny(unsafe_code)]

mod elf;
mod launch;
mod limits;
mod load;
mod report;
mod run;
mod signals;
mod stack;
#[cfg(feature = "test")]
mod test_program;
#[cfg(feature = "test")]
mod tests;
pub(crate) mod trace;

use core::fmt;
use core::time::Duration;

use abi::rlimit::{RLIMIT_AS, RLIMIT_DATA, RLIMIT_MEMLOCK, RLIMIT_NOFILE, RLIMIT_STACK, Rlimit};
use abi::{Errno, Signal};
use mm::space::{AddressSpace, Limits};

use crate::arch::user::Context;
use crate::fs::transfer::Sink;
use crate::fs::tree::NodeId;
use crate::fs::{Files, Position, Tree};
use crate::memory::Kernel;
use crate::time;

pub(crate) use launch::run_init;
pub(crate) use limits::ResourceLimits;
pub(crate) use signals::{Action, Signals};
#[cfg(feature = "test")]
pub(crate) use test_program::{run_test_program, with_process};

/// The number of the process.
pub(crate) const PID: i32 = 1;

/// Size of a thread's name in bytes, with its NUL (`TASK_COMM_LEN`).
pub(crate) const NAME_SIZE: usize = 16;

/// The address space of a process.
pub(crate) type Space = AddressSpace<'static, Kernel>;

/// How a process ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Ending {
    /// By `exit`, with this status.
    Exited(u8),
    /// By a signal.
    Killed(Signal),
    /// It ran out of the time it was given.
    TimedOut,
    /// By `reboot`, which switches the machine off.
    PowerOff,
    /// By `reboot`, which restarts the machine.
    Restart,
    /// By `reboot`, which stops the machine.
    Halt,
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Ending::Exited(status) => write!(f, "exited with status {status}"),
            Ending::Killed(signal) => write!(f, "killed by {signal}"),
            Ending::TimedOut => f.write_str("ran out of time"),
            Ending::PowerOff => f.write_str("switched the machine off"),
            Ending::Restart => f.write_str("restarted the machine"),
            Ending::Halt => f.write_str("halted the machine"),
        }
    }
}

/// A process. Only its own thread touches it, so that nothing but the address space has a lock.
pub(crate) struct Process<'a> {
    /// Its memory.
    pub(crate) space: &'a Space,
    /// Its files.
    pub(crate) files: Files,
    /// Its registers while it is not in ring 3.
    pub(crate) context: Context,
    /// Its limits. Those that concern memory and files are also in `space` and `files`: see `set_limit`.
    pub(crate) limits: ResourceLimits,
    /// Its signal actions and masks.
    pub(crate) signals: Signals,
    /// The name of its thread, which it may change; ends with NUL.
    pub(crate) name: [u8; NAME_SIZE],
    /// When it was started, since boot.
    pub(crate) started: Duration,
    /// When it is ended, since boot, if it has not ended before.
    deadline: Option<Duration>,
    /// Set by what ends it; the run loop looks after every event.
    ending: Option<Ending>,
}

impl<'a> Process<'a> {
    /// A thread's name from that of a program, cut to fit.
    fn name_of(program: &[u8]) -> [u8; NAME_SIZE] {
        let mut name = [0; NAME_SIZE];
        let length = program.len().min(NAME_SIZE - 1);
        name[..length].copy_from_slice(&program[..length]);
        name
    }

    /// A process in `space` that runs `exe` and starts with these registers. Errors: `ENOMEM`.
    fn new(space: &'a Space, tree: &'static Tree, exe: NodeId, context: Context) -> Result<Self, Errno> {
        let limits = ResourceLimits::default();
        Ok(Process {
            space,
            files: Files::new(tree, exe, limits.descriptors())?,
            context,
            limits,
            signals: Signals::new(),
            name: Self::name_of(tree.node(exe).name),
            started: time::since_boot(),
            deadline: None,
            ending: None,
        })
    }

    /// Ends the process. The first ending counts.
    pub(crate) fn end(&mut self, ending: Ending) {
        self.ending.get_or_insert(ending);
    }

    /// How it ended, once it has.
    pub(crate) fn ending(&self) -> Option<Ending> {
        self.ending
    }

    /// Sends a signal to the process itself. A blocked one waits; one with a handler is not delivered (see
    /// [`signals`]).
    pub(crate) fn raise(&mut self, signal: Signal) {
        self.signals.post(signal);
        self.deliver_signals();
    }

    /// Takes the default action of the signals that wait and are not blocked.
    pub(crate) fn deliver_signals(&mut self) {
        while let Some(signal) = self.signals.take_deliverable() {
            if self.signals.is_fatal(signal) {
                self.end(Ending::Killed(signal));
            } else if self.signals.has_handler(signal) {
                log::warn!("{signal} has a handler, which cannot be run yet: the signal is dropped");
            }
        }
    }

    /// Ends the process if its time is over.
    pub(crate) fn check_deadline(&mut self) {
        if self.deadline.is_some_and(|deadline| time::since_boot() >= deadline) {
            self.end(Ending::TimedOut);
        }
    }

    /// Waits until `wake` (since boot), at most as long as the process may run.
    pub(crate) fn sleep_until(&mut self, wake: Duration) {
        time::wait_until(self.deadline.map_or(wake, |deadline| wake.min(deadline)));
        self.check_deadline();
    }

    /// Sets a resource limit and lets it take effect. Errors: `EINVAL`, `EPERM`.
    pub(crate) fn set_limit(&mut self, resource: u32, new: Rlimit) -> Result<(), Errno> {
        self.limits.set(resource, new)?;
        let current = new.current;
        let old = self.space.limits();
        match resource {
            RLIMIT_NOFILE => self.files.limit = current as usize,
            RLIMIT_AS => self.space.set_limits(Limits { address_space: current, ..old }),
            RLIMIT_DATA => self.space.set_limits(Limits { data: current, ..old }),
            RLIMIT_STACK => self.space.set_limits(Limits { stack: current, ..old }),
            RLIMIT_MEMLOCK => self.space.set_limits(Limits { memlock: current, ..old }),
            _ => {} // remembered; nothing to limit yet
        }
        Ok(())
    }

    /// `read(2)` for descriptor `number`; the files of `/proc` are written on the way.
    pub(crate) fn read_file(
        &mut self,
        number: i32,
        position: Position,
        sink: &mut dyn Sink,
    ) -> Result<usize, Errno> {
        let space = self.space;
        self.files.read(number, position, sink, &|file, exe| report::proc_text(file, space, exe))
    }
}
