//! A process: what its threads share, and what others know of each thread.

use core::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, Ordering};
use core::time::Duration;

use abi::{Errno, Signal};
use spin::{Mutex, Once};

use super::about::About;
use super::limits::ResourceLimits;
use super::signals::action::Actions;
use super::signals::pending::Pending;
use super::signals::{Set, post};
use super::usage::{Ended, Usage};
use crate::arch::shared::Shared;
use crate::sched::{self, Alarm, Attention, Task, WaitQueue};
use crate::time;

/// What the threads of a process share. Its relations to others are in the [`table`](super::table).
pub(crate) struct Process {
    /// Its number.
    pub(crate) pid: i32,
    /// The signal that its parent gets at its end, 0 for none.
    pub(crate) exit_signal: AtomicI32,
    /// What others may want to know. Innermost.
    pub(crate) about: Mutex<About>,
    /// Its limits. Those that concern memory and files are also there.
    pub(crate) limits: Mutex<ResourceLimits>,
    /// Signal actions, and signals for any of its threads.
    pub(crate) signals: Mutex<ProcessSignals>,
    /// `alarm(2)` and the real-time timer of `setitimer(2)`; the period of the latter.
    pub(crate) alarm: Alarm,
    pub(crate) alarm_period: Mutex<Duration>,
    /// What was used by those who have ended. Innermost.
    pub(crate) ended: Mutex<Ended>,
    /// Woken when a child ended.
    pub(crate) children: WaitQueue,
    /// Woken when one of its threads ended.
    pub(crate) threads: WaitQueue,
    /// The memory it was made with by `vfork` is its parent's no more.
    pub(crate) released: AtomicBool,
    /// Woken then.
    pub(crate) release: WaitQueue,
}

/// The signals of a process. Taken inside the table, outside of [`ThreadSignals`].
pub(crate) struct ProcessSignals {
    /// What it does about them.
    pub(crate) actions: Actions,
    /// Signals for any thread.
    pub(crate) pending: Pending,
}

/// What others know of a thread.
pub(crate) struct Handle {
    /// Its number; changes only when it takes over the whole process.
    tid: AtomicI32,
    task: Once<Shared<Task>>,
    /// Its own signals. Innermost of the signal locks.
    pub(crate) signals: Mutex<ThreadSignals>,
    /// Where it holds robust futexes: the address of its list, 0 for none.
    pub(crate) robust_list: Mutex<u64>,
    /// It gains no privileges by `execve(2)`, nor do its children (`PR_SET_NO_NEW_PRIVS`). Never cleared.
    pub(crate) no_new_privileges: AtomicBool,
    /// Page faults of the program in this thread, which alone counts them.
    pub(crate) faults: AtomicU64,
}

/// The signals of a thread.
#[derive(Debug)]
pub(crate) struct ThreadSignals {
    /// Blocked signals; never SIGKILL or SIGSTOP.
    pub(crate) mask: Set,
    /// Signals it waits for in `rt_sigtimedwait`: these wake it although they are blocked.
    pub(crate) awaited: Set,
    /// Signals for this thread.
    pub(crate) pending: Pending,
}

impl Process {
    /// A process with default actions. Errors: `ENOMEM`.
    pub(crate) fn new(
        pid: i32,
        limits: ResourceLimits,
        actions: Actions,
        exit_signal: i32,
    ) -> Result<Shared<Process>, Errno> {
        let alarm = Alarm::new(alarm, pid)?;
        Ok(Shared::new_with(|| Process {
            pid,
            exit_signal: AtomicI32::new(exit_signal),
            about: Mutex::new(About::new()),
            limits: Mutex::new(limits),
            signals: Mutex::new(ProcessSignals { actions, pending: Pending::new() }),
            alarm,
            alarm_period: Mutex::new(Duration::ZERO),
            ended: Mutex::new(Ended::default()),
            children: WaitQueue::new(),
            threads: WaitQueue::new(),
            released: AtomicBool::new(false),
            release: WaitQueue::new(),
        })?)
    }

    /// The memory that its parent may wait for is not used any more.
    pub(crate) fn let_parent_go(&self) {
        self.released.store(true, Ordering::SeqCst);
        self.release.wake_all();
    }
}

/// The alarm of process `pid` went off.
fn alarm(pid: i32) {
    let Some(process) = super::table::process(pid) else { return };
    let period = *process.alarm_period.lock();
    if !period.is_zero() {
        process.alarm.set(Some(time::since_boot() + period));
    }
    post::to_process(&process, super::signals::info::SigInfo::kernel(Signal::SIGALRM));
}

impl Handle {
    /// A thread with number `tid`, whose task does not exist yet. Errors: `ENOMEM`.
    pub(crate) fn new(tid: i32, mask: Set) -> Result<Shared<Handle>, Errno> {
        Ok(Shared::new(Handle {
            tid: AtomicI32::new(tid),
            task: Once::new(),
            signals: Mutex::new(ThreadSignals { mask, awaited: 0, pending: Pending::new() }),
            robust_list: Mutex::new(0),
            no_new_privileges: AtomicBool::new(false),
            faults: AtomicU64::new(0),
        })?)
    }

    /// Its number.
    pub(crate) fn tid(&self) -> i32 {
        self.tid.load(Ordering::Relaxed)
    }

    /// It takes over the number of its process.
    pub(crate) fn set_tid(&self, tid: i32) {
        self.tid.store(tid, Ordering::Relaxed);
    }

    /// Its task has been made. Done as it comes into the table, so that whoever finds it there finds its task.
    pub(crate) fn set_task(&self, task: Shared<Task>) {
        self.task.call_once(|| task);
    }

    /// Its task; `None` before that is made.
    pub(crate) fn task(&self) -> Option<&Shared<Task>> {
        self.task.get()
    }

    /// What it has used up to the last switch to or from it.
    pub(crate) fn usage(&self) -> Usage {
        let usage = self.task().map_or(Usage::default(), |task| task.usage());
        Usage { faults: self.faults.load(Ordering::Relaxed), ..usage }
    }

    /// What it has used. It is the current thread.
    pub(crate) fn usage_now(&self) -> Usage {
        Usage { nanoseconds: sched::processor_time(), ..self.usage() }
    }

    /// Whether it should look at its signals.
    #[inline]
    pub(crate) fn attention(&self) -> Attention {
        self.task().map_or(Attention::None, |task| task.attention())
    }

    /// Asks the thread to look at its signals, and wakes it for that.
    pub(crate) fn alert(&self, attention: Attention) {
        if let Some(task) = self.task() {
            task.set_attention(attention);
            task.interrupt();
        }
    }
}
