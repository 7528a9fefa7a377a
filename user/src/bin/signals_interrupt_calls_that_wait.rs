//! A handler interrupts a read that waits, unless it was set with SA_RESTART; sleeps tell what was left.
#![no_std]
#![no_main]

use core::sync::atomic::{AtomicU64, Ordering};

use abi::Signal;
use abi::time::Timespec;
use user::prelude::*;
use user::processes::{exited, fork, kill, wait};
use user::rt::syscall::{syscall0, syscall2, syscall3};
use user::signals::{Context, Info, SA_RESTART, handle};
use user::sys::{getpid, pipe, read, write};
use user::threads::sleep;

program!(main);

static CALLS: AtomicU64 = AtomicU64::new(0);

extern "C" fn count(_: u64, _: Info, _: Context) {
    CALLS.fetch_add(1, Ordering::SeqCst);
}

/// A child that sends this process a signal after a while, and then, if there is one, writes to a pipe.
fn helper(writer: Option<i32>) -> u64 {
    let parent = getpid().expect("getpid");
    fork(|| {
        let _ = sleep(60);
        check_eq!(kill(parent, 10), Ok(0));
        let _ = sleep(60);
        if let Some(writer) = writer {
            check_eq!(write(writer, b"x"), Ok(1));
        }
        0
    })
}

fn main() {
    let pipe = pipe().expect("pipe");
    let mut buffer = [0; 4];
    handle(Signal::SIGUSR1, count, 0);
    let child = helper(None);
    check_eq!(read(pipe.reader, &mut buffer), Err(Errno::EINTR));
    check_eq!(CALLS.swap(0, Ordering::SeqCst), 1);
    check_eq!(wait(child), exited(0));

    handle(Signal::SIGUSR1, count, SA_RESTART);
    let child = helper(Some(pipe.writer));
    check_eq!(read(pipe.reader, &mut buffer), Ok(1));
    check_eq!(CALLS.swap(0, Ordering::SeqCst), 1);
    check_eq!(wait(child), exited(0));

    // SA_RESTART does not concern sleeps.
    let child = helper(None);
    let (long, mut left) = (Timespec { seconds: 30, nanoseconds: 0 }, Timespec::default());
    let slept = syscall2(nr::NANOSLEEP, (&raw const long) as u64, (&raw mut left) as u64);
    check_eq!(slept, Err(Errno::EINTR));
    check!((1..30).contains(&left.seconds), "{left:?}");
    check_eq!(wait(child), exited(0));

    let child = helper(None);
    check_eq!(syscall0(nr::PAUSE), Err(Errno::EINTR));
    check_eq!(wait(child), exited(0));

    let timer = [0u64, 0, 0, 20_000];
    check_eq!(syscall3(nr::SETITIMER, 0, timer.as_ptr() as u64, 0), Ok(0));
    handle(Signal::SIGALRM, count, 0);
    CALLS.store(0, Ordering::SeqCst);
    while CALLS.load(Ordering::SeqCst) == 0 {
        let _ = sleep(1);
    }
    check_eq!(read(pipe.reader, &mut buffer[..0]), Ok(0));
}
