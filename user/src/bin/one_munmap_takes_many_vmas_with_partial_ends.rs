//! A munmap from within one VMA to within another takes all between and splits both ends.
#![no_std]
#![no_main]

use user::pages::{check_stamps, stamp};
use user::prelude::*;

program!(main);

fn main() {
    let base = reserve(12);
    map_at(base, 12, Prot::READ_WRITE);
    stamp(base, 12);
    check_eq!(mprotect(base + 3 * PAGE, PAGE, Prot::READ), Ok(0));
    check_eq!(mprotect(base + 5 * PAGE, 2 * PAGE, Prot::NONE), Ok(0));
    check_eq!(mprotect(base + 8 * PAGE, PAGE, Prot::READ), Ok(0));
    check_eq!(Maps::read().within(base, base + 12 * PAGE).len(), 7);

    check_eq!(munmap(base + 2 * PAGE, 8 * PAGE), Ok(0));

    check!(Maps::read().matches(base, base + 12 * PAGE, &[(0, 2, "rw-p"), (10, 12, "rw-p")]));
    check_stamps(base, 2);
    check_stamps(base + 10 * PAGE, 2);
}
