//! What each CPU does: its run queue, the choice of the next task, the switch, idling.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use core::cell::{Cell, RefCell};
use core::sync::atomic::{AtomicU64, Ordering};

use abi::Errno;
use spin::Mutex;

use super::task::{State, Task};
use super::timer;
use crate::arch::shared::Shared;
use crate::arch::switch::{UserRegisters, switch};
#[cfg(feature = "test")]
use crate::arch::user;
use crate::arch::{self, Local, interrupts};
use crate::memory::KERNEL;
use crate::process::Space;
use crate::time;

/// CPUs that there can be: as many as a `TlbState` knows.
const MAX_CPUS: usize = 64;

/// Tasks that are ready, by CPU, first come first served. Each has room for all tasks there are.
static QUEUES: [Mutex<VecDeque<Shared<Task>>>; MAX_CPUS] = [const { Mutex::new(VecDeque::new()) }; MAX_CPUS];
/// Bit n: CPU n schedules.
static ONLINE: AtomicU64 = AtomicU64::new(0);
static CPUS: Local<Cpu> = Local::new();

/// What a CPU is at. Used by that CPU only, and never across a switch.
struct Cpu {
    current: RefCell<Shared<Task>>,
    /// What runs when nothing else does.
    idle: RefCell<Option<Shared<Task>>>,
    /// The task that was left by the last switch, until the next one has taken note.
    previous: RefCell<Option<Shared<Task>>>,
    /// When the current task got the CPU, in nanoseconds since boot.
    since: Cell<u64>,
}

fn with<R>(user: impl FnOnce(&Cpu) -> R) -> R {
    let make = |_| Cpu {
        current: RefCell::new(Task::adopted().expect("memory for the first task of a CPU")),
        idle: RefCell::new(None),
        previous: RefCell::new(None),
        since: Cell::new(time::now()),
    };
    CPUS.with(make, user)
}

/// Starts scheduling on the boot CPU: what runs is its first task from now on. Once, when memory and the timer are there.
pub(crate) fn init() {
    let idle = Task::new(None, None, Box::new(|| idle())).expect("memory for the idle task");
    with(|cpu| *cpu.idle.borrow_mut() = Some(idle));
    ONLINE.fetch_or(1 << arch::cpu_number(), Ordering::SeqCst);
}

/// The CPUs that schedule, bit n for CPU n.
pub(crate) fn online() -> u64 {
    ONLINE.load(Ordering::SeqCst)
}

/// The task that runs.
pub(crate) fn current() -> Shared<Task> {
    with(|cpu| cpu.current.borrow().clone())
}

/// How long the running task has had a CPU, in nanoseconds.
pub(crate) fn processor_time() -> u64 {
    with(|cpu| cpu.current.borrow().runtime() + (time::now() - cpu.since.get()))
}

/// Makes room in all queues for this many tasks. Errors: `ENOMEM`.
pub(super) fn reserve(tasks: usize) -> Result<(), Errno> {
    for cpu in cpus(online() | 1) {
        let mut queue = QUEUES[cpu].lock();
        let more = tasks.saturating_sub(queue.len());
        queue.try_reserve(more).map_err(|_| Errno::ENOMEM)?;
    }
    Ok(())
}

fn cpus(mask: u64) -> impl Iterator<Item = usize> {
    (0..MAX_CPUS).filter(move |cpu| mask >> cpu & 1 != 0)
}

/// Puts a task that is ready into the queue of the CPU it ran on, or of another one that it may run on. A CPU that idles
/// looks at each tick at the latest.
pub(super) fn enqueue(task: Shared<Task>) {
    let allowed = task.affinity() & online();
    let last = task.cpu() as usize;
    let cpu = if allowed >> last & 1 != 0 { last } else { cpus(allowed).next().unwrap_or(last) };
    QUEUES[cpu].lock().push_back(task);
}

/// Lets a new task run.
pub(crate) fn start(task: &Shared<Task>) {
    enqueue(task.clone());
}

/// The first task in this CPU's queue, or one of another CPU that may run here.
fn pick() -> Option<Shared<Task>> {
    let own = arch::cpu_number() as usize;
    take_from(own, own).or_else(|| cpus(online() & !(1 << own)).find_map(|other| take_from(other, own)))
}

/// Takes a task for CPU `to` out of a queue. One that another CPU has not left yet stays: two CPUs that waited for each other's
/// tasks would do so for ever.
fn take_from(queue: usize, to: usize) -> Option<Shared<Task>> {
    let mut queue = QUEUES[queue].lock();
    let own = current();
    let can_run = |task: &Shared<Task>| task.affinity() >> to & 1 != 0;
    let is_ready = |task: &Shared<Task>| task.context.is_suspended() || task.is(&own);
    let at = queue.iter().position(|task| can_run(task) && is_ready(task))?;
    queue.remove(at)
}

/// Whether nobody is ready.
fn is_idle() -> bool {
    cpus(online()).all(|cpu| QUEUES[cpu].lock().is_empty())
}

/// Lets the other tasks run that are ready, if any; the current one goes to the end of the queue.
pub(crate) fn yield_now() {
    timer::run_expired();
    if let Some(next) = pick() {
        enqueue(current());
        switch_to(next);
    }
}

/// Leaves the CPU if the current task is still about to sleep. Returns when it was woken.
pub(super) fn block() {
    let task = current();
    {
        let mut state = task.state.lock();
        let State::Blocking(sleep) = *state else { return };
        *state = State::Blocked(sleep);
    }
    drop(task);
    timer::run_expired();
    leave();
}

/// Goes on with another task. The current one is in no queue, or has been woken since.
fn leave() {
    let next = pick().or_else(|| with(|cpu| cpu.idle.borrow().clone()));
    switch_to(next.expect("a CPU that schedules has an idle task"));
}

/// Lets others run for a moment, in round `round` (from 0) of a wait that another task, or another CPU, will end soon.
pub(crate) fn relax(round: u32) {
    if online() >> arch::cpu_number() & 1 != 0 {
        yield_now();
    }
    interrupts::relax(round);
}

/// Lets others run, or where there is nobody halts until the next interrupt: for what has to be polled.
pub(crate) fn pause() {
    timer::run_expired();
    match pick() {
        Some(next) => {
            enqueue(current());
            switch_to(next);
        }
        None => interrupts::wait(),
    }
}

/// What a CPU does when there is nothing to do.
fn idle() -> ! {
    loop {
        timer::run_expired();
        match pick() {
            Some(next) => switch_to(next),
            None if is_idle() => interrupts::wait(),
            None => core::hint::spin_loop(),
        }
    }
}

/// Ends the current task, which owns nothing any more.
pub(crate) fn exit() -> ! {
    with(|cpu| *cpu.current.borrow().state.lock() = State::Dead);
    leave();
    unreachable!("a dead task was resumed")
}

/// Where a new task begins.
pub(super) extern "C" fn begin() -> ! {
    finish_switch();
    let body = current().body.lock().take();
    body.expect("a task begins once")();
    exit()
}

/// Switches to `next`, which is in no queue. Returns when somebody switches back, perhaps on another CPU.
fn switch_to(next: Shared<Task>) {
    let previous = current();
    if previous.is(&next) {
        return;
    }
    if let Some(registers) = &mut *previous.user.lock() {
        registers.save();
    }
    // The CPU that ran it before has stored all of it by then.
    let claimed = next.context.claim();
    load_space(next.space.lock().as_ref(), previous.space.lock().as_ref());
    if let Some(registers) = &*next.user.lock() {
        registers.restore();
    }
    next.cpu.store(arch::cpu_number(), Ordering::Relaxed);
    with(|cpu| {
        let now = time::now();
        previous.runtime.fetch_add(now - cpu.since.replace(now), Ordering::Relaxed);
        drop(cpu.current.replace(next));
        switch(previous, |task| &task.context, &cpu.previous, claimed);
    });
    finish_switch();
}

/// The first thing after a switch: what was left is no longer needed, unless others have it.
fn finish_switch() {
    let Some(previous) = with(|cpu| cpu.previous.borrow_mut().take()) else { return };
    if *previous.state.lock() == State::Dead {
        drop(previous.stack.lock().take());
    }
}

/// Makes the CPU, which has `from`, use `to`; without one, the kernel's own tables.
fn load_space(to: Option<&Shared<Space>>, from: Option<&Shared<Space>>) {
    match (to, from) {
        (Some(to), Some(from)) if to.is(from) => {}
        (Some(to), from) => {
            if let Some(from) = from {
                KERNEL.leave(from.tlb());
            }
            KERNEL.load(to.root(), to.tlb());
        }
        (None, Some(from)) => KERNEL.leave(from.tlb()),
        (None, None) => {}
    }
}

/// Gives the current task another address space, or none, and loads it. Returns the one before.
pub(crate) fn enter_space(space: Option<Shared<Space>>) -> Option<Shared<Space>> {
    let task = current();
    let mut own = task.space.lock();
    load_space(space.as_ref(), own.as_ref());
    core::mem::replace(&mut own, space)
}

/// The address space in which a fault of the user copy routines is resolved; `None` while such faults are forbidden.
pub(crate) fn space_for_fault() -> Option<Shared<Space>> {
    let task = current();
    if task.faults_fail.load(Ordering::Relaxed) { None } else { task.space.lock().clone() }
}

/// Runs `access`, in which user memory is touched that must be there already: faults fail, and nothing sleeps.
pub(crate) fn without_faults<R>(access: impl FnOnce() -> R) -> R {
    let task = current();
    let before = task.faults_fail.swap(true, Ordering::Relaxed);
    let result = access();
    task.faults_fail.store(before, Ordering::Relaxed);
    result
}

/// Sets what of the current task's program is in the CPU.
pub(crate) fn set_user_registers(registers: Option<UserRegisters>) {
    if let Some(registers) = &registers {
        registers.restore();
    }
    *current().user.lock() = registers;
}

/// The current run was given up by the test runner, which is the first task: it runs again, and nobody else does.
#[cfg(feature = "test")]
pub(crate) fn recover(first: &Shared<Task>) {
    user::load_kernel_root();
    for queue in &QUEUES {
        queue.lock().drain(..).for_each(core::mem::forget);
    }
    timer::forget_all();
    with(|cpu| {
        let lost = cpu.current.replace(first.clone());
        core::mem::forget(lost);
        core::mem::forget(cpu.previous.take());
    });
    first.context.forget();
    first.cancel();
    core::mem::forget(first.space.lock().take());
    core::mem::forget(first.user.lock().take());
}
