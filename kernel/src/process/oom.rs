//! What happens when there is no frame for a page: one process is killed, so that the others can go on.
//!
//! It is the one that has most in memory: its resident pages and its page tables, in pages. The first process goes only when
//! there is no other, as the machine ends with it. Others that run in the same memory go with it, or nothing would be free. Why it
//! was this one is on the log.
//!
//! Whoever found no frame tries again until the victim is gone. A system call that finds none in the middle of a copy fails
//! with `EFAULT` instead, because it may hold what the victim waits for. What the kernel stores on its own account, with nothing in
//! its hands, waits like the program itself ([`patiently`]): nobody could be told that it failed.

use core::fmt;

use abi::{Errno, Signal};
use mm::space::Footprint;

use super::{Ending, Space, table};
use crate::arch::shared::Shared;
use crate::memory;
use crate::sched::{self, Attention, mutex::Mutex};

/// Times that a fault is tried again while a victim ends, before another process has to go, too.
const PATIENCE: u32 = 10_000;

/// With so many free frames nobody has to go: more than any single step needs, of which the kernel heap's growth is the greatest.
const PLENTY: u64 = 256;

/// A process that was killed, and how often somebody has waited for its end.
struct Victim {
    pid: i32,
    waits: u32,
}

static VICTIM: Mutex<Option<Victim>> = Mutex::new(None);

/// Runs `step`, which touches the memory of the current task's program, and again for as long as it lacks nothing but memory. It has
/// no effect before it fails, holds no lock, and fails with `ENOMEM` or, by a copy, with `EFAULT`. These two come back if the task is
/// to end.
#[inline]
pub(crate) fn patiently<R>(mut step: impl FnMut() -> Result<R, Errno>) -> Result<R, Errno> {
    match step() {
        Err(Errno::ENOMEM | Errno::EFAULT) => patiently_again(&mut step),
        result => result,
    }
}

#[cold]
#[inline(never)]
fn patiently_again<R>(step: &mut impl FnMut() -> Result<R, Errno>) -> Result<R, Errno> {
    loop {
        let result = sched::waiting_for_frames(&mut *step);
        if result.as_ref().err() != Some(&Errno::ENOMEM) || !wait(format_args!("the kernel")) {
            return result;
        }
    }
}

/// There was no frame for `what` of the current task: waits a moment. `false` if it may not wait, because it is to end, or belongs to
/// no process.
pub(super) fn wait(what: fmt::Arguments<'_>) -> bool {
    let task = sched::current();
    let may = task.pid() != 0 && task.attention() != Attention::Killed;
    if may {
        relieve(task.pid(), what);
    }
    may
}

/// There was no frame for `what` of process `pid`: lets somebody end, or waits a moment for one who does.
pub(super) fn relieve(pid: i32, what: fmt::Arguments<'_>) {
    let mut victim = VICTIM.lock();
    if let Some(Victim { pid, waits }) = &mut *victim
        && *waits < PATIENCE
        && table::with_entry(*pid, |entry| entry.is_ending()) == Some(true)
    {
        *waits += 1;
        drop(victim);
        sched::pause();
        return;
    }
    if memory::frames().statistics().free >= PLENTY {
        // The victim, or somebody else, has gone since there was none.
        drop(victim);
        sched::yield_now();
        return;
    }
    log::warn!("out of memory: no frame for {what} of process {pid}");
    let tried = victim.as_ref().map(|victim| victim.pid);
    *victim = choose(tried).map(|chosen| kill(&chosen));
}

/// A process, and what it has.
struct Candidate {
    pid: i32,
    space: Shared<Space>,
    footprint: Footprint,
}

/// The process that has most, but for `tried`, which does not end.
fn choose(tried: Option<i32>) -> Option<Candidate> {
    let mut chosen: Option<Candidate> = None;
    let mut last = 0;
    while let Some((pid, space)) = table::next_with_space(last) {
        last = pid;
        let footprint = space.footprint();
        log::info!("  process {pid}: {} resident pages, {} page tables", footprint.pages, footprint.tables);
        let candidate = Candidate { pid, space, footprint };
        let rank = |candidate: &Candidate| (candidate.pid != table::INIT, candidate.footprint.total());
        if tried != Some(pid) && chosen.as_ref().is_none_or(|other| rank(other) < rank(&candidate)) {
            chosen = Some(candidate);
        }
    }
    chosen
}

/// Kills a process, and all others in its memory.
fn kill(chosen: &Candidate) -> Victim {
    let Candidate { pid, space, footprint } = chosen;
    let mut last = 0;
    while let Some((other, memory)) = table::next_with_space(last) {
        last = other;
        if memory.is(space) {
            table::with_entry(other, |entry| entry.end(Ending::Killed(Signal::SIGKILL.number())));
            log::warn!("out of memory: killed process {other}");
        }
    }
    let free = memory::frames().statistics().free;
    log::warn!("out of memory: process {pid} had {} of the pages, {free} were free", footprint.total());
    Victim { pid: *pid, waits: 0 }
}
