//! Futexes (`futex(2)`): waiting until somebody says that a word in memory has changed.
//!
//! Waiters stand in buckets by the hash of what they wait for, first come first served. A wait looks at its word under the lock
//! of the bucket, with faults forbidden; where the page is not there it is faulted in without the lock, and all begins anew. So
//! one who changes the word and wakes afterwards finds everybody who saw the old value.

use alloc::vec::Vec;
use core::sync::atomic::Ordering;
use core::time::Duration;

use abi::Errno;
use mm::space::VmaKind;
use mm::vma::VmaFlags;
use mm::{PAGE_SIZE, Page};
use spin::{Mutex, MutexGuard};

use super::Space;
use crate::arch::shared::Shared;
use crate::sched::wait::wait_alone;
use crate::sched::{self, Stopped, Task};
use crate::syscall::user::UserPtr;

/// Any waiter (`FUTEX_BITSET_MATCH_ANY`).
pub(crate) const ANY: u32 = u32::MAX;

const BUCKETS: usize = 64;

/// A word that is waited for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Key {
    /// By its address in an address space, of which the caller says that nobody else has it.
    Private(u64, u64),
    /// By its address in an address space: nobody else has it.
    Own(u64, u64),
    /// By its place in a shared object.
    Object(u64, u64),
}

/// Whether other processes may wait for the same word.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Scope {
    /// Only threads of this one (`FUTEX_PRIVATE_FLAG`).
    Private,
    /// Others that map the same memory, too.
    Shared,
}

struct Waiter {
    key: Key,
    bitset: u32,
    task: Shared<Task>,
}

/// Tasks that are woken together.
const TOGETHER: usize = 16;

/// Taken in ascending order where two are held. Nothing is taken inside but what a wake-up takes.
static WAITERS: [Mutex<Vec<Waiter>>; BUCKETS] = [const { Mutex::new(Vec::new()) }; BUCKETS];

impl Key {
    /// The word at `address` of `space`. Errors: `EINVAL` if it is not aligned; `EFAULT` if nothing shared could be there.
    pub(crate) fn new(space: &Shared<Space>, address: u64, scope: Scope) -> Result<Key, Errno> {
        if !address.is_multiple_of(4) {
            return Err(Errno::EINVAL);
        }
        if address >= mm::USER_END {
            return Err(Errno::EFAULT);
        }
        if scope == Scope::Private {
            return Ok(Key::Private(space.id(), address));
        }
        let page = Page::containing(address);
        let [_, vma, _] = space.vmas_around(page);
        let vma = vma.ok_or(Errno::EFAULT)?;
        Ok(match vma.kind {
            VmaKind::Shared(object) | VmaKind::File(object) if vma.vma.flags.contains(VmaFlags::SHARED) => {
                let pages = page.number() - vma.vma.range.start().number() + vma.vma.pgoff;
                // Files and other objects have numbers of their own.
                let object = if matches!(vma.kind, VmaKind::File(_)) { object << 1 | 1 } else { object << 1 };
                Key::Object(object, pages * PAGE_SIZE + address % PAGE_SIZE)
            }
            _ => Key::Own(space.id(), address),
        })
    }

    fn bucket(self) -> usize {
        let (Key::Private(first, second) | Key::Own(first, second) | Key::Object(first, second)) = self;
        let mixed = (first ^ second.rotate_left(20)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (mixed >> 58) as usize % BUCKETS
    }
}

/// Waits for the word at `address`, which `key` names and which has the value `expected`, at most until `deadline` (since boot).
/// Errors: `EAGAIN` if it has another value, `ETIMEDOUT`, `EINTR`, `EFAULT`, `ENOMEM`.
pub(crate) fn wait(
    key: Key,
    address: u64,
    expected: u32,
    bitset: u32,
    deadline: Option<Duration>,
) -> Result<(), Errno> {
    let task = sched::current();
    while !join(&task, key, address, expected, bitset)? {
        UserPtr::<u32>::new(address).read()?;
    }
    let woken = || task.futex.load(Ordering::SeqCst) == 0;
    let Err(stopped) = wait_alone(deadline, woken) else { return Ok(()) };
    if !part(&task) {
        return Ok(()); // woken in the meantime
    }
    Err(match stopped {
        Stopped::TimedOut => Errno::ETIMEDOUT,
        Stopped::Interrupted => Errno::EINTR,
    })
}

/// Lines up if the word has the expected value; false if its page is not there. Errors: `EAGAIN`, `ENOMEM`.
fn join(task: &Shared<Task>, key: Key, address: u64, expected: u32, bitset: u32) -> Result<bool, Errno> {
    let index = key.bucket();
    let mut waiters = WAITERS[index].lock();
    waiters.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
    match sched::without_faults(|| UserPtr::<u32>::new(address).read()) {
        Err(_) => Ok(false),
        Ok(value) if value != expected => Err(Errno::EAGAIN),
        Ok(_) => {
            task.futex.store(1 + index, Ordering::SeqCst);
            waiters.push(Waiter { key, bitset, task: task.clone() });
            Ok(true)
        }
    }
}

/// Leaves; false if somebody has woken the task.
fn part(task: &Shared<Task>) -> bool {
    loop {
        let place = task.futex.load(Ordering::SeqCst);
        if place == 0 {
            return false;
        }
        let mut waiters = WAITERS[place - 1].lock();
        // It may have been moved to another bucket.
        if task.futex.load(Ordering::SeqCst) == place {
            waiters.retain(|waiter| !waiter.task.is(task));
            task.futex.store(0, Ordering::SeqCst);
            return true;
        }
    }
}

/// Wakes at most `count` waiters whose bits meet `bitset`; returns how many.
pub(crate) fn wake(key: Key, count: usize, bitset: u32) -> usize {
    let mut woken = 0;
    loop {
        let mut waiters = WAITERS[key.bucket()].lock();
        if waiters.is_empty() {
            return woken;
        }
        let wanted = (count - woken).min(TOGETHER);
        // They are woken without the lock, because a CPU that runs one at once may want it.
        let mut tasks = [const { None }; TOGETHER];
        let mut places = tasks.iter_mut();
        let taken = take(&mut waiters, key, wanted, bitset, |task| {
            if let Some(place) = places.next() {
                *place = Some(task);
            }
        });
        drop(waiters);
        tasks.iter().flatten().for_each(|task| task.wake());
        woken += taken;
        if taken < TOGETHER || woken == count {
            return woken;
        }
    }
}

/// Takes at most `count` waiters whose bits meet `bitset` out, and gives `wake` their tasks; returns how many.
fn take(
    waiters: &mut Vec<Waiter>,
    key: Key,
    count: usize,
    bitset: u32,
    mut wake: impl FnMut(Shared<Task>),
) -> usize {
    let mut taken = 0;
    waiters.retain(|waiter| {
        let meets = taken < count && waiter.key == key && waiter.bitset & bitset != 0;
        if meets {
            taken += 1;
            waiter.task.futex.store(0, Ordering::SeqCst);
            wake(waiter.task.clone());
        }
        !meets
    });
    taken
}

/// Wakes at most `wakes` waiters for `from` and lets at most `moves` others wait for `to` instead; returns how many these are
/// together. With `expected`, an address and a value, only if the word there has it.
/// Errors: `EAGAIN`, `EFAULT`, `ENOMEM`.
pub(crate) fn requeue(
    from: Key,
    to: Key,
    wakes: usize,
    moves: usize,
    expected: Option<(u64, u32)>,
) -> Result<usize, Errno> {
    loop {
        if let Some(done) = try_requeue(from, to, wakes, moves, expected)? {
            return Ok(done);
        }
        let (address, _) = expected.ok_or(Errno::EFAULT)?;
        UserPtr::<u32>::new(address).read()?;
    }
}

/// As [`requeue`]; `None` if the page of the word is not there.
fn try_requeue(
    from: Key,
    to: Key,
    wakes: usize,
    moves: usize,
    expected: Option<(u64, u32)>,
) -> Result<Option<usize>, Errno> {
    let (mut source, mut target) = lock_both(from.bucket(), to.bucket());
    if let Some((address, value)) = expected {
        match sched::without_faults(|| UserPtr::<u32>::new(address).read()) {
            Err(_) => return Ok(None),
            Ok(found) if found != value => return Err(Errno::EAGAIN),
            Ok(_) => {}
        }
    }
    let woken = take(&mut source, from, wakes, ANY, |task| task.wake());
    let mut moved = 0;
    while moved < moves
        && let Some(at) = source.iter().position(|waiter| waiter.key == from)
    {
        if let Some(target) = &mut target {
            target.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
        }
        let waiter = Waiter { key: to, ..source.remove(at) };
        waiter.task.futex.store(1 + to.bucket(), Ordering::SeqCst);
        match &mut target {
            Some(target) => target.push(waiter),
            None => source.push(waiter),
        }
        moved += 1;
        if from == to {
            break;
        }
    }
    Ok(Some(woken + moved))
}

type Bucket = MutexGuard<'static, Vec<Waiter>>;

/// Locks two buckets; the second is `None` if they are the same.
fn lock_both(first: usize, second: usize) -> (Bucket, Option<Bucket>) {
    if first == second {
        return (WAITERS[first].lock(), None);
    }
    if first < second {
        let lower = WAITERS[first].lock();
        return (lower, Some(WAITERS[second].lock()));
    }
    let lower = WAITERS[second].lock();
    (WAITERS[first].lock(), Some(lower))
}
