//! Threads touch pages of a registered range in different order, again and again, while one thread copies them in and another one
//! takes one away for each that is touched: nobody waits for ever, and nobody sees anything but the copies.
#![no_std]
#![no_main]

use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use abi::fs::O_NONBLOCK;
use abi::mman::MADV_DONTNEED;
use abi::userfaultfd::*;
use user::prelude::*;
use user::rt::memory::{read_word, write_word};
use user::rt::syscall::syscall0;
use user::sys::{close, madvise};
use user::threads::Thread;
use user::userfaults::*;

program!(main);

const PAGES: u64 = 16;
const ROUNDS: u64 = 200;
const THREADS: u32 = 3;

static BASE: AtomicU64 = AtomicU64::new(0);
static TOUCHED: AtomicU64 = AtomicU64::new(0);
static ENDED: AtomicU32 = AtomicU32::new(0);

fn content(page: u64) -> u64 {
    0x5000 + page
}

extern "C" fn touch(step: u64) {
    let base = BASE.load(Ordering::SeqCst);
    for round in 0..ROUNDS {
        let page = round * step % PAGES;
        check_eq!(read_word(base + page * PAGE + 8), content(page));
        TOUCHED.fetch_add(1, Ordering::SeqCst);
    }
    ENDED.fetch_add(1, Ordering::SeqCst);
}

extern "C" fn discard(_: u64) {
    let base = BASE.load(Ordering::SeqCst);
    let (mut page, mut seen) = (0, 0);
    while ENDED.load(Ordering::SeqCst) < THREADS {
        // Not faster than they go on: who is woken may come late, and would find his page gone each time.
        let touched = TOUCHED.load(Ordering::SeqCst);
        if touched > seen {
            (page, seen) = ((page * 5 + 3) % PAGES, seen + 1);
            check_eq!(madvise(base + page * PAGE, PAGE, MADV_DONTNEED), Ok(0));
        }
        let _ = syscall0(nr::SCHED_YIELD);
    }
}

fn main() {
    let fd = agreed(O_NONBLOCK, 0);
    let base = reserve(PAGES);
    map_at(base, PAGES, Prot::READ_WRITE);
    let source = reserve(PAGES);
    map_at(source, PAGES, Prot::READ_WRITE);
    (0..PAGES).for_each(|page| write_word(source + page * PAGE + 8, content(page)));
    BASE.store(base, Ordering::SeqCst);
    check!(register(fd, base, PAGES, UFFDIO_REGISTER_MODE_MISSING).is_ok());
    let threads = [1, 3, 7].map(|step| Thread::start(touch, step));
    let discarder = Thread::start(discard, 0);
    let mut told = [UffdMessage::default(); 2];
    while ENDED.load(Ordering::SeqCst) < THREADS {
        let count = messages(fd, &mut told).unwrap_or(0);
        for message in &told[..count] {
            let offset = message.address - base;
            let (answer, _) = copy(fd, message.address, source + offset, 1, 0);
            if answer == Err(Errno::EEXIST) {
                // Another thread's copy has come in between: who waits has only to look.
                check_eq!(wake(fd, message.address, 1), Ok(0));
            } else {
                check_eq!(answer, Ok(0));
            }
        }
        if count == 0 {
            let _ = syscall0(nr::SCHED_YIELD);
        }
    }
    threads.into_iter().for_each(Thread::join);
    discarder.join();
    check_eq!(close(fd), Ok(0));
}
