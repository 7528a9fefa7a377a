//! All processes: their numbers, parents and children, threads and endings.
//!
//! One lock guards what processes are to each other; it is the outermost of the locks of processes and is never held while
//! anything is waited for. Decisions that concern a whole process (its ending, who gets a signal) are made under it.
//!
//! A process is alive while it has threads. Then it is a zombie until its parent has waited for it, or is gone at once when the
//! parent does not care. Orphans become children of the first process; when that ends, all others are killed.

mod wait;

use alloc::vec::Vec;

use abi::{Errno, Signal};
use mm::space::CheckError;
use spin::Mutex;

use super::signals::info::{Detail, SigInfo};
use super::signals::post;
use super::{Ending, Handle, Process, Space};
use crate::arch::shared::Shared;
use crate::sched::{Attention, Sleep, Task, WaitQueue};

pub(crate) use wait::{After, Child, Patience, Which, wait_for_child};

/// The number of the first process.
pub(crate) const INIT: i32 = 1;
/// Numbers are below this (`pid_max`).
const ID_END: i32 = 1 << 22;

/// `SIGCHLD`: how a child ended.
const CLD_EXITED: i32 = 1;
const CLD_KILLED: i32 = 2;

/// A process and its relations.
pub(crate) struct Entry {
    /// The process.
    pub(crate) process: Shared<Process>,
    /// Number of its parent; 0 for the first process.
    parent: i32,
    /// Number of its process group.
    group: i32,
    /// Number of its session.
    session: i32,
    /// Its threads; none for a zombie.
    pub(crate) threads: Vec<Shared<Handle>>,
    /// How it ends, once that is decided.
    ending: Option<Ending>,
    /// How its first thread ended by itself.
    leader_ending: Option<Ending>,
    /// One of its threads replaces all others, so that there are no new ones.
    replacing: bool,
}

struct Table {
    entries: Vec<Entry>,
    next: i32,
    /// How the machine ends, once that is decided.
    ending: Option<Ending>,
    /// All processes are to end, and there are no new ones.
    closed: bool,
    /// What was wrong with an address space at the end of its process; looked for in checked builds.
    damage: Option<CheckError>,
}

static TABLE: Mutex<Table> =
    Mutex::new(Table { entries: Vec::new(), next: INIT, ending: None, closed: false, damage: None });
/// Woken when a process is gone.
static GONE: WaitQueue = WaitQueue::new();

impl Table {
    fn entry(&mut self, pid: i32) -> Option<&mut Entry> {
        self.entries.iter_mut().find(|entry| entry.process.pid == pid)
    }

    fn is_used(&self, id: i32) -> bool {
        let uses = |entry: &Entry| {
            [entry.process.pid, entry.group, entry.session].contains(&id)
                || entry.threads.iter().any(|thread| thread.tid() == id)
        };
        self.entries.iter().any(uses)
    }

    fn new_id(&mut self) -> i32 {
        loop {
            let id = self.next;
            // The numbers below are for what starts with the system, as on Linux.
            self.next = if id + 1 < ID_END { id + 1 } else { 300 };
            if !self.is_used(id) {
                return id;
            }
        }
    }
}

impl Entry {
    /// Decides how the process ends, unless that was decided; its threads end as soon as they notice.
    pub(crate) fn end(&mut self, ending: Ending) {
        if self.ending.is_none() {
            self.ending = Some(ending);
            self.threads.iter().for_each(|thread| thread.alert(Attention::Killed));
        }
    }

    /// Whether it has been decided how it ends.
    pub(crate) fn is_ending(&self) -> bool {
        self.ending.is_some()
    }

    /// Its first thread ends by itself: how the process ends, if nothing else decides that.
    pub(crate) fn end_with_last_thread(&mut self, ending: Ending) {
        self.leader_ending = Some(ending);
    }

    /// The address space of its threads.
    fn space(&self) -> Option<Shared<Space>> {
        self.threads.iter().find_map(|thread| thread.task()?.space())
    }

    fn is_zombie(&self) -> bool {
        self.threads.is_empty()
    }

    fn own_ending(&self) -> Ending {
        self.ending.or(self.leader_ending).unwrap_or(Ending::Exited(0))
    }
}

/// A number that no process, thread, group or session has.
pub(crate) fn new_id() -> i32 {
    TABLE.lock().new_id()
}

/// Begins anew: the next process is the first one.
pub(super) fn begin() {
    let mut table = TABLE.lock();
    (table.next, table.ending, table.closed, table.damage) = (INIT, None, false, None);
    let forgotten = core::mem::take(&mut table.entries);
    drop(table);
    // Only after a test that was given up there are any, and their threads never run again.
    forgotten.into_iter().for_each(core::mem::forget);
}

/// Adds a process with its first thread and the task of that, a child of the process `parent` (0 for none), in whose group and session it is.
/// Errors: `ENOMEM`; `EAGAIN` when the machine is about to end.
pub(super) fn add_process(
    process: &Shared<Process>,
    parent: i32,
    thread: &Shared<Handle>,
    task: &Shared<Task>,
) -> Result<(), Errno> {
    let mut threads = Vec::new();
    threads.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
    threads.push(thread.clone());
    let mut table = TABLE.lock();
    if table.closed {
        return Err(Errno::EAGAIN);
    }
    let pid = process.pid;
    let (group, session) = table.entry(parent).map_or((pid, pid), |entry| (entry.group, entry.session));
    table.entries.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
    let process = process.clone();
    task.set_pid(process.pid);
    thread.set_task(task.clone());
    table.entries.push(Entry {
        process,
        parent,
        group,
        session,
        threads,
        ending: None,
        leader_ending: None,
        replacing: false,
    });
    Ok(())
}

/// The number of the thread whose task this is.
pub(super) fn thread_of(task: &Shared<Task>) -> Option<i32> {
    let mut table = TABLE.lock();
    let entry = table.entry(task.pid())?;
    let thread = entry.threads.iter().find(|thread| thread.task().is_some_and(|own| own.is(task)))?;
    Some(thread.tid())
}

/// Takes a process out whose thread is not a task of its own.
#[cfg(feature = "test")]
pub(super) fn remove_process(process: &Process) {
    let mut table = TABLE.lock();
    let at = table.entries.iter().position(|entry| entry.process.pid == process.pid);
    let removed = at.map(|at| table.entries.swap_remove(at));
    drop(table);
    drop(removed);
}

/// Adds a thread, with its task, to a process. Errors: `ENOMEM`; `EAGAIN` when the process is about to end or to become another
/// program.
pub(super) fn add_thread(
    process: &Process,
    thread: &Shared<Handle>,
    task: &Shared<Task>,
) -> Result<(), Errno> {
    let mut table = TABLE.lock();
    let entry = table.entry(process.pid).ok_or(Errno::EAGAIN)?;
    if entry.ending.is_some() || entry.replacing {
        return Err(Errno::EAGAIN);
    }
    entry.threads.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
    task.set_pid(process.pid);
    thread.set_task(task.clone());
    entry.threads.push(thread.clone());
    Ok(())
}

/// Takes the current thread out, which ends. The last one leaves a zombie, or nothing.
pub(super) fn remove_thread(process: &Process, thread: &Shared<Handle>) {
    let mut table = TABLE.lock();
    let Some(entry) = table.entry(process.pid) else { return };
    process.ended.lock().threads += thread.usage_now();
    entry.threads.retain(|other| !other.is(thread));
    let is_over = entry.is_zombie();
    // What it was asked to take another one takes.
    if process.signals.lock().pending.set() != 0 {
        entry.threads.iter().for_each(|other| other.alert(Attention::Signal));
    }
    process.threads.wake_all();
    let removed = if is_over { table.bury(process.pid) } else { None };
    drop(table);
    drop(removed);
    GONE.wake_all();
}

impl Table {
    /// A process has lost its last thread. Tells its parent; gives its children away. The entry, if nobody will wait for it.
    fn bury(&mut self, pid: i32) -> Option<Entry> {
        for child in &mut self.entries {
            if child.parent == pid {
                child.parent = INIT;
            }
        }
        self.entries.retain(|entry| !(entry.parent == INIT && pid == INIT && entry.is_zombie()));
        if pid == INIT {
            self.kill_all();
        }
        let entry = self.entry(pid)?;
        let (parent, ending) = (entry.parent, entry.own_ending());
        let signal = entry.process.exit_signal.load(core::sync::atomic::Ordering::Relaxed);
        if parent == 0 {
            return None; // whoever started it waits
        }
        let cares = match self.entry(parent) {
            Some(parent) if !parent.is_zombie() => {
                let cares = post::cares_for_children(parent);
                if let Ok(number @ 1..) = u8::try_from(signal) {
                    post::post(parent, None, child_info(number, pid, ending));
                }
                parent.process.children.wake_all();
                cares
            }
            _ => false,
        };
        if cares {
            return None;
        }
        let at = self.entries.iter().position(|entry| entry.process.pid == pid)?;
        Some(self.entries.swap_remove(at))
    }

    fn kill_all(&mut self) {
        self.closed = true;
        for entry in &mut self.entries {
            if !entry.is_zombie() {
                entry.end(Ending::Killed(Signal::SIGKILL.number()));
            }
        }
    }
}

fn child_info(number: u8, pid: i32, ending: Ending) -> SigInfo {
    let (code, status) = match ending {
        Ending::Exited(status) => (CLD_EXITED, i32::from(status)),
        _ => (CLD_KILLED, ending.wait_status() as i32),
    };
    SigInfo { number, code, detail: Detail::Child(pid, status) }
}

/// The process with this number that has threads.
pub(crate) fn process(pid: i32) -> Option<Shared<Process>> {
    with_entry(pid, |entry| entry.process.clone())
}

/// The address space of the process that a thread with this number is of.
pub(crate) fn space(tid: i32) -> Option<Shared<Space>> {
    with_thread(tid, |entry, _| entry.space()).flatten()
}

/// The first process with a greater number than `pid` that has an address space, and that.
pub(super) fn next_with_space(pid: i32) -> Option<(i32, Shared<Space>)> {
    let table = TABLE.lock();
    let later = table.entries.iter().filter(|entry| entry.process.pid > pid);
    let found = later.filter_map(|entry| Some((entry.process.pid, entry.space()?)));
    found.min_by_key(|(pid, _)| *pid)
}

/// Works on the entry of a process that has threads; `None` if there is none.
pub(crate) fn with_entry<R>(pid: i32, work: impl FnOnce(&mut Entry) -> R) -> Option<R> {
    TABLE.lock().entry(pid).filter(|entry| !entry.is_zombie()).map(work)
}

/// Works on the thread with this number and the entry of its process; `None` if there is none.
pub(crate) fn with_thread<R>(tid: i32, work: impl FnOnce(&mut Entry, &Shared<Handle>) -> R) -> Option<R> {
    let mut table = TABLE.lock();
    for entry in &mut table.entries {
        if let Some(thread) = entry.threads.iter().find(|thread| thread.tid() == tid).cloned() {
            return Some(work(entry, &thread));
        }
    }
    None
}

/// Works on all processes that have threads and that `wanted` chooses by number and group; returns how many.
pub(crate) fn for_each(wanted: impl Fn(i32, i32) -> bool, mut work: impl FnMut(&mut Entry)) -> usize {
    let mut table = TABLE.lock();
    let chosen = |entry: &&mut Entry| !entry.is_zombie() && wanted(entry.process.pid, entry.group);
    table.entries.iter_mut().filter(chosen).map(&mut work).count()
}

/// The numbers of all processes that have threads, ascending. Errors: `ENOMEM`.
pub(crate) fn process_numbers() -> Result<Vec<i32>, Errno> {
    let table = TABLE.lock();
    let mut numbers = Vec::new();
    numbers.try_reserve_exact(table.entries.len()).map_err(|_| Errno::ENOMEM)?;
    numbers.extend(table.entries.iter().filter(|entry| !entry.is_zombie()).map(|entry| entry.process.pid));
    numbers.sort_unstable();
    Ok(numbers)
}

/// The numbers of the threads of a process; none if there is none. Errors: `ENOMEM`.
pub(crate) fn threads_of(pid: i32) -> Result<Vec<i32>, Errno> {
    let mut numbers = Vec::new();
    let mut table = TABLE.lock();
    if let Some(entry) = table.entry(pid) {
        numbers.try_reserve_exact(entry.threads.len()).map_err(|_| Errno::ENOMEM)?;
        numbers.extend(entry.threads.iter().map(|thread| thread.tid()));
    }
    Ok(numbers)
}

/// Decides how a process ends, unless that was decided.
pub(crate) fn end_process(process: &Process, ending: Ending) {
    with_entry(process.pid, |entry| entry.end(ending));
}

/// How a process ends, once that is decided.
#[cfg(feature = "test")]
pub(crate) fn ending(process: &Process) -> Option<Ending> {
    with_entry(process.pid, |entry| entry.ending).flatten()
}

/// Decides how the machine ends, unless that was decided: all processes do.
pub(crate) fn end_machine(ending: Ending) {
    let mut table = TABLE.lock();
    table.ending.get_or_insert(ending);
    table.kill_all();
}

/// How the machine ends, once that is decided.
#[cfg(feature = "test")]
pub(crate) fn machine_ending() -> Option<Ending> {
    TABLE.lock().ending
}

/// The parent of a process; 0 for none.
pub(crate) fn parent(pid: i32) -> i32 {
    with_entry(pid, |entry| entry.parent).unwrap_or(0)
}

/// Group and session of a process, also of a zombie.
pub(crate) fn group_and_session(pid: i32) -> Option<(i32, i32)> {
    TABLE.lock().entry(pid).map(|entry| (entry.group, entry.session))
}

/// `setsid(2)`. Errors: `EPERM` for the leader of a group.
pub(crate) fn begin_session(pid: i32) -> Result<(), Errno> {
    let mut table = TABLE.lock();
    if table.entries.iter().any(|entry| entry.group == pid) {
        return Err(Errno::EPERM);
    }
    let entry = table.entry(pid).ok_or(Errno::ESRCH)?;
    (entry.group, entry.session) = (pid, pid);
    Ok(())
}

/// `setpgid(2)` by process `caller`. Errors: `ESRCH`, `EPERM`.
pub(crate) fn set_group(caller: i32, pid: i32, group: i32) -> Result<(), Errno> {
    let mut table = TABLE.lock();
    let session = table.entry(caller).ok_or(Errno::ESRCH)?.session;
    let exists = table.entries.iter().any(|entry| entry.group == group && entry.session == session);
    let entry =
        table.entry(pid).filter(|entry| pid == caller || entry.parent == caller).ok_or(Errno::ESRCH)?;
    if entry.session != session || entry.session == pid || (group != pid && !exists) {
        return Err(Errno::EPERM);
    }
    entry.group = group;
    Ok(())
}

/// Number of threads of all processes.
pub(crate) fn thread_count() -> usize {
    TABLE.lock().entries.iter().map(|entry| entry.threads.len()).sum()
}

/// Ends all other threads of the process of `own`, and waits until they are gone; `own` takes over the number of the process.
/// Errors: `EINTR` when the process ends, or another thread does the same.
pub(super) fn replace_threads(process: &Process, own: &Shared<Handle>) -> Result<(), Errno> {
    let begin = |entry: &mut Entry| {
        if entry.ending.is_some() || entry.replacing {
            return Err(Errno::EINTR);
        }
        entry.replacing = true;
        let others = entry.threads.iter().filter(|thread| !thread.is(own));
        others.for_each(|thread| thread.alert(Attention::Killed));
        Ok(())
    };
    with_entry(process.pid, begin).unwrap_or(Err(Errno::EINTR))?;
    let alone = || with_entry(process.pid, |entry| entry.threads.len() <= 1).unwrap_or(true);
    let waited = process.threads.wait(Sleep::Killable, None, alone);
    with_entry(process.pid, |entry| entry.replacing = false);
    waited.map_err(|_| Errno::EINTR)?;
    own.set_tid(process.pid);
    Ok(())
}

/// Waits until there are no threads any more; how the first process ended, and what was wrong with memory.
/// With `deadline` (since boot) all are ended then.
pub(super) fn wait_for_all(deadline: Option<core::time::Duration>) -> (Ending, Option<CheckError>) {
    if GONE.wait(Sleep::Uninterruptible, deadline, || thread_count() == 0).is_err() {
        end_machine(Ending::TimedOut);
        let _no_deadline = GONE.wait(Sleep::Uninterruptible, None, || thread_count() == 0);
    }
    let mut table = TABLE.lock();
    let first = table.entry(INIT).map(|entry| entry.own_ending());
    let ending = table.ending.or(first).unwrap_or(Ending::Exited(0));
    let damage = table.damage.take();
    let entries = core::mem::take(&mut table.entries);
    drop(table);
    drop(entries);
    (ending, damage)
}

/// Notes that an address space was not what it should be.
pub(super) fn note_damage(error: CheckError) {
    TABLE.lock().damage.get_or_insert(error);
}
