//! `MAP_FIXED` takes the place of parts of several mappings, and nothing of them shows.
#![no_std]
#![no_main]

use user::pages::{check_stamps, check_zero, stamp};
use user::prelude::*;

program!(main);

fn main() {
    let base = reserve(8);
    map_at(base, 3, Prot::READ_WRITE);
    map_at(base + 4 * PAGE, 1, Prot::READ);
    map_at(base + 5 * PAGE, 3, Prot::READ_WRITE);
    stamp(base, 3);
    stamp(base + 5 * PAGE, 3);

    map_at(base + 2 * PAGE, 4, Prot::READ);

    check!(Maps::read().matches(base, base + 8 * PAGE, &[(0, 2, "rw-p"), (2, 6, "r--p"), (6, 8, "rw-p")]));
    check_stamps(base, 2);
    check_zero(base + 2 * PAGE, 4);
    check_stamps(base + 6 * PAGE, 2);
}
