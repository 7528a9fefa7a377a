//! A munmap inside one VMA splits it: both ends keep place, protection and contents.
#![no_std]
#![no_main]

use user::pages::{check_stamps, stamp};
use user::prelude::*;

program!(main);

fn main() {
    let base = reserve(6);
    map_at(base, 6, Prot::READ_WRITE);
    stamp(base, 6);

    check_eq!(munmap(base + 2 * PAGE, 2 * PAGE), Ok(0));

    check!(Maps::read().matches(base, base + 6 * PAGE, &[(0, 2, "rw-p"), (4, 6, "rw-p")]));
    check_stamps(base, 2);
    check_stamps(base + 4 * PAGE, 2);
}
