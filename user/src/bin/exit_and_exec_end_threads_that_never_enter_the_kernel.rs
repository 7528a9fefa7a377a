//! Threads that spin do not keep their process from its end, nor from becoming another program.
#![no_std]
#![no_main]

use core::sync::atomic::{AtomicU32, Ordering};

use user::prelude::*;
use user::processes::{exec, exited, fork, wait};
use user::rt::start::argument_count;
use user::threads::{Thread, spin_until};

program!(main);

const THREADS: u32 = 3;

static SPINNING: AtomicU32 = AtomicU32::new(0);

extern "C" fn spin(_: u64) {
    SPINNING.fetch_add(1, Ordering::SeqCst);
    loop {
        core::hint::spin_loop();
    }
}

fn start_spinners() {
    (0..THREADS).for_each(|_| _ = Thread::start(spin, 0));
    spin_until(&SPINNING, THREADS);
}

fn main() {
    if argument_count() == 2 {
        // The new program, which is alone again.
        start_spinners();
        user::sys::exit(33);
    }
    for _ in 0..5 {
        let child = fork(|| {
            start_spinners();
            9
        });
        check_eq!(wait(child), exited(9));
        let child = fork(|| {
            start_spinners();
            exec(c"/proc/self/exe", &[c"again", c"2"]);
            1
        });
        check_eq!(wait(child), exited(33));
    }
    start_spinners();
}
