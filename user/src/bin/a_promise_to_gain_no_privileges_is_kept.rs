//! `PR_SET_NO_NEW_PRIVS` is a thread's own, cannot be taken back, and is what children, new threads and new programs begin with.
#![no_std]
#![no_main]

use user::io::for_each_line;
use user::prelude::*;
use user::processes::{exec, exited, fork, wait};
use user::rt::start::argument_count;
use user::rt::syscall::syscall5;
use user::threads::Thread;

program!(main);

const SET: u64 = 38;
const GET: u64 = 39;

fn prctl(arguments: [u64; 5]) -> Result<u64, Errno> {
    let [code, a, b, c, d] = arguments;
    syscall5(nr::PRCTL, code, a, b, c, d)
}

fn get() -> Result<u64, Errno> {
    prctl([GET, 0, 0, 0, 0])
}

fn set() -> Result<u64, Errno> {
    prctl([SET, 1, 0, 0, 0])
}

/// What `/proc/self/status` says of the first thread.
fn told() -> Option<u8> {
    let mut told = None;
    for_each_line(c"/proc/self/status", |line| {
        told = line.strip_prefix(b"NoNewPrivs:\t").map(|value| value[0]).or(told);
    });
    told
}

extern "C" fn promise_alone(_: u64) {
    check_eq!(get(), Ok(0));
    check_eq!(set(), Ok(0));
    check_eq!(get(), Ok(1));
}

extern "C" fn have_promised(_: u64) {
    check_eq!(get(), Ok(1));
}

fn main() {
    if argument_count() == 2 {
        check_eq!((get(), told()), (Ok(1), Some(b'1')));
        return;
    }
    check_eq!((get(), told()), (Ok(0), Some(b'0')));
    for place in 1..5 {
        let mut bad = [GET, 0, 0, 0, 0];
        bad[place] = 1;
        check!(prctl(bad) == Err(Errno::EINVAL), "{bad:?}");
        let mut bad = [SET, 1, 0, 0, 0];
        bad[place] += 1;
        check!(prctl(bad) == Err(Errno::EINVAL), "{bad:?}");
    }
    check_eq!(prctl([SET, 0, 0, 0, 0]), Err(Errno::EINVAL));
    check_eq!(prctl([SET, 1 << 32 | 1, 0, 0, 0]), Err(Errno::EINVAL));
    check_eq!(get(), Ok(0));

    Thread::start(promise_alone, 0).join();
    check_eq!((get(), told()), (Ok(0), Some(b'0')));

    check_eq!(set(), Ok(0));
    check_eq!((get(), told()), (Ok(1), Some(b'1')));
    check_eq!(prctl([SET, 0, 0, 0, 0]), Err(Errno::EINVAL));
    check_eq!((set(), get()), (Ok(0), Ok(1)));
    Thread::start(have_promised, 0).join();
    let child = fork(|| {
        check_eq!((get(), told()), (Ok(1), Some(b'1')));
        exec(c"/proc/self/exe", &[c"again", c"here"]);
        1
    });
    check_eq!(wait(child), exited(0));
}
