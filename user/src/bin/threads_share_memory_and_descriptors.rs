//! Threads of a process see the same memory and the same descriptors, and have numbers of their own.
#![no_std]
#![no_main]

use core::sync::atomic::{AtomicU64, Ordering};

use user::prelude::*;
use user::rt::syscall::syscall0;
use user::sys::{close, getpid, pipe};
use user::threads::Thread;

program!(main);

static SUM: AtomicU64 = AtomicU64::new(0);

extern "C" fn add(number: u64) {
    for _ in 0..1000 {
        SUM.fetch_add(number, Ordering::Relaxed);
    }
    check_eq!(getpid(), syscall0(nr::GETPID));
    check!(syscall0(nr::GETTID) != getpid(), "only the first thread has the number of the process");
}

extern "C" fn close_both(descriptors: u64) {
    check_eq!(close(descriptors as u32 as i32), Ok(0));
    check_eq!(close((descriptors >> 32) as i32), Ok(0));
}

fn main() {
    check_eq!(syscall0(nr::GETTID), getpid());
    let threads = [1, 10, 100, 1000].map(|number| Thread::start(add, number));
    threads.into_iter().for_each(Thread::join);
    check_eq!(SUM.load(Ordering::Relaxed), 1_111_000);

    let pipe = pipe().expect("pipe");
    Thread::start(close_both, pipe.reader as u64 | (pipe.writer as u64) << 32).join();
    check_eq!(close(pipe.reader), Err(Errno::EBADF));
    check_eq!(close(pipe.writer), Err(Errno::EBADF));
}
