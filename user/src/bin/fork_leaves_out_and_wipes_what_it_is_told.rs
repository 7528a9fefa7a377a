//! A child has nothing of memory that is not to be forked, and zeroes in memory that is to be wiped.
#![no_std]
#![no_main]

use abi::mman::{MADV_DOFORK, MADV_DONTFORK, MADV_KEEPONFORK, MADV_WIPEONFORK};
use user::pages::{check_stamps, check_zero, stamp};
use user::prelude::*;
use user::probe::Probe;
use user::processes::{exited, fork, wait};
use user::sys::madvise;

program!(main);

fn main() {
    let base = reserve(16);
    map_at(base, 16, Prot::READ_WRITE);
    stamp(base, 16);
    check_eq!(madvise(base + 4 * PAGE, 4 * PAGE, MADV_DONTFORK), Ok(0));
    check_eq!(madvise(base + 8 * PAGE, 4 * PAGE, MADV_WIPEONFORK), Ok(0));

    let child = fork(|| {
        check!(Maps::read().matches(
            base,
            base + 16 * PAGE,
            &[(0, 4, "rw-p"), (8, 12, "rw-p"), (12, 16, "rw-p")]
        ));
        check_stamps(base, 4);
        let probe = Probe::new();
        check_eq!(probe.read(base + 5 * PAGE), None);
        check_zero(base + 8 * PAGE, 4);
        check_stamps(base + 12 * PAGE, 4);
        // What is wiped is wiped for the next one too.
        stamp(base + 8 * PAGE, 4);
        let grandchild = fork(|| {
            check_zero(base + 8 * PAGE, 4);
            0
        });
        check_eq!(wait(grandchild), exited(0));
        check_stamps(base + 8 * PAGE, 4);
        0
    });
    check_eq!(wait(child), exited(0));
    check_stamps(base, 16);

    check_eq!(madvise(base, 16 * PAGE, MADV_DOFORK), Ok(0));
    check_eq!(madvise(base, 16 * PAGE, MADV_KEEPONFORK), Ok(0));
    let child = fork(|| {
        check_stamps(base, 16);
        0
    });
    check_eq!(wait(child), exited(0));
}
