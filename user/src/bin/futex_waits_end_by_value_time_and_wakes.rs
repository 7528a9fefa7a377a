//! A futex wait ends at once if the word has another value, when its time is over, and by as many wakes as were asked for.
#![no_std]
#![no_main]

use core::sync::atomic::{AtomicU32, Ordering};

use abi::time::Timespec;
use user::prelude::*;
use user::sys::clock_gettime;
use user::threads::{
    FUTEX_PRIVATE, FUTEX_WAIT, FUTEX_WAIT_BITSET, FUTEX_WAKE, FUTEX_WAKE_BITSET, Thread, futex, futex_bits,
    requeue, yield_while,
};

program!(main);

static FIRST: AtomicU32 = AtomicU32::new(0);
static SECOND: AtomicU32 = AtomicU32::new(0);
static ENDED: AtomicU32 = AtomicU32::new(0);

extern "C" fn wait_with_bits(bits: u64) {
    check_eq!(futex_bits(FUTEX_WAIT_BITSET | FUTEX_PRIVATE, &FIRST, 0, None, bits as u32), Ok(0));
    ENDED.fetch_add(1, Ordering::SeqCst);
}

/// Wakes with these bits until so many have been woken in all.
fn wake(word: &AtomicU32, bits: u32, count: u64) {
    let mut woken = 0;
    while woken < count {
        let most = (count - woken) as u32;
        woken += futex_bits(FUTEX_WAKE_BITSET | FUTEX_PRIVATE, word, most, None, bits).expect("wake");
    }
}

fn main() {
    let short = Timespec { seconds: 0, nanoseconds: 20_000_000 };
    check_eq!(futex(FUTEX_WAIT, &FIRST, 1, None), Err(Errno::EAGAIN));
    check_eq!(futex(FUTEX_WAIT, &FIRST, 0, Some(&short)), Err(Errno::ETIMEDOUT));
    check_eq!(futex(FUTEX_WAIT_BITSET, &FIRST, 0, Some(&short)), Err(Errno::ETIMEDOUT));
    let mut soon = clock_gettime(abi::time::CLOCK_MONOTONIC).expect("clock");
    soon.seconds += 1;
    soon.nanoseconds = 0;
    check_eq!(futex(FUTEX_WAIT_BITSET, &FIRST, 0, Some(&soon)), Err(Errno::ETIMEDOUT));
    check_eq!(futex_bits(FUTEX_WAIT_BITSET, &FIRST, 0, None, 0), Err(Errno::EINVAL));
    check_eq!(futex(FUTEX_WAKE, &FIRST, 1, None), Ok(0));
    let bad = Timespec { seconds: 0, nanoseconds: 1_000_000_000 };
    check_eq!(futex(FUTEX_WAIT, &FIRST, 0, Some(&bad)), Err(Errno::EINVAL));
    check_eq!(requeue(&FIRST, &SECOND, 1, 1, 7), Err(Errno::EAGAIN));

    let left = Thread::start(wait_with_bits, 1);
    let right = Thread::start(wait_with_bits, 2);
    wake(&FIRST, 2, 1);
    right.join();
    check_eq!(ENDED.load(Ordering::SeqCst), 1);
    wake(&FIRST, 5, 1);
    left.join();

    let waiters = [4, 4, 4].map(|bits| Thread::start(wait_with_bits, bits));
    let mut moved = 0;
    while moved < 2 {
        moved += requeue(&FIRST, &SECOND, 0, 2 - moved, 0).expect("requeue");
    }
    wake(&FIRST, u32::MAX, 1);
    yield_while(&ENDED, 2);
    check_eq!(ENDED.load(Ordering::SeqCst), 3);
    // On Linux a thread that is woken by chance, by a lock of the kernel that it waited for before, lines up for its first word again,
    // and may be on its way there.
    let mut woken = 0;
    while woken < 2 {
        for word in [&SECOND, &FIRST] {
            woken += futex(FUTEX_WAKE | FUTEX_PRIVATE, word, 9, None).expect("wake");
        }
    }
    check_eq!(woken, 2);
    waiters.into_iter().for_each(Thread::join);
    check_eq!(ENDED.load(Ordering::SeqCst), 5);
}
