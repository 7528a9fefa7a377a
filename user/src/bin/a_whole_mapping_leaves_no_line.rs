//! A munmap of exactly one VMA removes it and nothing else.
#![no_std]
#![no_main]

use user::prelude::*;

program!(main);

fn main() {
    let base = reserve(3);
    map_at(base, 1, Prot::READ);
    map_at(base + PAGE, 1, Prot::READ_WRITE);
    map_at(base + 2 * PAGE, 1, Prot::READ);
    write_byte(base + PAGE, 1);

    check_eq!(munmap(base + PAGE, PAGE), Ok(0));

    check!(Maps::read().matches(base, base + 3 * PAGE, &[(0, 1, "r--p"), (2, 3, "r--p")]));
    check_eq!(munmap(base, 3 * PAGE), Ok(0));
    check!(Maps::read().matches(base, base + 3 * PAGE, &[]));
}
