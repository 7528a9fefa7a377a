//! Threads, and words in memory that they share.

use core::sync::atomic::{AtomicU32, Ordering};

use crate::pages::{PAGE, map};
use crate::rt::memory::atomic_word;
use crate::rt::syscall::{syscall3, syscall4, syscall6};
use crate::rt::thread::start;
use crate::sys::munmap;
use crate::{check, check_eq};
use abi::clone::{
    CLONE_CHILD_CLEARTID, CLONE_FILES, CLONE_FS, CLONE_PARENT_SETTID, CLONE_SIGHAND, CLONE_SYSVSEM,
    CLONE_THREAD, CLONE_VM,
};
use abi::time::Timespec;
use abi::{Errno, nr};

/// What the C libraries' threads share.
pub const THREAD: u64 = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM;

/// `futex` operations.
pub const FUTEX_WAIT: u64 = 0;
/// Wake.
pub const FUTEX_WAKE: u64 = 1;
/// Move waiters to another word, if the first one has a value.
pub const FUTEX_CMP_REQUEUE: u64 = 4;
/// Wait, with bits and an absolute timeout.
pub const FUTEX_WAIT_BITSET: u64 = 9;
/// Wake those with common bits.
pub const FUTEX_WAKE_BITSET: u64 = 10;
/// Only threads of this process.
pub const FUTEX_PRIVATE: u64 = 128;

const STACK: u64 = 16 * PAGE;

/// A running thread.
pub struct Thread {
    stack: u64,
    /// Its number.
    pub tid: u64,
}

impl Thread {
    /// Starts `function` with `argument`.
    pub fn start(function: extern "C" fn(u64), argument: u64) -> Thread {
        Thread::try_start(function, argument).expect("clone")
    }

    /// As [`start`](Self::start).
    pub fn try_start(function: extern "C" fn(u64), argument: u64) -> Result<Thread, Errno> {
        let stack = map(STACK / PAGE);
        let flags = THREAD | CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID;
        // The word with its number, which is 0 at its end, lies at the bottom of the stack.
        let tid = Errno::from_return_value(start(flags, stack + STACK, stack, function, argument))?;
        Ok(Thread { stack, tid })
    }

    /// Waits until it has ended.
    pub fn join(self) {
        let word = atomic_word(self.stack);
        loop {
            let tid = word.load(Ordering::Acquire);
            if tid == 0 {
                break;
            }
            // Woken, or it ended before; not with the private flag, as the kernel wakes without it.
            let _ = futex(FUTEX_WAIT, word, tid, None);
        }
        check_eq!(munmap(self.stack, STACK), Ok(0));
    }
}

/// `futex` with a word, a value and a timeout.
pub fn futex(operation: u64, word: &AtomicU32, value: u32, timeout: Option<&Timespec>) -> Result<u64, Errno> {
    futex_bits(operation, word, value, timeout, u32::MAX)
}

/// As [`futex`], with bits.
pub fn futex_bits(
    operation: u64,
    word: &AtomicU32,
    value: u32,
    timeout: Option<&Timespec>,
    bits: u32,
) -> Result<u64, Errno> {
    let timeout = timeout.map_or(0, |timeout| (&raw const *timeout) as u64);
    syscall6(nr::FUTEX, word.as_ptr() as u64, operation, value.into(), timeout, 0, bits.into())
}

/// `FUTEX_CMP_REQUEUE`: wakes at most `wakes` and moves at most `moves` waiters from one word, if it has this value, to the other.
pub fn requeue(from: &AtomicU32, to: &AtomicU32, wakes: u64, moves: u64, value: u32) -> Result<u64, Errno> {
    let operation = FUTEX_CMP_REQUEUE | FUTEX_PRIVATE;
    syscall6(nr::FUTEX, from.as_ptr() as u64, operation, wakes, moves, to.as_ptr() as u64, value.into())
}

/// Sleeps for so many milliseconds.
pub fn sleep(milliseconds: i64) -> Result<u64, Errno> {
    let time = Timespec { seconds: milliseconds / 1000, nanoseconds: milliseconds % 1000 * 1_000_000 };
    syscall4(nr::CLOCK_NANOSLEEP, 1, 0, (&raw const time) as u64, 0)
}

/// Lets others run until the word has another value than this.
pub fn yield_while(word: &AtomicU32, value: u32) {
    while word.load(Ordering::SeqCst) == value {
        let _ = crate::rt::syscall::syscall0(nr::SCHED_YIELD);
    }
}

/// The CPU that the thread is on now.
pub fn current_cpu() -> u32 {
    let mut cpu = 0u32;
    check_eq!(syscall3(nr::GETCPU, (&raw mut cpu) as u64, 0, 0), Ok(0));
    cpu
}

/// The CPUs that the thread may run on, of the first 64: bit n for CPU n.
pub fn allowed_cpus() -> u64 {
    let mut mask = [0u64; 128];
    let size = size_of_val(&mask) as u64;
    let written = syscall3(nr::SCHED_GETAFFINITY, 0, size, mask.as_mut_ptr() as u64);
    check!(written.is_ok_and(|written| written >= 8), "{written:?}");
    mask[0]
}

/// Lets the thread run on these CPUs only, bit n for CPU n.
pub fn allow_cpus(mask: u64) {
    check_eq!(syscall3(nr::SCHED_SETAFFINITY, 0, 8, (&raw const mask) as u64), Ok(0));
}

/// The numbers in a set of CPUs.
pub fn numbers(cpus: u64) -> impl Iterator<Item = u32> {
    (0..u64::BITS).filter(move |cpu| cpus >> cpu & 1 != 0)
}

/// Spins, without the kernel, until the word is at least `value`.
pub fn spin_until(word: &AtomicU32, value: u32) {
    while word.load(Ordering::SeqCst) < value {
        core::hint::spin_loop();
    }
}
