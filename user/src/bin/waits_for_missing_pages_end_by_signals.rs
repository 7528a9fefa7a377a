//! A thread that waits for the program to resolve its fault runs the handler of a signal meanwhile, and ends with its process.
#![no_std]
#![no_main]

use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use abi::Signal;
use abi::signal::BUS_ADRERR;
use abi::userfaultfd::*;
use user::prelude::*;
use user::processes::{exited, fork, kill, wait};
use user::rt::memory::{read_word, write_word};
use user::rt::syscall::syscall3;
use user::signals::{Context, Info, handle};
use user::sys::close;
use user::threads::{Thread, yield_while};
use user::userfaults::*;

program!(main);

fn getpid() -> u64 {
    user::sys::getpid().expect("getpid")
}

const MISSING: u64 = UFFDIO_REGISTER_MODE_MISSING;

static HANDLED: AtomicU32 = AtomicU32::new(0);
static FAULT: AtomicU64 = AtomicU64::new(0);

extern "C" fn count(_: u64, _: Info, _: Context) {
    HANDLED.fetch_add(1, Ordering::SeqCst);
}

/// Notes a SIGBUS, and makes the page readable.
extern "C" fn mend(_: u64, info: Info, _: Context) {
    check_eq!(info.code(), BUS_ADRERR);
    FAULT.store(info.address(), Ordering::SeqCst);
    map_at(info.address() & !(PAGE - 1), 1, Prot::READ_WRITE);
}

extern "C" fn load(address: u64) {
    check_eq!(read_word(address), 0);
}

fn main() {
    let fd = agreed(0, 0);
    let base = reserve(4);
    map_at(base, 4, Prot::READ_WRITE);
    check!(register(fd, base, 4, MISSING).is_ok());

    // The access is made again after the handler, and told again.
    handle(Signal::SIGUSR1, count, 0);
    let thread = Thread::start(load, base);
    check_eq!(message(fd), (0, base));
    let number = u64::from(Signal::SIGUSR1.number());
    check_eq!(syscall3(nr::TGKILL, getpid(), thread.tid, number), Ok(0));
    yield_while(&HANDLED, 0);
    check_eq!(message(fd), (0, base));
    check_eq!(zero(fd, base, 1, 0), (Ok(0), PAGE as i64));
    thread.join();

    // A process that waits can be killed; so it can with another thread, and by its exit.
    let child = fork(|| {
        let own = agreed(0, 0);
        check!(register(own, base, 4, MISSING).is_ok());
        let _waits = Thread::start(load, base + PAGE);
        check_eq!(message(own), (0, base + PAGE));
        0
    });
    check_eq!(wait(child), exited(0));
    let child = fork(|| {
        let own = agreed(0, 0);
        check!(register(own, base, 4, MISSING).is_ok());
        let _waits = Thread::start(load, base + PAGE);
        check_eq!(message(own), (0, base + PAGE));
        check_eq!(kill(getpid(), Signal::SIGKILL.number()), Ok(0));
        1
    });
    check_eq!(wait(child), u32::from(Signal::SIGKILL.number()));

    // A monitor in another process, which has the descriptor; at its end nothing is registered.
    let monitor = fork(|| {
        check_eq!(message(fd), (0, base + PAGE));
        check_eq!(copy(fd, base + PAGE, base, 1, 0), (Ok(0), PAGE as i64));
        check_eq!(message(fd), (0, base + 2 * PAGE));
        0
    });
    check_eq!(close(fd), Ok(0));
    load(base + PAGE);
    load(base + 2 * PAGE);
    check_eq!(wait(monitor), exited(0));
    check_eq!(registered(base), 0);

    // Or the fault is a signal.
    handle(Signal::SIGBUS, mend, 0);
    let own = agreed(0, UFFD_FEATURE_SIGBUS);
    check!(register(own, base + 3 * PAGE, 1, MISSING).is_ok());
    write_word(base + 3 * PAGE + 8, 1);
    check_eq!(FAULT.load(Ordering::SeqCst), base + 3 * PAGE + 8);
    check_eq!(close(own), Ok(0));
}
