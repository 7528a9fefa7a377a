//! Processes that are made with `CLONE_SIGHAND` share what is done about signals, until one becomes another program.
#![no_std]
#![no_main]

use core::sync::atomic::{AtomicU32, Ordering};

use abi::Signal;
use abi::clone::{CLONE_FILES, CLONE_FS, CLONE_SIGHAND, CLONE_VM};
use user::prelude::*;
use user::processes::{exited, kill, wait};
use user::rt::thread::start;
use user::signals::{Context, Info, handle};

program!(main);

fn getpid() -> u64 {
    user::sys::getpid().expect("getpid")
}

static HANDLED: AtomicU32 = AtomicU32::new(0);

extern "C" fn count(_: u64, _: Info, _: Context) {
    HANDLED.fetch_add(1, Ordering::SeqCst);
}

extern "C" fn child(parent: u64) {
    check!(getpid() != parent);
    // The parent's handler is its own, too, and what it sets is its parent's.
    check_eq!(kill(getpid(), Signal::SIGUSR1.number()), Ok(0));
    check_eq!(HANDLED.load(Ordering::SeqCst), 1);
    handle(Signal::SIGUSR2, count, 0);
    user::sys::exit(7);
}

fn main() {
    const STACK: u64 = 8 * PAGE;
    handle(Signal::SIGUSR1, count, 0);
    let stack = map(STACK / PAGE);
    let flags = CLONE_FILES | CLONE_FS | CLONE_SIGHAND | CLONE_VM | u64::from(Signal::SIGCHLD.number());
    let pid = Errno::from_return_value(start(flags, stack + STACK, 0, child, getpid())).expect("clone");
    check_eq!(wait(pid), exited(7));
    check_eq!(kill(getpid(), Signal::SIGUSR2.number()), Ok(0));
    check_eq!(HANDLED.load(Ordering::SeqCst), 2);
}
