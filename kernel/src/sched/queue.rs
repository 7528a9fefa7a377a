//! Run queues: the tasks that are ready, by CPU, first come first served; and the CPUs that have nothing to do.
//!
//! A CPU takes tasks from its own queue first, then from those of others. Before it halts it says so, and looks at all queues
//! once more; whoever queues a task looks afterwards for a CPU that says so, and wakes it. So no task waits while a CPU that
//! may run it sleeps.

use alloc::collections::VecDeque;
use core::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use abi::Errno;
use spin::Mutex;

use super::task::Task;
use crate::arch::shared::Shared;
use crate::arch::{self, MAX_CPUS, parallel, smp};

/// The tasks that wait for one CPU; in cache lines of its own, as others look at it.
#[repr(align(128))]
struct Queue {
    /// How many there are. Changed under the lock of `tasks`.
    len: AtomicUsize,
    /// Has room for all tasks there are.
    tasks: Mutex<VecDeque<Shared<Task>>>,
}

static QUEUES: [Queue; MAX_CPUS] =
    [const { Queue { len: AtomicUsize::new(0), tasks: Mutex::new(VecDeque::new()) } }; MAX_CPUS];
/// Bit n: CPU n schedules.
static ONLINE: AtomicU64 = AtomicU64::new(0);
/// Bit n: CPU n is about to halt, or halts, and nobody has woken it since it said so.
static IDLE: AtomicU64 = AtomicU64::new(0);
/// Bit n: CPU n has a task that is not its idle task. Set under the lock of a queue when a task is taken out.
static BUSY: AtomicU64 = AtomicU64::new(0);
/// Tasks stay where they are: a test is being given up.
static HELD: AtomicBool = AtomicBool::new(false);

fn own_bit() -> u64 {
    1 << arch::cpu_number()
}

/// The CPUs that schedule, bit n for CPU n.
pub(crate) fn online() -> u64 {
    ONLINE.load(Ordering::SeqCst)
}

/// This CPU schedules from now on.
pub(super) fn set_online() {
    ONLINE.fetch_or(own_bit(), Ordering::SeqCst);
}

/// Makes room in all queues for this many tasks. Errors: `ENOMEM`.
pub(super) fn reserve(tasks: usize) -> Result<(), Errno> {
    for cpu in smp::numbers(online() | 1) {
        let mut queue = QUEUES[cpu as usize].tasks.lock();
        let more = tasks.saturating_sub(queue.len());
        queue.try_reserve(more).map_err(|_| Errno::ENOMEM)?;
    }
    Ok(())
}

/// Queues a task that is ready for a CPU that it may run on: one that idles, else the one it ran on.
pub(super) fn enqueue(task: Shared<Task>) {
    let cpu = place(&task);
    {
        let queue = &QUEUES[cpu as usize];
        let mut tasks = queue.tasks.lock();
        tasks.push_back(task);
        queue.len.store(tasks.len(), Ordering::SeqCst);
    }
    // SeqCst, with `rest`: a CPU that halts has seen the task, or is seen here.
    let bit = 1 << cpu;
    if IDLE.load(Ordering::SeqCst) & bit != 0 && IDLE.fetch_and(!bit, Ordering::SeqCst) & bit != 0 {
        parallel::wake(cpu);
    }
}

/// The CPU whose queue a task goes to.
fn place(task: &Task) -> u32 {
    let allowed = match task.affinity() & online() {
        0 => online() | 1,
        some => some,
    };
    let last = task.cpu();
    let idle = IDLE.load(Ordering::SeqCst) & allowed;
    let candidates = if idle != 0 { idle } else { allowed };
    if candidates >> last & 1 != 0 { last } else { candidates.trailing_zeros() }
}

/// The first task in this CPU's queue that can run here, or one of another CPU's. `own` is the current task.
pub(super) fn pick(own: &Shared<Task>) -> Option<Shared<Task>> {
    let cpu = arch::cpu_number();
    let others = smp::numbers(online() & !(1 << cpu));
    core::iter::once(cpu).chain(others).find_map(|queue| take_from(&QUEUES[queue as usize], cpu, own))
}

/// Takes a task for CPU `cpu` out of a queue. One that another CPU has not left yet stays: two CPUs that waited for each other's
/// tasks would do so for ever.
fn take_from(queue: &Queue, cpu: u32, own: &Shared<Task>) -> Option<Shared<Task>> {
    if queue.len.load(Ordering::SeqCst) == 0 {
        return None;
    }
    let mut tasks = queue.tasks.lock();
    let can_run = |task: &Shared<Task>| task.may_run_on(cpu) && (task.context.is_suspended() || task.is(own));
    let is_first = tasks.front().is_some_and(can_run);
    let at = if is_first { 0 } else { tasks.iter().position(can_run)? };
    if HELD.load(Ordering::SeqCst) {
        return None;
    }
    if BUSY.load(Ordering::Relaxed) & 1 << cpu == 0 {
        BUSY.fetch_or(1 << cpu, Ordering::SeqCst);
    }
    let task = if is_first { tasks.pop_front() } else { tasks.remove(at) };
    queue.len.store(tasks.len(), Ordering::SeqCst);
    task
}

/// Halts until an interrupt, unless there is a task for this CPU, or will be as soon as another CPU has left it. For idle loops.
pub(super) fn rest() {
    let (cpu, own) = (arch::cpu_number(), own_bit());
    if BUSY.load(Ordering::Relaxed) & own != 0 {
        BUSY.fetch_and(!own, Ordering::SeqCst);
    }
    IDLE.fetch_or(own, Ordering::SeqCst);
    let is_for_us = |queue: &Queue| {
        queue.len.load(Ordering::SeqCst) != 0
            && !HELD.load(Ordering::SeqCst)
            && queue.tasks.lock().iter().any(|task| task.may_run_on(cpu))
    };
    arch::interrupts::wait_unless(|| {
        parallel::has_work() || smp::numbers(online()).any(|queue| is_for_us(&QUEUES[queue as usize]))
    });
    if IDLE.load(Ordering::Relaxed) & own != 0 {
        IDLE.fetch_and(!own, Ordering::SeqCst);
    }
}

/// Whether no CPU but this one has a task, or is about to.
#[cfg(feature = "test")]
pub(super) fn others_rest() -> bool {
    let is_empty = |queue: &Queue| queue.len.load(Ordering::SeqCst) == 0;
    QUEUES.iter().all(is_empty) && BUSY.load(Ordering::SeqCst) & !own_bit() == 0
}

/// Keeps all tasks where they are; whether no CPU but this one has one then. Whoever holds a queue may have been interrupted.
#[cfg(feature = "test")]
pub(super) fn hold() -> bool {
    const LOOKS: u32 = 1_000_000;
    HELD.store(true, Ordering::SeqCst);
    // Who takes a task has seen the mark, or is seen.
    let is_left = |queue: &Queue| queue.tasks.try_lock().is_some();
    let rest = || BUSY.load(Ordering::SeqCst) & !own_bit() == 0;
    let soon = |over: &dyn Fn() -> bool| (0..LOOKS).any(|_| over());
    QUEUES.iter().all(|queue| soon(&|| is_left(queue))) && soon(&rest)
}

/// Forgets all tasks, which will never run again, after [`hold`].
#[cfg(feature = "test")]
pub(super) fn forget_all() {
    for queue in &QUEUES {
        queue.tasks.lock().drain(..).for_each(core::mem::forget);
        queue.len.store(0, Ordering::SeqCst);
    }
    HELD.store(false, Ordering::SeqCst);
}
