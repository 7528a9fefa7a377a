//! Tests with all CPUs at the same time. On one CPU they are what is left of them.
//!
//! Each does a bounded amount of work, however long that takes. A panic while other CPUs are at it, the watchdog's included,
//! stops all of them and ends the machine, as they may be using each other's stacks.

mod faults;
mod flushes;
mod huge;
mod locks;
mod machine;
mod moves;
mod shared;
mod tasks;

use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use super::{kernel_test, set_time_limit};
use crate::arch::{cpu_number, interrupts, parallel, smp};
use crate::time::TICKS_PER_SECOND;

/// Time for a test, in timer ticks: the host may have other things to do.
const LIMIT: u64 = 100 * TICKS_PER_SECOND;

/// Runs `work` on all CPUs at the same time, with the place of each among them, from 0.
fn on_all(work: impl Fn(u32) + Sync) {
    set_time_limit(LIMIT);
    let start = Meeting::new();
    parallel::on(smp::working(), &|number| {
        start.wait_for_all();
        work((smp::working() & ((1 << number) - 1)).count_ones());
    });
}

/// A point at which all CPUs wait for each other, once.
struct Meeting(AtomicU32);

impl Meeting {
    const fn new() -> Self {
        Meeting(AtomicU32::new(0))
    }

    fn wait_for_all(&self) {
        if self.0.fetch_add(1, Ordering::AcqRel) + 1 == smp::count() {
            wake_others();
        }
        interrupts::wait_until(|| self.0.load(Ordering::Acquire) >= smp::count());
    }
}

/// What the others may be waiting for has come: ends their halts.
fn wake_others() {
    smp::numbers(smp::working() & !(1 << cpu_number())).for_each(parallel::wake);
}

/// Sets `counter`, for those who [wait](wait_for) for it.
fn set(counter: &AtomicU64, value: u64) {
    counter.store(value, Ordering::Release);
    wake_others();
}

/// Waits until `counter` is at least `value`.
fn wait_for(counter: &AtomicU64, value: u64) {
    interrupts::wait_until(|| counter.load(Ordering::Acquire) >= value);
}

/// Random numbers, different for each seed (xorshift64).
struct Random(u64);

impl Random {
    fn new(seed: u32) -> Self {
        Random(0x9e37_79b9_7f4a_7c15 ^ u64::from(seed + 1) << 32)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}
