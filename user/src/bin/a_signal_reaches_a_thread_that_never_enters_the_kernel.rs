//! A handler runs in the thread that the signal was sent to, although that only spins.
#![no_std]
#![no_main]

use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use abi::Signal;
use user::prelude::*;
use user::rt::syscall::{syscall0, syscall3};
use user::signals::{Context, Info, handle};
use user::sys::getpid;
use user::threads::{Thread, spin_until};

program!(main);

const SIGNALS: u32 = 100;

static STARTED: AtomicU32 = AtomicU32::new(0);
static HANDLED: AtomicU32 = AtomicU32::new(0);
static SPINNER: AtomicU64 = AtomicU64::new(0);

extern "C" fn handler(_: u64, _: Info, _: Context) {
    check_eq!(syscall0(nr::GETTID), Ok(SPINNER.load(Ordering::SeqCst)));
    HANDLED.fetch_add(1, Ordering::SeqCst);
}

extern "C" fn spin(_: u64) {
    STARTED.store(1, Ordering::SeqCst);
    spin_until(&HANDLED, SIGNALS);
}

fn main() {
    handle(Signal::SIGUSR1, handler, 0);
    let thread = Thread::start(spin, 0);
    SPINNER.store(thread.tid, Ordering::SeqCst);
    spin_until(&STARTED, 1);
    let pid = getpid().expect("getpid");
    for number in 1..=SIGNALS {
        check_eq!(syscall3(nr::TGKILL, pid, thread.tid, Signal::SIGUSR1.number().into()), Ok(0));
        spin_until(&HANDLED, number);
    }
    thread.join();
}
