//! Nothing mapped in the range is no error (E3), also right between two mappings.
#![no_std]
#![no_main]

use user::pages::{check_stamps, stamp};
use user::prelude::*;

program!(main);

fn main() {
    let base = reserve(4);
    map_at(base, 1, Prot::READ_WRITE);
    map_at(base + 3 * PAGE, 1, Prot::READ_WRITE);
    stamp(base, 1);
    stamp(base + 3 * PAGE, 1);

    check_eq!(munmap(base + PAGE, 2 * PAGE), Ok(0));

    check!(Maps::read().matches(base, base + 4 * PAGE, &[(0, 1, "rw-p"), (3, 4, "rw-p")]));
    check_stamps(base, 1);
    check_stamps(base + 3 * PAGE, 1);
}
