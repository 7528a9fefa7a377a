//! Tasks: what is scheduled.

use alloc::boxed::Box;
use core::sync::atomic::{AtomicI32, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering};

use abi::Errno;
use spin::Mutex;

use super::{cpu, queue, timer};
use crate::arch::parallel;
use crate::arch::shared::{NoMemory, Shared};
use crate::arch::switch::{KernelContext, UserRegisters};
use crate::memory::KernelStack;
use crate::process::Space;
use crate::process::usage::Usage;

/// How deep a task sleeps.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Sleep {
    /// Any signal wakes it.
    Interruptible,
    /// A signal that ends it wakes it.
    Killable,
    /// Only what it waits for wakes it.
    Uninterruptible,
}

/// Whether a task should look at its signals.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(crate) enum Attention {
    /// Nothing waits.
    None,
    /// A signal is to be handled before the next return to ring 3.
    Signal,
    /// It is to end.
    Killed,
}

/// What becomes of a task's faults in the user copy routines.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(super) enum Faults {
    /// They are resolved; without a frame they fail.
    Resolve,
    /// They are resolved, and wait for a frame.
    Wait,
    /// They fail.
    Fail,
}

/// Guarded by [`Task::state`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum State {
    /// On a CPU or in a run queue.
    Runnable,
    /// On a CPU, and about to leave it unless it is woken before.
    Blocking(Sleep),
    /// Neither on a CPU nor in a run queue.
    Blocked(Sleep),
    /// Has run for the last time.
    Dead,
}

/// What a task does first and last. It may not be called twice.
pub(crate) type Body = Box<dyn FnOnce() + Send>;

/// A task. The CPU that runs it is the only one to touch `user`, `space` and `stack`, but for the claim of the stack, which
/// waits for the CPU before, and looks at `space`.
pub(crate) struct Task {
    /// Taken in no order with other locks: nothing is taken inside but a run queue.
    pub(super) state: Mutex<State>,
    /// Where it goes on.
    pub(super) context: KernelContext,
    /// `None` for tasks that began on a stack of their CPU.
    pub(super) stack: Mutex<Option<KernelStack>>,
    /// What it starts with.
    pub(super) body: Mutex<Option<Body>>,
    /// What of its program is in the CPU while it runs, here while it does not.
    pub(super) user: Mutex<Option<UserRegisters>>,
    /// The address space that is loaded while it runs.
    pub(super) space: Mutex<Option<Shared<Space>>>,
    /// An [`Attention`].
    attention: AtomicU8,
    /// CPUs that it may run on, bit n for CPU n.
    pub(super) affinity: AtomicU64,
    /// The CPU that it ran on last.
    pub(super) cpu: AtomicU32,
    /// How long it has run, in nanoseconds, up to the last switch.
    pub(super) runtime: AtomicU64,
    /// Timer ticks in ring 3, and how often it left its CPU to wait, or to let others run. Counted by the task itself.
    pub(super) user_ticks: AtomicU64,
    pub(super) waits: AtomicU64,
    pub(super) yields: AtomicU64,
    /// What becomes of faults of the user copy routines: [`Faults`]. Used by the task itself.
    pub(super) faults: AtomicU8,
    /// Where it waits for a futex: 1 + the number of the bucket; 0 once it was woken. Changed under the lock of that bucket.
    pub(crate) futex: AtomicUsize,
    /// The number of the process that it is a thread of; 0 for none.
    pid: AtomicI32,
    /// Room for its entry in the queues and among the timers; also counts tasks.
    _room: Option<timer::Room>,
}

impl Task {
    /// A task that will run `body`, and has `user` and `space` while it does.
    ///
    /// # Errors
    /// `ENOMEM`; `EAGAIN` without a free kernel stack.
    pub(crate) fn new(
        user: Option<UserRegisters>,
        space: Option<Shared<Space>>,
        body: Body,
    ) -> Result<Shared<Task>, Errno> {
        let room = timer::Room::new()?;
        queue::reserve(room.tasks())?;
        let stack = KernelStack::recycled().map_err(|_| Errno::EAGAIN)?;
        let context = KernelContext::starting(stack.top(), cpu::begin);
        Ok(Shared::new(Task {
            state: Mutex::new(State::Runnable),
            context,
            stack: Mutex::new(Some(stack)),
            body: Mutex::new(Some(body)),
            user: Mutex::new(user),
            space: Mutex::new(space),
            attention: AtomicU8::new(Attention::None as u8),
            affinity: AtomicU64::new(u64::MAX),
            cpu: AtomicU32::new(crate::arch::cpu_number()),
            runtime: AtomicU64::new(0),
            user_ticks: AtomicU64::new(0),
            waits: AtomicU64::new(0),
            yields: AtomicU64::new(0),
            faults: AtomicU8::new(Faults::Resolve as u8),
            futex: AtomicUsize::new(0),
            pid: AtomicI32::new(0),
            _room: Some(room),
        })?)
    }

    /// The task that is what this CPU does already, on the stack it is on.
    pub(super) fn adopted() -> Result<Shared<Task>, NoMemory> {
        Shared::new(Task {
            state: Mutex::new(State::Runnable),
            context: KernelContext::running(),
            stack: Mutex::new(None),
            body: Mutex::new(None),
            user: Mutex::new(None),
            space: Mutex::new(None),
            attention: AtomicU8::new(Attention::None as u8),
            affinity: AtomicU64::new(u64::MAX),
            cpu: AtomicU32::new(crate::arch::cpu_number()),
            runtime: AtomicU64::new(0),
            user_ticks: AtomicU64::new(0),
            waits: AtomicU64::new(0),
            yields: AtomicU64::new(0),
            faults: AtomicU8::new(Faults::Resolve as u8),
            futex: AtomicUsize::new(0),
            pid: AtomicI32::new(0),
            _room: timer::Room::new().ok(),
        })
    }

    /// The number of the process that it is a thread of; 0 for none.
    pub(crate) fn pid(&self) -> i32 {
        self.pid.load(Ordering::Relaxed)
    }

    /// It is a thread of this process.
    pub(crate) fn set_pid(&self, pid: i32) {
        self.pid.store(pid, Ordering::Relaxed);
    }

    /// Its address space, if it has one. Dropping what may be the last owner takes it apart: not under a spin lock.
    pub(crate) fn space(&self) -> Option<Shared<Space>> {
        self.space.lock().clone()
    }

    /// Whether it should look at its signals.
    pub(crate) fn attention(&self) -> Attention {
        match self.attention.load(Ordering::Acquire) {
            2 => Attention::Killed,
            1 => Attention::Signal,
            _ => Attention::None,
        }
    }

    /// Whether that is anything.
    #[inline]
    pub(crate) fn has_attention(&self) -> bool {
        self.attention.load(Ordering::Acquire) != Attention::None as u8
    }

    /// Asks it to look at its signals, or takes that back; a task that sleeps wakes up for it if it may. One that is
    /// to end stays so.
    pub(crate) fn set_attention(&self, attention: Attention) {
        let change = |old| (old != Attention::Killed as u8).then_some(attention as u8);
        let _killed = self.attention.fetch_update(Ordering::AcqRel, Ordering::Acquire, change);
    }

    /// Takes back that it is to end.
    #[cfg(feature = "test")]
    pub(crate) fn revive(&self) {
        self.attention.store(Attention::None as u8, Ordering::Release);
    }

    /// Announces that the current task will sleep, unless it is woken from now on.
    pub(super) fn prepare(&self, sleep: Sleep) {
        *self.state.lock() = State::Blocking(sleep);
    }

    /// The current task does not sleep after all.
    pub(super) fn cancel(&self) {
        *self.state.lock() = State::Runnable;
    }

    /// Whether what it waits for may be interrupted now.
    pub(super) fn is_interrupted(&self, sleep: Sleep) -> bool {
        match sleep {
            Sleep::Interruptible => self.attention() != Attention::None,
            Sleep::Killable => self.attention() == Attention::Killed,
            Sleep::Uninterruptible => false,
        }
    }

    /// The CPUs that it may run on, bit n for CPU n.
    pub(crate) fn affinity(&self) -> u64 {
        self.affinity.load(Ordering::Relaxed)
    }

    /// Sets the CPUs that it may run on. If it runs elsewhere it moves when it enters the kernel, for which it is interrupted.
    pub(crate) fn set_affinity(&self, cpus: u64) {
        self.affinity.store(cpus, Ordering::SeqCst);
        if !self.may_run_on(self.cpu()) {
            self.kick();
        }
    }

    /// If it runs on another CPU, makes that enter the kernel.
    fn kick(&self) {
        let cpu = self.cpu.load(Ordering::SeqCst);
        if cpu != crate::arch::cpu_number() && !self.context.is_suspended() {
            parallel::wake(cpu);
        }
    }

    /// Whether it may run on this CPU.
    pub(crate) fn may_run_on(&self, cpu: u32) -> bool {
        self.affinity() >> cpu & 1 != 0
    }

    /// The CPU that it runs on, or ran on last.
    pub(crate) fn cpu(&self) -> u32 {
        self.cpu.load(Ordering::Relaxed)
    }

    /// What it has used up to its last switch; page faults it does not know.
    pub(crate) fn usage(&self) -> Usage {
        Usage {
            nanoseconds: self.runtime(),
            user_ticks: self.user_ticks.load(Ordering::Relaxed),
            faults: 0,
            waits: self.waits.load(Ordering::Relaxed),
            yields: self.yields.load(Ordering::Relaxed),
        }
    }

    /// How long it ran before its last switch, in nanoseconds.
    pub(crate) fn runtime(&self) -> u64 {
        self.runtime.load(Ordering::Relaxed)
    }
}

impl Shared<Task> {
    /// Ends its sleep, whatever it sleeps for.
    pub(crate) fn wake(&self) {
        self.wake_from(|_| true);
    }

    /// It has been told of a signal: ends its sleep if a signal may, or makes it enter the kernel.
    pub(crate) fn interrupt(&self) {
        self.wake_from(|sleep| self.is_interrupted(sleep));
        self.kick();
    }

    fn wake_from(&self, may: impl Fn(Sleep) -> bool) {
        let has_left = {
            let mut state = self.state.lock();
            let (State::Blocking(sleep) | State::Blocked(sleep)) = *state else { return };
            if !may(sleep) {
                return;
            }
            matches!(core::mem::replace(&mut *state, State::Runnable), State::Blocked(_))
        };
        // Not under the lock: another CPU may run the task at once, and then wants it.
        if has_left {
            queue::enqueue(self.clone());
        }
    }
}
