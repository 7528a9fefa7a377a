//! Wait queues: tasks that sleep until somebody wakes them, a time has come, or a signal.

use alloc::collections::VecDeque;
use core::time::Duration;

use abi::Errno;
use spin::Mutex;

use super::task::{Sleep, Task};
use super::{cpu, timer};
use crate::arch::shared::Shared;
use crate::time;

/// Why a wait ended without what it was for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Stopped {
    /// Its time is over.
    TimedOut,
    /// The task should look at its signals.
    Interrupted,
}

/// Tasks that wait for the same thing, first come first served.
pub(crate) struct WaitQueue(Mutex<VecDeque<Shared<Task>>>);

impl WaitQueue {
    /// Nobody waits.
    pub(crate) const fn new() -> WaitQueue {
        WaitQueue(Mutex::new(VecDeque::new()))
    }

    /// Waits until `ready`, at most until `deadline` (since boot). `ready` is asked while the task is about to sleep, so it does
    /// not sleep itself; whoever makes it true wakes this queue afterwards. When memory is short this polls.
    pub(crate) fn wait(
        &self,
        sleep: Sleep,
        deadline: Option<Duration>,
        mut ready: impl FnMut() -> bool,
    ) -> Result<(), Stopped> {
        loop {
            if let Some(result) = self.wait_once(sleep, deadline, &mut ready) {
                return result;
            }
            // Mostly it was woken for what it waits for.
            if ready() {
                return Ok(());
            }
        }
    }

    /// As [`wait`](Self::wait), until the task is woken for the first time, for whatever reason: `None` then.
    pub(crate) fn wait_once(
        &self,
        sleep: Sleep,
        deadline: Option<Duration>,
        ready: &mut dyn FnMut() -> bool,
    ) -> Option<Result<(), Stopped>> {
        let task = cpu::current();
        // In this order: whoever takes it out of the queue ends the sleep that it is about to begin.
        task.prepare(sleep);
        let queued = self.join(&task);
        let result = outcome(&task, sleep, deadline, ready);
        match (&result, queued) {
            (None, Ok(())) => block_until(&task, deadline),
            (None, Err(_)) => {
                task.cancel();
                cpu::pause();
            }
            (Some(_), _) => task.cancel(),
        }
        self.part(&task);
        result
    }

    fn join(&self, task: &Shared<Task>) -> Result<(), Errno> {
        let mut waiters = self.0.lock();
        waiters.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
        waiters.push_back(task.clone());
        Ok(())
    }

    fn part(&self, task: &Shared<Task>) {
        self.0.lock().retain(|waiter| !waiter.is(task));
    }

    /// Wakes the one that waits longest.
    pub(crate) fn wake_one(&self) {
        let first = self.0.lock().pop_front();
        if let Some(task) = first {
            task.wake();
        }
    }

    /// Wakes all.
    pub(crate) fn wake_all(&self) {
        // Not under the lock: who is awake wants it, too. Who comes meanwhile has looked for itself.
        let waiters = self.0.lock().len();
        (0..waiters).for_each(|_| self.wake_one());
    }
}

/// How the wait of a task that is about to sleep has ended, if it has.
fn outcome(
    task: &Task,
    sleep: Sleep,
    deadline: Option<Duration>,
    ready: &mut dyn FnMut() -> bool,
) -> Option<Result<(), Stopped>> {
    if ready() {
        Some(Ok(()))
    } else if task.is_interrupted(sleep) {
        Some(Err(Stopped::Interrupted))
    } else if deadline.is_some_and(|deadline| time::since_boot() >= deadline) {
        Some(Err(Stopped::TimedOut))
    } else {
        None
    }
}

/// Sleeps, unless woken since [`Task::prepare`], at most until `deadline` (since boot).
pub(super) fn block_until(task: &Shared<Task>, deadline: Option<Duration>) {
    if let Some(deadline) = deadline {
        timer::wake_at(task.clone(), deadline);
    }
    cpu::block();
    if deadline.is_some() {
        timer::cancel(task);
    }
}

/// Sleeps until `wake` (since boot). Errors: only [`Stopped::Interrupted`].
pub(crate) fn sleep_until(wake: Duration) -> Result<(), Stopped> {
    wait_alone(Some(wake), || false).or_else(|stopped| match stopped {
        Stopped::TimedOut => Ok(()),
        Stopped::Interrupted => Err(stopped),
    })
}

/// Waits, in no queue, until `ready`: whoever makes it true wakes the task itself. At most until `deadline` (since boot), and
/// signals interrupt it.
pub(crate) fn wait_alone(deadline: Option<Duration>, mut ready: impl FnMut() -> bool) -> Result<(), Stopped> {
    let task = cpu::current();
    loop {
        task.prepare(Sleep::Interruptible);
        let result = outcome(&task, Sleep::Interruptible, deadline, &mut ready);
        if let Some(result) = result {
            task.cancel();
            return result;
        }
        block_until(&task, deadline);
    }
}
