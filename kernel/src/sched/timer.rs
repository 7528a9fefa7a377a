//! What happens at a time: sleepers wake up, alarms go off.
//!
//! A list sorted by time, latest first, so that the next one is taken from its end. It always has room for a sleep of every task
//! and an alarm of every process, so that nothing here can fail. Its resolution is the timer interrupt.

use alloc::vec::Vec;
use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use core::time::Duration;

use abi::Errno;
use spin::Mutex;

use super::task::Task;
use crate::arch::shared::Shared;
use crate::time;

/// What to do when the time has come.
enum Action {
    Wake(Shared<Task>),
    /// Call the function with the number.
    Call(fn(i32), i32),
}

struct Timer {
    at: Duration,
    action: Action,
}

/// Taken inside nothing of the scheduler; nothing is taken inside.
static TIMERS: Mutex<Vec<Timer>> = Mutex::new(Vec::new());
/// When the next timer runs out, in nanoseconds since boot: a hint, so that a look costs little.
static NEXT: AtomicU64 = AtomicU64::new(u64::MAX);
static ROOMS: AtomicUsize = AtomicUsize::new(0);

/// Room for one timer.
pub(crate) struct Room(());

impl Room {
    /// Makes room. Errors: `ENOMEM`.
    pub(crate) fn new() -> Result<Room, Errno> {
        let rooms = ROOMS.fetch_add(1, Ordering::Relaxed) + 1;
        let room = Room(());
        let mut timers = TIMERS.lock();
        let more = rooms.saturating_sub(timers.len());
        timers.try_reserve(more).map_err(|_| Errno::ENOMEM)?;
        Ok(room)
    }

    /// How many rooms there are: at least as many as tasks.
    pub(super) fn tasks(&self) -> usize {
        ROOMS.load(Ordering::Relaxed)
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        ROOMS.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The alarm of one process: at most one time is set.
pub(crate) struct Alarm {
    _room: Room,
    call: fn(i32),
    number: i32,
}

impl Alarm {
    /// An alarm that will call `call` with `number`, from any task, with nothing locked. Errors: `ENOMEM`.
    pub(crate) fn new(call: fn(i32), number: i32) -> Result<Alarm, Errno> {
        Ok(Alarm { _room: Room::new()?, call, number })
    }

    /// Sets it to a time since boot, or to none; returns what it was set to.
    pub(crate) fn set(&self, at: Option<Duration>) -> Option<Duration> {
        let own = |action: &Action| matches!(action, Action::Call(_, number) if *number == self.number);
        let old = remove(own);
        if let Some(at) = at {
            insert(Timer { at, action: Action::Call(self.call, self.number) });
        }
        old
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        self.set(None);
    }
}

/// Wakes `task` at a time since boot. It has no other sleep.
pub(super) fn wake_at(task: Shared<Task>, at: Duration) {
    insert(Timer { at, action: Action::Wake(task) });
}

/// Takes the sleep of `task` back, if it is still there.
pub(super) fn cancel(task: &Shared<Task>) {
    remove(|action| matches!(action, Action::Wake(sleeper) if sleeper.is(task)));
}

fn insert(timer: Timer) {
    let mut timers = TIMERS.lock();
    let at = timers.partition_point(|other| other.at > timer.at);
    timers.insert(at, timer);
    note_next(&timers);
}

fn remove(own: impl Fn(&Action) -> bool) -> Option<Duration> {
    let mut timers = TIMERS.lock();
    let at = timers.iter().position(|timer| own(&timer.action))?;
    let timer = timers.remove(at);
    note_next(&timers);
    drop(timers);
    Some(timer.at)
}

fn note_next(timers: &[Timer]) {
    let next = timers.last().map_or(u64::MAX, |timer| timer.at.as_nanos().try_into().unwrap_or(u64::MAX));
    NEXT.store(next, Ordering::Relaxed);
}

/// Does what is due. Called where nothing is locked.
pub(super) fn run_expired() {
    while NEXT.load(Ordering::Relaxed) <= time::now() {
        match take_expired(time::since_boot()) {
            Some(Action::Wake(task)) => task.wake(),
            Some(Action::Call(call, number)) => call(number),
            None => return,
        }
    }
}

fn take_expired(now: Duration) -> Option<Action> {
    let mut timers = TIMERS.lock();
    let timer = timers.pop_if(|timer| timer.at <= now);
    note_next(&timers);
    Some(timer?.action)
}

/// Forgets all timers, whose tasks will never run again.
#[cfg(feature = "test")]
pub(super) fn forget_all() {
    let mut timers = TIMERS.lock();
    timers.drain(..).for_each(core::mem::forget);
    note_next(&timers);
}
