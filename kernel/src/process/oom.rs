//! What happens when there is no frame for a page: one process is killed, so that the others can go on.
//!
//! It is the one that has most in memory: its resident pages and its page tables, in pages. The first process goes only when
//! there is no other, as the machine ends with it. Others that run in the same memory go with it, or nothing would be free. Why it
//! was this one is on the log.
//!
//! Whoever found no frame tries again until the victim is gone. A system call that finds none in the middle of a copy fails
//! with `EFAULT` instead, because it may hold what the victim waits for.

use abi::Signal;
use mm::space::Footprint;

use super::{Ending, Space, table};
use crate::arch::shared::Shared;
use crate::memory;
use crate::sched::{self, mutex::Mutex};

/// Times that a fault is tried again while a victim ends, before another process has to go, too.
const PATIENCE: u32 = 10_000;

/// A process that was killed, and how often somebody has waited for its end.
struct Victim {
    pid: i32,
    waits: u32,
}

static VICTIM: Mutex<Option<Victim>> = Mutex::new(None);

/// There was no frame for `address` (bytes) of process `pid`: lets somebody end, or waits a moment for one who does.
pub(super) fn relieve(pid: i32, address: u64) {
    let mut victim = VICTIM.lock();
    if let Some(Victim { pid, waits }) = &mut *victim
        && *waits < PATIENCE
        && table::with_entry(*pid, |_| ()).is_some()
    {
        *waits += 1;
        drop(victim);
        sched::pause();
        return;
    }
    log::warn!("out of memory: no frame for {address:#x} of process {pid}");
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
