//! Two threads replace a page each and look at the other's: what they see is zero, or what was written last.
#![no_std]
#![no_main]

use core::sync::atomic::{AtomicU64, Ordering};

use user::pages::reserve;
use user::prelude::*;
use user::rt::memory::{read_word, write_word};
use user::threads::Thread;

program!(main);

const ROUNDS: u64 = 400;

static PAGES: AtomicU64 = AtomicU64::new(0);
static WRITTEN: [AtomicU64; 2] = [const { AtomicU64::new(0) }; 2];

fn page(number: u64) -> u64 {
    PAGES.load(Ordering::SeqCst) + 2 * number * PAGE
}

extern "C" fn replace(number: u64) {
    let (own, other) = (page(number), page(1 - number));
    let [own_round, other_round] = [number, 1 - number].map(|number| &WRITTEN[number as usize]);
    for round in 1..=ROUNDS {
        map_at(own, 1, Prot::READ_WRITE);
        write_word(own, round);
        own_round.store(round, Ordering::SeqCst);
        for _ in 0..4 {
            let written = other_round.load(Ordering::SeqCst);
            let seen = read_word(other);
            check!(seen == 0 || seen >= written, "{seen} after {written} had been written");
        }
    }
}

fn main() {
    PAGES.store(reserve(4), Ordering::SeqCst);
    (0..2).for_each(|number| map_at(page(number), 1, Prot::READ_WRITE));
    [0, 1].map(|number| Thread::start(replace, number)).into_iter().for_each(Thread::join);
}
