//! A munmap of the last pages of a VMA, and beyond its end, leaves the rest as it was.
#![no_std]
#![no_main]

use user::pages::{check_stamps, stamp};
use user::prelude::*;

program!(main);

fn main() {
    let base = reserve(6);
    map_at(base, 5, Prot::READ_WRITE);
    stamp(base, 5);

    check_eq!(munmap(base + 3 * PAGE, 3 * PAGE), Ok(0));

    check!(Maps::read().matches(base, base + 6 * PAGE, &[(0, 3, "rw-p")]));
    check_stamps(base, 3);
}
