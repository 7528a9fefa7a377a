//! New threads and processes (`clone(2)`).

use core::sync::atomic::Ordering;

use abi::clone::{
    CLONE_CHILD_CLEARTID, CLONE_CHILD_SETTID, CLONE_CLEAR_SIGHAND, CLONE_FILES, CLONE_FS, CLONE_NEW,
    CLONE_PARENT, CLONE_PARENT_SETTID, CLONE_PIDFD, CLONE_SETTLS, CLONE_SIGHAND, CLONE_THREAD, CLONE_VFORK,
    CLONE_VM,
};
use abi::{Errno, Signal};

use super::thread::{AlternateStack, Thread};
use super::{Handle, Process, Space, exit, oom, run, spaces, table};
use crate::arch::shared::{Shared, try_box};
use crate::arch::switch::UserRegisters;
use crate::fs::Share;
use crate::sched::{self, Sleep, Task};
use crate::syscall::user::UserPtr;

/// What is wanted of a new thread or process.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Request {
    /// `CLONE_` flags.
    pub(crate) flags: u64,
    /// The signal that the parent gets at the end of a process; 0 for none.
    pub(crate) exit_signal: u32,
    /// Where its stack pointer starts; 0 for where the caller's is.
    pub(crate) stack: u64,
    /// Where its number goes in the caller's memory.
    pub(crate) parent_tid: u64,
    /// Where its number goes in its own memory, and the 0 at its end.
    pub(crate) child_tid: u64,
    /// Its FS base.
    pub(crate) tls: u64,
}

impl Request {
    fn has(&self, flag: u64) -> bool {
        self.flags & flag != 0
    }

    fn share(&self, flag: u64) -> Share {
        if self.has(flag) { Share::Share } else { Share::Copy }
    }

    /// Refuses what Linux refuses, and what is not there: name spaces, descriptors of processes.
    fn check(&self) -> Result<(), Errno> {
        let needs = |flag, other| !self.has(flag) || self.has(other);
        let is_there = !self.has(CLONE_NEW | CLONE_PIDFD);
        let makes_sense = needs(CLONE_THREAD, CLONE_SIGHAND) && needs(CLONE_SIGHAND, CLONE_VM);
        if is_there && makes_sense && self.exit_signal <= 64 { Ok(()) } else { Err(Errno::EINVAL) }
    }
}

/// Starts a thread or a process that begins as a copy of `parent`, and returns its number.
/// Errors: `EINVAL`, `ENOMEM`, `EAGAIN`, those of fork.
pub(crate) fn clone(parent: &mut Thread, request: Request) -> Result<i32, Errno> {
    request.check()?;
    let tid = table::new_id();
    let handle = Handle::new(tid, parent.mask())?;
    let no_new_privileges = parent.handle.no_new_privileges.load(Ordering::Relaxed);
    handle.no_new_privileges.store(no_new_privileges, Ordering::Relaxed);
    let child = child(parent, &handle, request)?;
    let process = child.process.clone();
    let registers = UserRegisters::copy_of_current()?;
    let space = child.space.clone();
    let set_tid = request.has(CLONE_CHILD_SETTID).then_some(request.child_tid);
    let body = try_box(move || live(child, set_tid))?;
    let task = Task::new(Some(registers), Some(space), body)?;
    task.set_affinity(sched::current().affinity());
    if request.has(CLONE_PARENT_SETTID) {
        // As on Linux, nobody is told if that fails. Not when the child is in the table, but does not run: whoever waits for memory
        // may not have in hands what may have to go.
        let _unwritable = oom::patiently(|| UserPtr::<i32>::new(request.parent_tid).write(&tid));
    }
    if request.has(CLONE_THREAD) {
        table::add_thread(&process, &handle, &task)?;
    } else {
        let of = if request.has(CLONE_PARENT) { table::parent(parent.pid()) } else { parent.pid() };
        table::add_process(&process, of, &handle, &task)?;
    }
    sched::start(&task);
    if request.has(CLONE_VFORK) {
        let released = || process.released.load(Ordering::SeqCst);
        // If it is to end, it does not wait.
        let _killed = process.release.wait(Sleep::Killable, None, released);
    }
    Ok(tid)
}

/// What a thread does from its first to its last instruction.
pub(super) fn live(mut thread: Thread, set_tid: Option<u64>) {
    if let Some(address) = set_tid {
        let _unwritable = oom::patiently(|| UserPtr::<i32>::new(address).write(&thread.tid()));
    }
    run::run(&mut thread);
    exit::finish(thread);
}

fn child(parent: &Thread, handle: &Shared<Handle>, request: Request) -> Result<Thread, Errno> {
    let process = if request.has(CLONE_THREAD) {
        parent.process.clone()
    } else {
        new_process(parent, handle.tid(), request)?
    };
    let space = space(parent, request)?;
    let mut files = parent.files.derive(request.share(CLONE_FILES), request.share(CLONE_FS))?;
    files.pid = process.pid;
    if !request.has(CLONE_THREAD) {
        process.about.lock().space = Some(space.watch());
    }
    let mut context = parent.context.clone();
    context.rax = 0;
    if request.stack != 0 {
        context.rsp = request.stack;
    }
    if request.has(CLONE_SETTLS) {
        context.set_fs_base(request.tls).map_err(|_| Errno::EPERM)?;
    }
    let mut child = Thread::new(process, handle.clone(), space, files, context);
    child.name = parent.name;
    if request.has(CLONE_CHILD_CLEARTID) {
        child.clear_tid = request.child_tid;
    }
    // Two threads must not run on the same stack; after vfork the parent waits.
    let keeps_stack = !request.has(CLONE_VM) || request.has(CLONE_VFORK);
    child.alternate_stack = if keeps_stack { parent.alternate_stack } else { AlternateStack::default() };
    Ok(child)
}

fn new_process(parent: &Thread, pid: i32, request: Request) -> Result<Shared<Process>, Errno> {
    let limits = *parent.process.limits.lock();
    let mut signals = parent.process.signals.lock();
    let shares = request.has(CLONE_SIGHAND);
    let mut actions = if shares { signals.actions.share()? } else { signals.actions.try_clone()? };
    drop(signals);
    if request.has(CLONE_CLEAR_SIGHAND) {
        actions.exec();
    }
    let exit_signal = if request.has(CLONE_PARENT) {
        parent.process.exit_signal.load(Ordering::Relaxed)
    } else {
        request.exit_signal.cast_signed()
    };
    let process = Process::new(pid, limits, actions, exit_signal)?;
    *process.about.lock() = parent.process.about.lock().for_child();
    Ok(process)
}

fn space(parent: &Thread, request: Request) -> Result<Shared<Space>, Errno> {
    if request.has(CLONE_VM) {
        return Ok(parent.space.clone());
    }
    spaces::register(parent.space.fork())
}

/// What `fork(2)` wants.
pub(crate) const FORK: Request = Request {
    flags: 0,
    exit_signal: Signal::SIGCHLD.number() as u32,
    stack: 0,
    parent_tid: 0,
    child_tid: 0,
    tls: 0,
};
