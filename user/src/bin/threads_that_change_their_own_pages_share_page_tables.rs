//! Four threads map, protect and unmap pages that lie between each other's, in the same page tables.
#![no_std]
#![no_main]

use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use user::pages::{check_stamps, check_zero, reserve, stamp};
use user::prelude::*;
use user::threads::{Thread, yield_while};

program!(main);

const THREADS: u64 = 4;
const RUN: u64 = 3;
const RUNS: u64 = 8;
const ROUNDS: u64 = 60;

static PAGES: AtomicU64 = AtomicU64::new(0);
static GO: AtomicU32 = AtomicU32::new(0);

extern "C" fn work(number: u64) {
    yield_while(&GO, 0);
    let run = |index: u64| PAGES.load(Ordering::SeqCst) + (index * THREADS + number) * RUN * PAGE;
    for round in 0..ROUNDS {
        for index in 0..RUNS {
            map_at(run(index), RUN, Prot::READ_WRITE);
            check_zero(run(index), RUN);
            stamp(run(index), RUN);
        }
        let middle = run(round % RUNS) + PAGE;
        check_eq!(mprotect(middle, PAGE, Prot::READ), Ok(0));
        (0..RUNS).for_each(|index| check_stamps(run(index), RUN));
        check_eq!(mprotect(middle, PAGE, Prot::READ_WRITE), Ok(0));
        stamp(middle, 1);
        (0..RUNS).for_each(|index| check_eq!(munmap(run(index), RUN * PAGE), Ok(0)));
    }
}

fn main() {
    let threads: [Thread; THREADS as usize] =
        core::array::from_fn(|number| Thread::start(work, number as u64));
    // After the stacks, which else might lie there.
    PAGES.store(reserve(THREADS * RUN * RUNS), Ordering::SeqCst);
    GO.store(1, Ordering::SeqCst);
    threads.into_iter().for_each(Thread::join);
}
