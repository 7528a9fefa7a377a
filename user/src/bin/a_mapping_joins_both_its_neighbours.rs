//! A mapping that fills the gap between two equal ones makes one VMA of three.
#![no_std]
#![no_main]

use user::prelude::*;

program!(main);

fn main() {
    let base = reserve(6);
    map_at(base, 2, Prot::READ_WRITE);
    map_at(base + 4 * PAGE, 2, Prot::READ_WRITE);
    check!(Maps::read().matches(base, base + 6 * PAGE, &[(0, 2, "rw-p"), (4, 6, "rw-p")]));

    map_at(base + 2 * PAGE, 2, Prot::READ_WRITE);

    check!(Maps::read().matches(base, base + 6 * PAGE, &[(0, 6, "rw-p")]));
}
