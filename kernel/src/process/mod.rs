//! Processes and their threads.
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
//! | [`group`] | processes, and what others know of a thread |
//! | [`table`] | all processes: numbers, parents and children, endings, waiting for them |
//! | [`thread`] | a thread, as itself sees it |
//! | [`run`] | the loop around ring 3, and what becomes of faults |
//! | [`clone`], [`exec`], [`exit`] | new threads and processes, new programs, ends |
//! | [`futex`] | waiting for a word in memory |
//! | [`signals`] | signals |
//! | [`launch`] | from a name to an ending: the first process, the check for leaks |
//! | [`usage`] | what processes have used |
//! | `userfault` | waiting for the program to resolve a fault |
//! | [`oom`] | which process ends when there is no memory |
//! | `test_program` | test programs |
//! | [`report`] | messages about fatal faults |
//! | [`proc`] | the texts of `/proc` |
//! | [`spaces`] | all address spaces, for files that lose pages |
//! | [`about`] | what is known of a process's program |
//! | [`limits`] | resource limits |
//! | [`trace`] | the ring behind `/proc/sugarbush/trace` |
#![deny(unsafe_code)]

mod about;
pub(crate) mod clone;
mod elf;
pub(crate) mod exec;
mod exit;
pub(crate) mod futex;
mod group;
mod launch;
mod limits;
mod load;
pub(crate) mod oom;
pub(crate) mod proc;
mod report;
mod run;
pub(crate) mod signals;
pub(crate) mod spaces;
mod stack;
pub(crate) mod table;
#[cfg(feature = "test")]
mod test_program;
#[cfg(feature = "test")]
mod tests;
mod thread;
pub(crate) mod trace;
pub(crate) mod usage;
mod userfault;

use core::fmt;

use abi::Signal;
use mm::space::AddressSpace;

use crate::memory::Kernel;

pub(crate) use group::{Handle, Process};
pub(crate) use launch::run_init;
pub(crate) use limits::ResourceLimits;
pub(crate) use run::resolve_fault;
#[cfg(feature = "test")]
pub(crate) use test_program::{run_test_program, with_thread};
pub(crate) use thread::{AlternateStack, NAME_SIZE, Restart, Thread};

/// The address space of a process.
pub(crate) type Space = AddressSpace<'static, Kernel>;

/// How a process ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Ending {
    /// By `exit`, with this status.
    Exited(u8),
    /// By a signal.
    Killed(signals::Number),
    /// It ran out of the time it was given.
    TimedOut,
    /// By `reboot`, which switches the machine off.
    PowerOff,
    /// By `reboot`, which restarts the machine.
    Restart,
    /// By `reboot`, which stops the machine.
    Halt,
}

impl Ending {
    /// As `wait4(2)` tells it.
    pub(crate) fn wait_status(self) -> u32 {
        match self {
            Ending::Exited(status) => u32::from(status) << 8,
            Ending::Killed(number) => number.into(),
            Ending::TimedOut | Ending::PowerOff | Ending::Restart | Ending::Halt => {
                Signal::SIGKILL.number().into()
            }
        }
    }
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Ending::Exited(status) => write!(f, "exited with status {status}"),
            Ending::Killed(number) => match Signal::from_number(number) {
                Some(signal) => write!(f, "killed by {signal}"),
                None => write!(f, "killed by real-time signal {number}"),
            },
            Ending::TimedOut => f.write_str("ran out of time"),
            Ending::PowerOff => f.write_str("switched the machine off"),
            Ending::Restart => f.write_str("restarted the machine"),
            Ending::Halt => f.write_str("halted the machine"),
        }
    }
}
