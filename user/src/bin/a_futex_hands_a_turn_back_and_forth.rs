//! Two threads take turns by waiting for a word and waking each other.
#![no_std]
#![no_main]

use core::sync::atomic::{AtomicU32, Ordering};

use user::prelude::*;
use user::threads::{FUTEX_PRIVATE, FUTEX_WAIT, FUTEX_WAKE, Thread, futex};

program!(main);

const ROUNDS: u32 = 500;
static TURN: AtomicU32 = AtomicU32::new(0);

fn take_turn(turn: u32) {
    loop {
        let now = TURN.load(Ordering::SeqCst);
        if now == turn {
            break;
        }
        let result = futex(FUTEX_WAIT | FUTEX_PRIVATE, &TURN, now, None);
        check!(matches!(result, Ok(0) | Err(Errno::EAGAIN)), "{result:?}");
    }
    TURN.store(turn + 1, Ordering::SeqCst);
    check!(futex(FUTEX_WAKE | FUTEX_PRIVATE, &TURN, 1, None).is_ok_and(|woken| woken <= 1));
}

extern "C" fn odd_turns(_: u64) {
    (0..ROUNDS).for_each(|round| take_turn(2 * round + 1));
}

fn main() {
    let other = Thread::start(odd_turns, 0);
    (0..ROUNDS).for_each(|round| take_turn(2 * round));
    other.join();
    check_eq!(TURN.load(Ordering::SeqCst), 2 * ROUNDS);
}
