//! Threads load and store in huge pages while another one splits, discards, protects and unmaps parts of them.
#![no_std]
#![no_main]

use core::sync::atomic::{AtomicU64, Ordering};

use abi::mman::MADV_DONTNEED;
use user::huge::{HUGE, HUGE_BYTES, advised};
use user::prelude::*;
use user::sys::madvise;
use user::threads::Thread;

program!(main);

const ROUNDS: u64 = 40;
/// Rounds that are over.
static DONE: AtomicU64 = AtomicU64::new(0);
static BASE: AtomicU64 = AtomicU64::new(0);

/// Counts in the last page of each of two huge pages, which nobody else changes.
extern "C" fn count(thread: u64) {
    let place = BASE.load(Ordering::Relaxed) + thread * HUGE_BYTES + (HUGE - 1) * PAGE;
    let mut stored = 0u8;
    while DONE.load(Ordering::Relaxed) < ROUNDS {
        check_eq!(read_byte(place), stored);
        stored = stored.wrapping_add(1);
        write_byte(place, stored);
    }
}

fn main() {
    let base = advised(2);
    BASE.store(base, Ordering::Relaxed);
    let threads = [0, 1].map(|thread| Thread::start(count, thread));
    for round in 0..ROUNDS {
        for thread in 0..2 {
            let first = base + thread * HUGE_BYTES;
            // The first pages are this thread's.
            write_byte(first + PAGE, round as u8 + 1);
            check_eq!(mprotect(first + PAGE, PAGE, Prot::READ), Ok(0));
            check_eq!(read_byte(first + PAGE), round as u8 + 1);
            check_eq!(madvise(first, 4 * PAGE, MADV_DONTNEED), Ok(0));
            check_eq!(read_byte(first + PAGE), 0);
            check_eq!(munmap(first, 8 * PAGE), Ok(0));
            map_at(first, 8, Prot::READ_WRITE);
            check_eq!(read_byte(first + PAGE), 0);
        }
        DONE.fetch_add(1, Ordering::Relaxed);
    }
    threads.into_iter().for_each(Thread::join);
}
