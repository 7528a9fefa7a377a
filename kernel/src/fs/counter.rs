//! Counters that can be waited for (`eventfd(2)`).

use abi::Errno;
use spin::Mutex;

use super::pipe::{Blocking, POLLERS};
use super::transfer::{Sink, Source};
use crate::sched::{Sleep, WaitQueue};

/// What a read takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Take {
    /// All.
    All,
    /// One (`EFD_SEMAPHORE`).
    One,
}

/// A counter.
pub(crate) struct Counter {
    /// At most `u64::MAX - 1`.
    value: Mutex<u64>,
    take: Take,
    waiters: WaitQueue,
}

impl Counter {
    /// A counter that starts at `value`.
    pub(crate) const fn new(value: u32, take: Take) -> Counter {
        Counter { value: Mutex::new(value as u64), take, waiters: WaitQueue::new() }
    }

    /// Whether a read does not wait.
    pub(crate) fn is_readable(&self) -> bool {
        *self.value.lock() > 0
    }

    /// Whether a write of 1 does not wait.
    pub(crate) fn is_writable(&self) -> bool {
        *self.value.lock() < u64::MAX - 1
    }

    /// Reads 8 bytes: what is taken from the counter. Errors: `EINVAL` for a smaller buffer; `EFAULT`; `EAGAIN` instead of
    /// waiting; `EINTR`.
    pub(crate) fn read(&self, sink: &mut dyn Sink, blocking: Blocking) -> Result<usize, Errno> {
        if sink.room() < 8 {
            return Err(Errno::EINVAL);
        }
        let taken = self.wait_for(blocking, |value| {
            let taken = if self.take == Take::One { 1.min(*value) } else { *value };
            *value -= taken;
            (taken > 0).then_some(taken)
        })?;
        if sink.put(&taken.to_le_bytes()) < 8 { Err(Errno::EFAULT) } else { Ok(8) }
    }

    /// Adds the number in 8 bytes. Errors: `EINVAL` for fewer, or the largest number; `EFAULT`; `EAGAIN` instead of waiting until
    /// it fits; `EINTR`.
    pub(crate) fn write(&self, source: &mut dyn Source, blocking: Blocking) -> Result<usize, Errno> {
        let mut bytes = [0; 8];
        if source.left() < 8 {
            return Err(Errno::EINVAL);
        }
        if source.take(&mut bytes) < 8 {
            return Err(Errno::EFAULT);
        }
        let more = u64::from_le_bytes(bytes);
        if more == u64::MAX {
            return Err(Errno::EINVAL);
        }
        self.wait_for(blocking, |value| {
            let sum = value.checked_add(more).filter(|&sum| sum < u64::MAX)?;
            *value = sum;
            Some(8)
        })
    }

    /// Changes the counter by `change` as soon as that is possible, and wakes others.
    fn wait_for<T>(
        &self,
        blocking: Blocking,
        mut change: impl FnMut(&mut u64) -> Option<T>,
    ) -> Result<T, Errno> {
        let mut result = change(&mut self.value.lock());
        if result.is_none() && blocking == Blocking::Wait {
            let ready = || {
                result = change(&mut self.value.lock());
                result.is_some()
            };
            self.waiters.wait(Sleep::Interruptible, None, ready).map_err(|_| Errno::EINTR)?;
        }
        self.waiters.wake_all();
        POLLERS.wake_all();
        result.ok_or(Errno::EAGAIN)
    }
}
