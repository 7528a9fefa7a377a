//! Threads in numbers: each has memory of its own, and all of it comes back.
#![no_std]
#![no_main]

use core::sync::atomic::{AtomicU64, Ordering};

use user::pages::{check_stamps, map, stamp};
use user::prelude::*;
use user::threads::Thread;

program!(main);

static DONE: AtomicU64 = AtomicU64::new(0);

extern "C" fn work(number: u64) {
    let pages = 3 + number % 4;
    let base = map(pages);
    stamp(base, pages);
    check!(user::rt::syscall::syscall0(nr::SCHED_YIELD).is_ok());
    check_stamps(base, pages);
    check_eq!(munmap(base, pages * PAGE), Ok(0));
    DONE.fetch_add(1, Ordering::SeqCst);
}

fn main() {
    for round in 0..10 {
        let threads: [Thread; 16] = core::array::from_fn(|index| Thread::start(work, round + index as u64));
        threads.into_iter().for_each(Thread::join);
    }
    check_eq!(DONE.load(Ordering::SeqCst), 160);
}
