//! Changing a middle part makes three VMAs, changing it back makes one again.
#![no_std]
#![no_main]

use user::pages::{check_stamps, stamp};
use user::prelude::*;

program!(main);

fn main() {
    let base = reserve(6);
    map_at(base, 6, Prot::READ_WRITE);
    stamp(base, 6);

    check_eq!(mprotect(base + 2 * PAGE, 2 * PAGE, Prot::READ), Ok(0));
    check!(Maps::read().matches(base, base + 6 * PAGE, &[(0, 2, "rw-p"), (2, 4, "r--p"), (4, 6, "rw-p")]));
    check_stamps(base, 6);

    check_eq!(mprotect(base + 2 * PAGE, 2 * PAGE, Prot::READ_WRITE), Ok(0));
    check!(Maps::read().matches(base, base + 6 * PAGE, &[(0, 6, "rw-p")]));
    check_stamps(base, 6);
    stamp(base, 6);
}
