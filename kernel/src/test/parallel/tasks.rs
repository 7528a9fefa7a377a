//! Tasks on all CPUs: they sleep, wake each other, and come and go.

use alloc::boxed::Box;
use core::sync::atomic::{AtomicU64, Ordering};

use mm::sync::RwSem;

use super::{LIMIT, Random, kernel_test, set_time_limit};
use crate::arch::shared::Shared;
use crate::arch::{cpu_number, smp};
use crate::memory::{KERNEL, Kernel};
use crate::sched::mutex::Mutex;
use crate::sched::{Sleep, Task, WaitQueue, online, start, yield_now};

/// Runs `body` in so many tasks that may be on any CPU, with the number of each, and waits until all have ended. What they
/// have in common is in `shared`.
fn in_tasks<T: Send + Sync + 'static>(
    tasks: u32,
    shared: T,
    body: fn(&T, u32),
) -> Shared<(T, AtomicU64, WaitQueue)> {
    set_time_limit(LIMIT);
    let common = Shared::new((shared, AtomicU64::new(0), WaitQueue::new())).expect("memory");
    for number in 0..tasks {
        let own = common.clone();
        let work = move || {
            let (shared, ended, changed) = &*own;
            body(shared, number);
            ended.fetch_add(1, Ordering::SeqCst);
            changed.wake_all();
        };
        start(&Task::new(None, None, Box::new(work)).expect("memory"));
    }
    let all = || common.1.load(Ordering::SeqCst) == u64::from(tasks);
    assert_eq!(common.2.wait(Sleep::Uninterruptible, None, all), Ok(()));
    common
}

kernel_test! {
    fn tasks_use_all_cpus() {
        let seen = in_tasks(2 * smp::count(), AtomicU64::new(0), |seen, _| {
            while seen.fetch_or(1 << cpu_number(), Ordering::SeqCst) != online() {
                yield_now();
            }
        });
        assert_eq!(seen.0.load(Ordering::SeqCst), online());
    }

    fn a_task_moves_to_where_it_may_run() {
        in_tasks(4, (), |(), number| {
            let cpus = online();
            for round in 0..50 {
                let cpu = (0..u64::BITS).cycle().skip((number + round) as usize).find(|cpu| cpus >> cpu & 1 != 0);
                let cpu = cpu.expect("a CPU is online");
                crate::sched::current().set_affinity(1 << cpu);
                yield_now();
                assert_eq!(cpu_number(), cpu);
            }
        });
    }

    fn a_mutex_that_sleeps_is_held_by_one_task_on_all_cpus() {
        const ROUNDS: u64 = 300;
        let value = in_tasks(6, Mutex::new([0u64; 2]), |mutex, _| {
            for _ in 0..ROUNDS {
                let mut value = mutex.lock();
                value[0] += 1;
                yield_now();
                value[1] += 1;
                assert_eq!(value[0], value[1]);
            }
        });
        assert_eq!(*value.0.lock(), [6 * ROUNDS; 2]);
    }

    fn tasks_that_sleep_for_a_semaphore_all_get_it() {
        const ROUNDS: u64 = 400;
        let sem = RwSem::<_, &Kernel>::with_parker([0u64; 2], &KERNEL);
        let sem = in_tasks(8, sem, |sem, number| {
            let mut random = Random::new(number);
            for _ in 0..ROUNDS {
                if random.below(2) == 0 {
                    let mut writer = sem.write();
                    writer[0] += 1;
                    // Whoever comes now has to wait.
                    yield_now();
                    writer[1] += 1;
                    let written = *writer;
                    if random.below(2) == 0 {
                        let reader = writer.downgrade();
                        yield_now();
                        assert_eq!(*reader, written, "a writer was in between");
                    }
                } else {
                    let reader = sem.read();
                    assert_eq!(reader[0], reader[1]);
                }
            }
        });
        let sum = sem.0.read()[0];
        assert_eq!(sem.0.sequence(), 2 * sum);
        assert!(!sem.0.is_locked());
    }
}
