//! A munmap of the first pages of a VMA leaves the rest as it was.
#![no_std]
#![no_main]

use user::pages::{check_stamps, stamp};
use user::prelude::*;

program!(main);

fn main() {
    let base = reserve(5);
    map_at(base, 5, Prot::READ_WRITE);
    stamp(base, 5);

    check_eq!(munmap(base, 2 * PAGE), Ok(0));

    check!(Maps::read().matches(base, base + 5 * PAGE, &[(2, 5, "rw-p")]));
    check_stamps(base + 2 * PAGE, 3);
}
