//! Holes at the start, in the middle and at the end of the range are no obstacle.
#![no_std]
#![no_main]

use user::pages::{check_stamps, stamp};
use user::prelude::*;

program!(main);

fn main() {
    let base = reserve(16);
    for first in [2, 6, 10] {
        map_at(base + first * PAGE, 2, Prot::READ_WRITE);
        stamp(base + first * PAGE, 2);
    }
    map_at(base + 15 * PAGE, 1, Prot::READ_WRITE);
    stamp(base + 15 * PAGE, 1);

    check_eq!(munmap(base, 14 * PAGE), Ok(0));

    check!(Maps::read().matches(base, base + 16 * PAGE, &[(15, 16, "rw-p")]));
    check_stamps(base + 15 * PAGE, 1);
}
