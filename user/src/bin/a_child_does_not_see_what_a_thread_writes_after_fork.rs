//! A thread writes two words, one after the other, all the time; each child finds them as at one moment, and they stay so.
#![no_std]
#![no_main]

use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use user::pages::map;
use user::prelude::*;
use user::processes::{exited, fork, wait};
use user::rt::memory::{read_word, write_word};
use user::rt::syscall::syscall0;
use user::threads::{Thread, spin_until};

program!(main);

const CHILDREN: u64 = 40;

static PAGES: AtomicU64 = AtomicU64::new(0);
static WRITING: AtomicU32 = AtomicU32::new(0);
static ENOUGH: AtomicU32 = AtomicU32::new(0);

extern "C" fn write(_: u64) {
    let pages = PAGES.load(Ordering::SeqCst);
    let mut value = 0;
    while ENOUGH.load(Ordering::SeqCst) == 0 {
        value += 1;
        write_word(pages, value);
        write_word(pages + PAGE, value);
        WRITING.store(1, Ordering::SeqCst);
    }
}

fn main() {
    let pages = map(2);
    PAGES.store(pages, Ordering::SeqCst);
    let thread = Thread::start(write, 0);
    spin_until(&WRITING, 1);
    for _ in 0..CHILDREN {
        let child = fork(|| {
            let (first, second) = (read_word(pages), read_word(pages + PAGE));
            check!(first == second || first == second + 1, "{first}, and {second}");
            for _ in 0..20 {
                check!(syscall0(nr::SCHED_YIELD).is_ok());
                check_eq!((read_word(pages), read_word(pages + PAGE)), (first, second));
            }
            0
        });
        check_eq!(wait(child), exited(0));
    }
    ENOUGH.store(1, Ordering::SeqCst);
    thread.join();
}
