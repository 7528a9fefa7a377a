//! Vector registers survive other threads that use them, and a handler that does.
#![no_std]
#![no_main]

use core::sync::atomic::{AtomicU32, Ordering};

use abi::Signal;
use user::prelude::*;
use user::processes::kill;
use user::rt::cpu::{Vectors, set_vectors, vector_words, vectors};
use user::signals::{Context, Info, handle};
use user::sys::getpid;
use user::threads::{Thread, yield_while};

program!(main);

static STEP: AtomicU32 = AtomicU32::new(0);

fn pattern(seed: u64) -> Vectors {
    let mut vectors: Vectors = [[0; 4]; 16];
    for (index, vector) in vectors.iter_mut().enumerate() {
        let words = [seed * 1000 + index as u64, !seed, seed * 2000 + index as u64, seed];
        vector[..vector_words()].copy_from_slice(&words[..vector_words()]);
    }
    vectors
}

extern "C" fn other(_: u64) {
    set_vectors(&pattern(2));
    STEP.store(1, Ordering::SeqCst);
    yield_while(&STEP, 1);
    check_eq!(vectors(), pattern(2));
}

extern "C" fn spoil(_: u64, _: Info, _: Context) {
    set_vectors(&pattern(3));
}

fn main() {
    set_vectors(&pattern(1));
    let thread = Thread::start(other, 0);
    yield_while(&STEP, 0);
    check_eq!(vectors(), pattern(1));
    handle(Signal::SIGUSR1, spoil, 0);
    check_eq!(kill(getpid().expect("getpid"), 10), Ok(0));
    check_eq!(vectors(), pattern(1));
    STEP.store(2, Ordering::SeqCst);
    thread.join();
    check_eq!(vectors(), pattern(1));
}
