//! Parent and child of a fork have the same huge pages until one of them writes, and see their own stores only.
#![no_std]
#![no_main]

use user::huge::{HUGE, HUGE_BYTES, huge_pages, written};
use user::pages::{check_stamps, stamp};
use user::prelude::*;
use user::processes::{exited, fork, wait};

program!(main);

fn main() {
    let base = written(2);
    stamp(base, 2 * HUGE);
    let child = fork(|| {
        check_stamps(base, 2 * HUGE);
        check_eq!(huge_pages(base), 2);
        write_byte(base + 9 * PAGE + 5, 0xcc);
        check_eq!(read_byte(base + 9 * PAGE + 5), 0xcc);
        check_stamps(base, 2 * HUGE);
        // One part goes, and is there in the parent.
        check_eq!(munmap(base + HUGE_BYTES, HUGE_BYTES / 2), Ok(0));
        check_stamps(base + HUGE_BYTES + HUGE_BYTES / 2, HUGE / 2);
        0
    });
    write_byte(base + 9 * PAGE + 6, 0xaa);
    check_eq!(wait(child), exited(0));
    check_eq!(read_byte(base + 9 * PAGE + 5), 0);
    check_eq!(read_byte(base + 9 * PAGE + 6), 0xaa);
    check_stamps(base, 2 * HUGE);
    stamp(base, 2 * HUGE);
    check_stamps(base, 2 * HUGE);
}
