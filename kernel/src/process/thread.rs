//! A thread, as itself sees it. Nobody else touches this; what others see is in its [`Handle`].

use core::time::Duration;

use abi::rlimit::{RLIMIT_AS, RLIMIT_DATA, RLIMIT_MEMLOCK, RLIMIT_NOFILE, RLIMIT_STACK, Rlimit};
use abi::{Errno, Signal};
use mm::space::Limits;

use super::signals::info::SigInfo;
use super::signals::post;
use super::{Ending, Handle, Process, Space, proc, table};
use crate::arch::shared::Shared;
use crate::arch::user::Context;
use crate::fs::transfer::Sink;
use crate::fs::{Files, Position};
use crate::sched::{self, Attention, Stopped};

/// Size of a thread's name in bytes, with its NUL (`TASK_COMM_LEN`).
pub(crate) const NAME_SIZE: usize = 16;

/// What becomes of a system call that a signal interrupted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Restart {
    /// It returns what it returned.
    No,
    /// It is made again, unless a handler runs that has no `SA_RESTART`.
    UnlessHandled,
    /// It is made again, unless a handler runs.
    WithoutHandler,
}

/// The stack for handlers (`sigaltstack(2)`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct AlternateStack {
    /// Its lowest byte.
    pub(crate) address: u64,
    /// `SS_` flags.
    pub(crate) flags: u32,
    /// Its size in bytes; 0 for none.
    pub(crate) size: u64,
}

/// What an exception said, for the signal frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Trap {
    pub(crate) vector: u64,
    pub(crate) error: u64,
    /// CR2.
    pub(crate) address: u64,
}

/// A thread.
pub(crate) struct Thread {
    /// Its process.
    pub(crate) process: Shared<Process>,
    /// What others know of it.
    pub(crate) handle: Shared<Handle>,
    /// Its memory.
    pub(crate) space: Shared<Space>,
    /// Its files.
    pub(crate) files: Files,
    /// Its registers while it is not in ring 3.
    pub(crate) context: Context,
    /// Its name, which it may change; ends with NUL.
    pub(crate) name: [u8; NAME_SIZE],
    /// Where to store 0 at its end, and wake a futex (`set_tid_address(2)`); 0 for nowhere.
    pub(crate) clear_tid: u64,
    /// The stack for handlers.
    pub(crate) alternate_stack: AlternateStack,
    /// The mask to go back to when no handler runs (`rt_sigsuspend(2)`).
    pub(crate) saved_mask: Option<u64>,
    /// Whether the last system call is to be made again, and its number. Set by [`restart`](Self::restart).
    pub(crate) restart: Restart,
    pub(crate) call: u64,
    /// Until when the interrupted call that is made again may wait, since boot.
    pub(crate) resumed_deadline: Option<Duration>,
    /// The last exception.
    pub(super) trap: Trap,
    /// Set by [`exit`](Self::exit): the status.
    pub(super) exiting: Option<u8>,
}

impl Thread {
    /// A thread with default signal state.
    pub(super) fn new(
        process: Shared<Process>,
        handle: Shared<Handle>,
        space: Shared<Space>,
        files: Files,
        context: Context,
    ) -> Thread {
        let name = files.exe.with_name(Thread::name_of);
        Thread {
            process,
            handle,
            space,
            files,
            context,
            name,
            clear_tid: 0,
            alternate_stack: AlternateStack::default(),
            saved_mask: None,
            restart: Restart::No,
            call: 0,
            resumed_deadline: None,
            trap: Trap::default(),
            exiting: None,
        }
    }

    /// A thread's name from that of a program, cut to fit.
    pub(super) fn name_of(program: &[u8]) -> [u8; NAME_SIZE] {
        let mut name = [0; NAME_SIZE];
        let length = program.len().min(NAME_SIZE - 1);
        name[..length].copy_from_slice(&program[..length]);
        name
    }

    /// Gives the thread another name, and the process if it is its first thread.
    pub(crate) fn rename(&mut self, name: [u8; NAME_SIZE]) {
        self.name = name;
        if self.tid() == self.pid() {
            self.process.about.lock().name = name;
        }
    }

    /// The number of its process.
    pub(crate) fn pid(&self) -> i32 {
        self.process.pid
    }

    /// Its number.
    pub(crate) fn tid(&self) -> i32 {
        self.handle.tid()
    }

    /// Ends the thread alone (`exit(2)`). The status is that of the process if it was the last one.
    pub(crate) fn exit(&mut self, status: u8) {
        self.exiting.get_or_insert(status);
        sched::current().set_attention(Attention::Signal);
    }

    /// Ends the process. The first ending counts.
    pub(crate) fn end(&self, ending: Ending) {
        table::end_process(&self.process, ending);
    }

    /// How the process ends, once that is decided.
    #[cfg(feature = "test")]
    pub(crate) fn ending(&self) -> Option<Ending> {
        table::ending(&self.process)
    }

    /// Sends a signal to the thread itself.
    pub(crate) fn raise(&self, signal: Signal) {
        post::to_thread(&self.process, &self.handle, SigInfo::user(signal.number(), self.pid()));
    }

    /// The blocked signals.
    pub(crate) fn mask(&self) -> u64 {
        self.handle.signals.lock().mask
    }

    /// Says what becomes of the system call, which a signal interrupted; that is seen to before the return to ring 3.
    pub(crate) fn restart(&mut self, restart: Restart) {
        self.restart = restart;
        sched::current().set_attention(Attention::Signal);
    }

    /// The error of a call that a signal interrupted; `restart` says what becomes of it.
    pub(crate) fn interrupted(&mut self, restart: Restart) -> Errno {
        self.restart(restart);
        Errno::EINTR
    }

    /// The result of a call that waits; when a signal interrupted it, it may be made again.
    pub(crate) fn restartable<T>(&mut self, result: Result<T, Errno>) -> Result<T, Errno> {
        if result.as_ref().err() == Some(&Errno::EINTR) {
            self.restart(Restart::UnlessHandled);
        }
        result
    }

    /// Sleeps until `wake` (since boot), or, if the call was interrupted and is made again, until it wanted to the first time.
    /// Errors: `EINTR`, with `wake` to go on until.
    pub(crate) fn sleep_until(&mut self, wake: Duration) -> Result<(), Duration> {
        let wake = self.resumed_deadline.take().unwrap_or(wake);
        match sched::sleep_until(wake) {
            Ok(()) | Err(Stopped::TimedOut) => Ok(()),
            Err(Stopped::Interrupted) => {
                self.resumed_deadline = Some(wake);
                self.restart(Restart::WithoutHandler);
                Err(wake)
            }
        }
    }

    /// Sets a resource limit and lets it take effect. Errors: `EINVAL`, `EPERM`.
    pub(crate) fn set_limit(&mut self, resource: u32, new: Rlimit) -> Result<(), Errno> {
        self.process.limits.lock().set(resource, new)?;
        let current = new.current;
        let old = self.space.limits();
        match resource {
            RLIMIT_NOFILE => self.files.set_limit(current as usize),
            RLIMIT_AS => self.space.set_limits(Limits { address_space: current, ..old }),
            RLIMIT_DATA => self.space.set_limits(Limits { data: current, ..old }),
            RLIMIT_STACK => self.space.set_limits(Limits { stack: current, ..old }),
            RLIMIT_MEMLOCK => self.space.set_limits(Limits { memlock: current, ..old }),
            _ => {} // remembered; nothing to limit yet
        }
        Ok(())
    }

    /// `read(2)` for descriptor `number`; the files of `/proc` are written on the way.
    pub(crate) fn read_file(
        &mut self,
        number: i32,
        position: Position,
        sink: &mut dyn Sink,
    ) -> Result<usize, Errno> {
        if let Some(file) = proc::raw_file(&*self.files.get(number)?) {
            return proc::read_raw(self, number, file, position, sink);
        }
        self.files.read(number, position, sink, &|file, part| proc::text(file, part, self))
    }
}
