//! A thread that ends with a futex of its robust list in its hands leaves a mark in it, and wakes one who waits.
#![no_std]
#![no_main]

use core::sync::atomic::Ordering;

use user::pages::map;
use user::prelude::*;
use user::rt::memory::{atomic_word, read_word, write_word};
use user::rt::syscall::{syscall0, syscall2, syscall3};
use user::threads::{FUTEX_WAIT, Thread, futex};

program!(main);

const WAITERS: u32 = 1 << 31;
const OWNER_DIED: u32 = 1 << 30;
/// The head: first entry, distance from an entry to its futex, entry that is being taken.
const HEAD: u64 = 0;
const ENTRY: u64 = 64;
const PENDING: u64 = 128;
/// From an entry to its futex.
const DISTANCE: u64 = 16;

extern "C" fn die_as_owner(base: u64) {
    let tid = syscall0(nr::GETTID).expect("gettid") as u32;
    write_word(base + HEAD, base + ENTRY);
    write_word(base + HEAD + 8, DISTANCE);
    write_word(base + HEAD + 16, base + PENDING);
    write_word(base + ENTRY, base + HEAD);
    check_eq!(syscall2(nr::SET_ROBUST_LIST, base + HEAD, 24), Ok(0));
    atomic_word(base + PENDING + DISTANCE).store(tid, Ordering::SeqCst);
    atomic_word(base + ENTRY + DISTANCE).store(tid | WAITERS, Ordering::SeqCst);
}

fn main() {
    let base = map(1);
    let other = atomic_word(base + 256);
    other.store(12345, Ordering::SeqCst);
    check_eq!(syscall2(nr::SET_ROBUST_LIST, base, 8), Err(Errno::EINVAL));
    let thread = Thread::start(die_as_owner, base);
    let word = atomic_word(base + ENTRY + DISTANCE);
    loop {
        let value = word.load(Ordering::SeqCst);
        if value & OWNER_DIED != 0 {
            break;
        }
        let _ = futex(FUTEX_WAIT, word, value, None);
    }
    check_eq!(word.load(Ordering::SeqCst), WAITERS | OWNER_DIED);
    thread.join();
    check_eq!(atomic_word(base + PENDING + DISTANCE).load(Ordering::SeqCst), OWNER_DIED);
    check_eq!(other.load(Ordering::SeqCst), 12345);

    check_eq!(syscall2(nr::SET_ROBUST_LIST, base + 512, 24), Ok(0));
    let (to, size) = (base + 600, base + 608);
    check_eq!(syscall3(nr::GET_ROBUST_LIST, 0, to, size), Ok(0));
    check_eq!((read_word(to), read_word(size)), (base + 512, 24));
    check_eq!(syscall2(nr::SET_ROBUST_LIST, 0, 24), Ok(0));
}
