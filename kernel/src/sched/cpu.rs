//! What each CPU does: the choice of the next task, the switch, idling.

use alloc::boxed::Box;
use core::cell::{Cell, RefCell};
use core::sync::atomic::Ordering;

use super::task::{Faults, State, Task};
use super::{queue, timer};
use crate::arch::shared::Shared;
use crate::arch::switch::{UserRegisters, switch};
#[cfg(feature = "test")]
use crate::arch::user;
use crate::arch::{self, Local, interrupts, parallel};
use crate::memory::KERNEL;
use crate::process::Space;
use crate::process::usage::count;
use crate::time;

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

/// Starts scheduling on the boot CPU: what runs is its first task from now on, which stays here. Once, when memory and the timer
/// are there.
pub(crate) fn init() {
    let idle = Task::new(None, None, Box::new(|| idle())).expect("memory for the idle task");
    become_online(idle);
}

/// Runs tasks on another CPU than the boot CPU, for good: what runs is its idle task from now on. Interrupts are on, and the
/// timer runs.
pub(crate) fn join() -> ! {
    become_online(current());
    idle()
}

fn become_online(idle: Shared<Task>) {
    // The first task and the idle task are bound to what belongs to their CPU.
    for task in [current(), idle.clone()] {
        task.set_affinity(1 << arch::cpu_number());
    }
    with(|cpu| *cpu.idle.borrow_mut() = Some(idle));
    queue::set_online();
}

/// The task that runs.
pub(crate) fn current() -> Shared<Task> {
    with(|cpu| cpu.current.borrow().clone())
}

/// How long the running task has had a CPU, in nanoseconds.
pub(crate) fn processor_time() -> u64 {
    with(|cpu| cpu.current.borrow().runtime() + (time::now() - cpu.since.get()))
}

/// Lets a new task run.
pub(crate) fn start(task: &Shared<Task>) {
    queue::enqueue(task.clone());
}

/// A task that is ready for this CPU.
fn pick() -> Option<Shared<Task>> {
    queue::pick(&current())
}

/// Queues the current task, which is about to be left; but a CPU finds its idle task without a queue.
fn put_back(task: Shared<Task>) {
    if !is_idle(&task) {
        queue::enqueue(task);
    }
}

/// Whether it is this CPU's idle task.
fn is_idle(task: &Shared<Task>) -> bool {
    with(|cpu| cpu.idle.borrow().as_ref().is_some_and(|idle| idle.is(task)))
}

/// Lets the other tasks run that are ready, if any; the current one goes to the end of a queue, and elsewhere if it may not stay.
pub(crate) fn yield_now() {
    timer::run_expired();
    let next = pick();
    let task = current();
    if next.is_none() && task.may_run_on(arch::cpu_number()) {
        return;
    }
    count(&task.yields);
    put_back(task);
    leave(next);
}

/// A timer interrupt came in ring 3: timers run out, and others get their turn.
pub(crate) fn end_of_slice() {
    with(|cpu| count(&cpu.current.borrow().user_ticks));
    yield_now();
}

/// Takes the current task elsewhere if it may not run here any more.
pub(crate) fn stay_or_move() {
    if !current().may_run_on(arch::cpu_number()) {
        yield_now();
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
    count(&task.waits);
    drop(task);
    timer::run_expired();
    leave(pick());
}

/// Goes on with `next`, or idles. The current task is queued, blocked (and perhaps woken since), or dead.
fn leave(next: Option<Shared<Task>>) {
    let next = next.or_else(|| with(|cpu| cpu.idle.borrow().clone()));
    switch_to(next.expect("a CPU that schedules has an idle task"));
}

/// Whether the current task can sleep: a CPU's idle task cannot, nor is there sleep before the scheduler.
pub(crate) fn can_sleep() -> bool {
    queue::online() >> arch::cpu_number() & 1 != 0 && !is_idle(&current())
}

/// Lets others run for a moment, in round `round` (from 0) of a wait that another task, or another CPU, will end soon.
pub(crate) fn relax(round: u32) {
    if queue::online() >> arch::cpu_number() & 1 != 0 {
        yield_now();
    }
    interrupts::relax(round);
}

/// Lets others run, or where there is nobody halts until the next interrupt: for what has to be polled.
pub(crate) fn pause() {
    timer::run_expired();
    match pick() {
        Some(next) => {
            put_back(current());
            switch_to(next);
        }
        None => interrupts::wait(),
    }
}

/// What a CPU does when there is nothing to do: what others want of it.
fn idle() -> ! {
    loop {
        while parallel::work() {}
        timer::run_expired();
        match pick() {
            Some(next) => switch_to(next),
            None => queue::rest(),
        }
    }
}

/// Ends the current task, which owns nothing any more.
pub(crate) fn exit() -> ! {
    with(|cpu| *cpu.current.borrow().state.lock() = State::Dead);
    leave(pick());
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
    // SeqCst, with `Task::interrupt`: who wants its attention sees where it runs now, or is seen before ring 3.
    next.cpu.store(arch::cpu_number(), Ordering::SeqCst);
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
    if *previous.state.lock() == State::Dead
        && let Some(stack) = previous.stack.lock().take()
    {
        stack.recycle();
    }
}

/// Makes the CPU, which has `from`, use `to`; without one, the kernel's own tables.
fn load_space(to: Option<&Shared<Space>>, from: Option<&Shared<Space>>) {
    match (to, from) {
        (Some(to), Some(from)) if to.is(from) => {}
        (Some(to), Some(from)) => KERNEL.switch(to.root(), to.tlb(), from.tlb()),
        (Some(to), None) => KERNEL.load(to.root(), to.tlb()),
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
    if task.faults.load(Ordering::Relaxed) == Faults::Fail as u8 { None } else { task.space.lock().clone() }
}

/// Runs `access`, in which user memory is touched that must be there already: faults fail, and nothing sleeps.
pub(crate) fn without_faults<R>(access: impl FnOnce() -> R) -> R {
    with_faults(Faults::Fail, access)
}

/// Runs `access`, in which user memory is touched and no lock is held: faults that find no frame wait for one.
pub(crate) fn waiting_for_frames<R>(access: impl FnOnce() -> R) -> R {
    with_faults(Faults::Wait, access)
}

fn with_faults<R>(faults: Faults, access: impl FnOnce() -> R) -> R {
    let task = current();
    let before = task.faults.swap(faults as u8, Ordering::Relaxed);
    let result = access();
    task.faults.store(before, Ordering::Relaxed);
    result
}

/// Whether a fault of the user copy routines that finds no frame may wait for one now.
pub(crate) fn waits_for_frames() -> bool {
    current().faults.load(Ordering::Relaxed) == Faults::Wait as u8
}

/// Sets what of the current task's program is in the CPU.
pub(crate) fn set_user_registers(registers: Option<UserRegisters>) {
    if let Some(registers) = &registers {
        registers.restore();
    }
    *current().user.lock() = registers;
}

/// Waits until no other CPU is at the end of a task of the last test.
#[cfg(feature = "test")]
pub(crate) fn settle() {
    let mut round = 0;
    while !queue::others_rest() {
        relax(round);
        round += 1;
    }
}

/// The current run was given up by the test runner, which is the first task, after [`hold`](queue::hold): it runs again, and
/// nobody else does.
#[cfg(feature = "test")]
pub(crate) fn recover(first: &Shared<Task>) {
    user::load_kernel_root();
    queue::forget_all();
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
