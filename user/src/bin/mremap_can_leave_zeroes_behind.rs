//! With MREMAP_DONTUNMAP the pages move and the old range stays mapped, empty.
#![no_std]
#![no_main]

use user::pages::{check_moved_stamps, check_stamps, check_zero, stamp};
use user::prelude::*;

program!(main);

fn main() {
    let base = reserve(12);
    map_at(base, 4, Prot::READ_WRITE);
    stamp(base, 4);
    let keep = MREMAP_MAYMOVE | MREMAP_DONTUNMAP;

    check_eq!(mremap(base, 4 * PAGE, 4 * PAGE, keep | MREMAP_FIXED, base + 6 * PAGE), Ok(base + 6 * PAGE));
    check!(Maps::read().matches(base, base + 12 * PAGE, &[(0, 4, "rw-p"), (6, 10, "rw-p")]));
    check_moved_stamps(base, base + 6 * PAGE, 4);
    check_zero(base, 4);
    stamp(base, 4);
    check_moved_stamps(base, base + 6 * PAGE, 4);

    // Without a fixed address, the last argument is a hint.
    check_eq!(mremap(base + PAGE, PAGE, PAGE, keep, base + 11 * PAGE), Ok(base + 11 * PAGE));
    check_moved_stamps(base + PAGE, base + 11 * PAGE, 1);
    let elsewhere = mremap(base + 2 * PAGE, PAGE, PAGE, keep, base + 6 * PAGE).expect("mremap");
    check!(elsewhere != base + 6 * PAGE);
    check_moved_stamps(base + 2 * PAGE, elsewhere, 1);
    check_zero(base + PAGE, 2);
    check_stamps(base, 1);
    check_stamps(base + 3 * PAGE, 1);
}
