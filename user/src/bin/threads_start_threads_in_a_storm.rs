//! Several threads start and join threads as fast as they can; each has memory of its own.
#![no_std]
#![no_main]

use core::sync::atomic::{AtomicU64, Ordering};

use user::pages::{check_stamps, map, stamp};
use user::prelude::*;
use user::threads::Thread;

program!(main);

const STARTERS: usize = 4;
const ROUNDS: u64 = 25;
const THREADS: usize = 4;

static ENDED: AtomicU64 = AtomicU64::new(0);

extern "C" fn work(pages: u64) {
    let base = map(pages);
    stamp(base, pages);
    check_stamps(base, pages);
    check_eq!(munmap(base, pages * PAGE), Ok(0));
    ENDED.fetch_add(1, Ordering::SeqCst);
}

extern "C" fn start_many(number: u64) {
    for round in 0..ROUNDS {
        let pages = 1 + (number + round) % 5;
        let threads: [Thread; THREADS] = core::array::from_fn(|_| Thread::start(work, pages));
        threads.into_iter().for_each(Thread::join);
    }
}

fn main() {
    let starters: [Thread; STARTERS] =
        core::array::from_fn(|number| Thread::start(start_many, number as u64));
    starters.into_iter().for_each(Thread::join);
    check_eq!(ENDED.load(Ordering::SeqCst), (STARTERS * THREADS) as u64 * ROUNDS);
}
