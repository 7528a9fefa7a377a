//! A thread that never waits loses the processor at the end of its time slice.
#![no_std]
#![no_main]

use core::hint::spin_loop;
use core::sync::atomic::{AtomicU32, Ordering};

use user::prelude::*;
use user::threads::Thread;

program!(main);

static TURN: AtomicU32 = AtomicU32::new(0);

fn spin_until(turn: u32) {
    while TURN.load(Ordering::SeqCst) != turn {
        spin_loop();
    }
}

extern "C" fn answer(_: u64) {
    for turn in [1, 3, 5] {
        spin_until(turn);
        TURN.store(turn + 1, Ordering::SeqCst);
    }
}

fn main() {
    let thread = Thread::start(answer, 0);
    for turn in [0, 2, 4] {
        spin_until(turn);
        TURN.store(turn + 1, Ordering::SeqCst);
    }
    spin_until(6);
    thread.join();
}
