//! Signals (`signal(7)`): who gets one, and what becomes of it.
//!
//! ```text
//! kill, tgkill, faults, alarms ─► post ─► pending (of the thread, or of its process) ─► attention, wake
//!                                   └─ fatal: the process ends at once                       │
//!        handler ◄─ frame on the stack ◄─ deliver, before the return to ring 3 ◄─────────────┘
//! ```
//!
//! | module | what |
//! | --- | --- |
//! | [`action`] | actions and default actions |
//! | [`info`] | `siginfo_t` |
//! | [`pending`] | signals that were sent and not yet delivered |
//! | [`post`] | sending |
//! | [`deliver`] | what a thread does about its signals |
//! | [`frame`] | the frame of a handler, as Linux lays it out |
//!
//! Signals that stop a process on Linux are ignored here: nothing stops and nothing continues.

pub(crate) mod action;
mod deliver;
pub(crate) mod frame;
pub(crate) mod info;
pub(super) mod pending;
pub(crate) mod post;

use abi::Signal;

pub(crate) use deliver::Next;

/// The number of a signal, from 1 to [`NSIG`](abi::signal::NSIG).
pub(crate) type Number = u8;

/// A set of signals: bit n - 1 stands for signal n.
pub(crate) type Set = u64;

/// The set of one signal.
pub(crate) const fn bit(number: Number) -> Set {
    1 << (number - 1)
}

/// Signals that can neither be blocked nor handled.
pub(crate) const UNBLOCKABLE: Set = bit(Signal::SIGKILL.number()) | bit(Signal::SIGSTOP.number());

/// Signals that an instruction causes: they come before others.
pub(crate) const SYNCHRONOUS: Set = bit(Signal::SIGSEGV.number())
    | bit(Signal::SIGBUS.number())
    | bit(Signal::SIGILL.number())
    | bit(Signal::SIGTRAP.number())
    | bit(Signal::SIGFPE.number())
    | bit(Signal::SIGSYS.number());
