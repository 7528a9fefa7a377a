//! Tests of tasks, waits, timers and the mutex.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use core::time::Duration;

use mm::Platform;
use mm::frame::FrameKind;

use super::mutex::Mutex;
use super::task::Body;
use super::{Attention, Sleep, Stopped, Task, WaitQueue, current, sleep_until, start, yield_now};
use crate::arch::shared::Shared;
use crate::memory::KERNEL;
use crate::test::kernel_test;
use crate::time;

/// What the tasks of a test have in common.
struct Stage {
    log: spin::Mutex<Vec<usize>>,
    ended: AtomicUsize,
    changed: WaitQueue,
    go: AtomicBool,
    mutex: Mutex<u64>,
}

impl Stage {
    fn new() -> Shared<Stage> {
        let stage = Stage {
            log: spin::Mutex::new(Vec::new()),
            ended: AtomicUsize::new(0),
            changed: WaitQueue::new(),
            go: AtomicBool::new(false),
            mutex: Mutex::new(0),
        };
        Shared::new(stage).expect("memory")
    }

    fn note(&self, number: usize) {
        self.log.lock().push(number);
    }

    fn log(&self) -> Vec<usize> {
        self.log.lock().clone()
    }

    fn wait_for(&self, ended: usize) {
        let all = || self.ended.load(Ordering::SeqCst) == ended;
        assert_eq!(self.changed.wait(Sleep::Uninterruptible, None, all), Ok(()));
    }
}

fn spawn(stage: &Shared<Stage>, play: impl FnOnce(&Stage) + Send + 'static) -> Shared<Task> {
    let own = stage.clone();
    let body: Body = Box::new(move || {
        play(&own);
        own.ended.fetch_add(1, Ordering::SeqCst);
        own.changed.wake_all();
    });
    let task = Task::new(None, None, body).expect("memory");
    // In turns with this one.
    task.set_affinity(current().affinity());
    start(&task);
    task
}

kernel_test! {
    fn tasks_take_turns_in_the_order_in_which_they_became_ready() {
        let stage = Stage::new();
        for number in 1..=3 {
            spawn(&stage, move |stage| {
                for _ in 0..2 {
                    stage.note(number);
                    yield_now();
                }
            });
        }
        assert_eq!(stage.log(), [], "a new task waits for its turn");
        stage.wait_for(3);
        assert_eq!(stage.log(), [1, 2, 3, 1, 2, 3]);
    }

    fn a_task_that_ended_gives_its_stack_back() {
        let stage = Stage::new();
        let kernel_frames = || KERNEL.frames().statistics().allocated(FrameKind::Kernel);
        let mut before = 0;
        for round in 0..4 {
            for _ in 0..20 {
                spawn(&stage, |_| yield_now());
            }
            stage.wait_for(20 * (round + 1));
            // The last one may still be on its stack.
            yield_now();
            if round == 0 {
                before = kernel_frames();
            }
        }
        assert_eq!(kernel_frames(), before);
    }

    fn a_waiter_sleeps_until_it_is_woken() {
        let stage = Stage::new();
        spawn(&stage, |stage| {
            let go = || stage.go.load(Ordering::SeqCst);
            assert_eq!(stage.changed.wait(Sleep::Interruptible, None, go), Ok(()));
            stage.note(2);
        });
        yield_now();
        yield_now();
        stage.note(1);
        stage.go.store(true, Ordering::SeqCst);
        assert_eq!(stage.log(), [1], "nobody is woken yet");
        stage.changed.wake_one();
        stage.wait_for(1);
        assert_eq!(stage.log(), [1, 2]);
    }

    fn waking_one_wakes_the_one_that_waits_longest() {
        let stage = Stage::new();
        let queue = Shared::new(WaitQueue::new()).expect("memory");
        let tickets = Shared::new(AtomicUsize::new(0)).expect("memory");
        for number in 1..=3 {
            let (queue, tickets) = (queue.clone(), tickets.clone());
            spawn(&stage, move |stage| {
                let take = || tickets.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1)).is_ok();
                assert_eq!(queue.wait(Sleep::Uninterruptible, None, take), Ok(()));
                stage.note(number);
            });
        }
        yield_now();
        for number in 1..=3 {
            tickets.store(1, Ordering::SeqCst);
            queue.wake_one();
            stage.wait_for(number);
        }
        assert_eq!(stage.log(), [1, 2, 3]);
    }

    fn a_wait_ends_when_its_time_is_over() {
        let queue = WaitQueue::new();
        let start = time::since_boot();
        let deadline = start + Duration::from_millis(30);
        assert_eq!(queue.wait(Sleep::Uninterruptible, Some(deadline), || false), Err(Stopped::TimedOut));
        assert!(time::since_boot() >= deadline);
        assert_eq!(queue.wait(Sleep::Uninterruptible, Some(deadline), || true), Ok(()), "what is there counts");
    }

    fn sleepers_wake_in_the_order_of_their_times() {
        let stage = Stage::new();
        let start = time::since_boot();
        for number in [3, 1, 2] {
            let wake = start + Duration::from_millis(40 * number as u64);
            spawn(&stage, move |stage| {
                assert_eq!(sleep_until(wake), Ok(()));
                assert!(time::since_boot() >= wake);
                stage.note(number);
            });
        }
        stage.wait_for(3);
        assert_eq!(stage.log(), [1, 2, 3]);
    }

    fn a_signal_ends_the_sleeps_that_it_may_end() {
        let stage = Stage::new();
        let sleep = |sleep| {
            spawn(&stage, move |stage| {
                let go = || stage.go.load(Ordering::SeqCst);
                let number = match stage.changed.wait(sleep, None, go) {
                    Ok(()) => 0,
                    Err(_) => 1,
                };
                stage.note(number);
            })
        };
        let (any, killable, none) = (sleep(Sleep::Interruptible), sleep(Sleep::Killable), sleep(Sleep::Uninterruptible));
        let alert = |attention| {
            for task in [&any, &killable, &none] {
                task.set_attention(attention);
                task.interrupt();
            }
            yield_now();
            yield_now();
        };
        yield_now();
        alert(Attention::Signal);
        assert_eq!(stage.log(), [1], "only the interruptible one");
        alert(Attention::Killed);
        assert_eq!(stage.log(), [1, 1], "the killable one, too");
        stage.go.store(true, Ordering::SeqCst);
        stage.changed.wake_all();
        stage.wait_for(3);
        assert_eq!(stage.log(), [1, 1, 0]);
    }

    fn a_mutex_is_held_by_one_task_across_switches() {
        let stage = Stage::new();
        for _ in 0..4 {
            spawn(&stage, |stage| {
                for _ in 0..10 {
                    let mut value = stage.mutex.lock();
                    let before = *value;
                    yield_now();
                    *value = before + 1;
                }
            });
        }
        stage.wait_for(4);
        assert_eq!(*stage.mutex.lock(), 40);
    }

    fn a_shared_value_is_dropped_with_its_last_owner() {
        struct Bell(Shared<AtomicUsize>);
        impl Drop for Bell {
            fn drop(&mut self) {
                self.0.fetch_add(1, Ordering::SeqCst);
            }
        }
        let rings = Shared::new(AtomicUsize::new(0)).expect("memory");
        let first = Shared::new(Bell(rings.clone())).expect("memory");
        let second = first.clone();
        assert!(first.is(&second) && first.owners() == 2);
        drop(first);
        assert_eq!(rings.load(Ordering::SeqCst), 0);
        drop(second);
        assert_eq!(rings.load(Ordering::SeqCst), 1);
    }

    panics("the stage falls")
    fn a_panic_in_another_task_is_only_that_tests_failure() {
        let stage = Stage::new();
        spawn(&stage, |_| panic!("the stage falls"));
        stage.wait_for(1);
    }

    fn after_a_panic_in_another_task_tasks_run() {
        let stage = Stage::new();
        let own = current();
        spawn(&stage, |_| yield_now());
        stage.wait_for(1);
        assert!(own.is(&current()));
    }
}
