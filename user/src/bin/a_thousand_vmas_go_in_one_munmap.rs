//! One munmap takes a thousand VMAs, each with a page in use, and leaves both neighbours.
#![no_std]
#![no_main]

use user::pages::{check_stamps, stamp};
use user::prelude::*;

program!(main);

const VMAS: u64 = 1000;

fn main() {
    let base = reserve(2 * VMAS + 1);
    for i in 0..=VMAS {
        map_at(base + 2 * i * PAGE, 1, Prot::READ_WRITE);
        stamp(base + 2 * i * PAGE, 1);
    }

    check_eq!(munmap(base + PAGE, (2 * VMAS - 1) * PAGE), Ok(0));

    check!(Maps::read().matches(
        base,
        base + (2 * VMAS + 1) * PAGE,
        &[(0, 1, "rw-p"), (2 * VMAS, 2 * VMAS + 1, "rw-p")]
    ));
    check_stamps(base, 1);
    check_stamps(base + 2 * VMAS * PAGE, 1);
}
