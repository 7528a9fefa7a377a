//! The scheduler: which task runs on which CPU, and what tasks wait for.
//!
//! ```text
//!                 ┌──────── yield, end of the time slice ───────┐
//!   spawn ─► queued (per CPU, stolen by idle CPUs) ─► running ──┤
//!              ▲                                        │       └─► exit: the next task frees the stack
//!              └── wake: another task, a timer ── blocked ◄┘ wait
//! ```
//!
//! | module | what |
//! | --- | --- |
//! | [`task`] | tasks: a kernel stack, what of a program is in the CPU, the address space |
//! | [`queue`] | run queues, and the CPUs that idle |
//! | [`cpu`] | the choice of the next task, the switch, idling |
//! | [`wait`] | wait queues |
//! | [`timer`] | what happens at a time |
//! | [`mutex`] | a mutex that sleeps |
//!
//! Rules:
//! - The kernel is not preempted: a task leaves its CPU only in [`yield_now`], in a wait, and at its end. A program is, at the
//!   timer interrupt that ends its time slice ([`end_of_slice`]).
//! - Interrupt handlers take no lock of the scheduler, wake nobody and switch nothing. Timers run out when a CPU returns from an
//!   interrupt to ring 3, idles, or looks for the next task.
//! - Nobody leaves his CPU with a spin lock held. What is held across a wait is a [`mutex::Mutex`] or a lock of `mm`.
//! - A CPU that idles, or runs a task of the kernel, has the kernel's own page tables loaded: there is no lazy mode, so no flush
//!   has to reach an idle CPU. Between two threads of one address space nothing is loaded.
//! - No CPU is in an RCU read section when it switches (`Platform::rcu_read` takes it out of the domain at its end), so a switch
//!   has nothing to tell anybody.
#![deny(unsafe_code)]

mod cpu;
pub(crate) mod mutex;
mod queue;
mod task;
#[cfg(feature = "test")]
mod tests;
mod timer;
pub(crate) mod wait;

pub(crate) use cpu::{
    can_sleep, current, end_of_slice, enter_space, init, join, pause, processor_time, relax,
    set_user_registers, space_for_fault, start, stay_or_move, waiting_for_frames, waits_for_frames,
    without_faults, yield_now,
};
#[cfg(feature = "test")]
pub(crate) use cpu::{recover, settle};
pub(crate) use queue::online;
pub(crate) use task::{Attention, Sleep, Task};
pub(crate) use timer::Alarm;
pub(crate) use wait::{Stopped, WaitQueue, sleep_until};

/// Keeps all tasks where they are, so that a test can be given up; whether no CPU but this one has one then.
#[cfg(feature = "test")]
pub(crate) fn hold() -> bool {
    queue::hold()
}
