//! The parent of a vfork goes on when the child has ended; until then both have the same memory.
#![no_std]
#![no_main]

use abi::Signal;
use abi::clone::{CLONE_VFORK, CLONE_VM};
use user::pages::map;
use user::prelude::*;
use user::processes::wait;
use user::rt::memory::{read_word, write_word};
use user::rt::thread::start;
use user::sys::exit;
use user::threads::sleep;

program!(main);

extern "C" fn child(base: u64) {
    let _ = sleep(20);
    write_word(base, 1);
    exit(6);
}

fn main() {
    let base = map(16);
    let flags = CLONE_VFORK | CLONE_VM | u64::from(Signal::SIGCHLD.number());
    let pid = start(flags, base + 16 * PAGE, 0, child, base);
    check_eq!(read_word(base), 1);
    check_eq!(wait(pid), 6 << 8);
}
