//! `getrusage` and `wait4` tell of page faults, time and waiting: of a thread, of a process with the threads that have ended, and of the
//! children that were waited for.
#![no_std]
#![no_main]

use user::pages::stamp;
use user::prelude::*;
use user::processes::{exited, fork};
use user::rt::syscall::{syscall2, syscall4};
use user::threads::{Thread, sleep};

program!(main);

const CHILDREN: u64 = u64::MAX;
const PROCESS: u64 = 0;
const THREAD: u64 = 1;
const PAGES: u64 = 64;

/// `struct rusage`.
struct Usage([u64; 18]);

impl Usage {
    fn of(who: u64) -> Usage {
        let mut words = [1; 18];
        check_eq!(syscall2(nr::GETRUSAGE, who, words.as_mut_ptr() as u64), Ok(0));
        Usage(words)
    }

    /// In microseconds.
    fn user_time(&self) -> u64 {
        self.0[0] * 1_000_000 + self.0[1]
    }

    fn time(&self) -> u64 {
        self.user_time() + self.0[2] * 1_000_000 + self.0[3]
    }

    fn faults(&self) -> u64 {
        self.0[8]
    }

    fn waits(&self) -> u64 {
        self.0[16]
    }
}

fn touch() {
    stamp(map(PAGES), PAGES);
}

extern "C" fn touch_in_a_thread(_: u64) {
    check!(Usage::of(THREAD).faults() < PAGES);
    touch();
    check!(Usage::of(THREAD).faults() >= PAGES);
}

/// Computes until `enough` says so.
fn compute_until(enough: impl Fn() -> bool) {
    while !enough() {
        (0..10_000).for_each(|_| core::hint::spin_loop());
    }
}

fn main() {
    for who in [2, CHILDREN - 1] {
        check_eq!(syscall2(nr::GETRUSAGE, who, 0), Err(Errno::EINVAL));
    }
    check_eq!(syscall2(nr::GETRUSAGE, PROCESS, 1), Err(Errno::EFAULT));

    let before = Usage::of(PROCESS);
    Thread::start(touch_in_a_thread, 0).join();
    check!(Usage::of(PROCESS).faults() >= before.faults() + PAGES);
    check!(Usage::of(THREAD).faults() < PAGES);

    let before = Usage::of(THREAD);
    check_eq!(sleep(1), Ok(0));
    check!(Usage::of(THREAD).waits() > before.waits());

    // A program that computes is in ring 3 at some of the ticks.
    compute_until(|| Usage::of(THREAD).user_time() >= 20_000);
    let (thread, process) = (Usage::of(THREAD), Usage::of(PROCESS));
    check!(thread.time() >= 20_000 && process.time() >= thread.time());

    check_eq!(Usage::of(CHILDREN).0, [0; 18]);
    let child = fork(|| {
        let grandchild = fork(|| {
            touch();
            0
        });
        check_eq!(user::processes::wait(grandchild), exited(0));
        compute_until(|| Usage::of(PROCESS).time() >= 20_000);
        0
    });
    let (mut status, mut words) = (0u32, [0; 18]);
    let place = words.as_mut_ptr() as u64;
    check_eq!(syscall4(nr::WAIT4, child, (&raw mut status) as u64, 0, place), Ok(child));
    let told = Usage(words);
    check_eq!(status, exited(0));
    check!(told.faults() >= PAGES && told.time() >= 20_000);
    let children = Usage::of(CHILDREN);
    check_eq!((children.faults(), children.time()), (told.faults(), told.time()));
}
