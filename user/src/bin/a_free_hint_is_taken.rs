//! An address that is free is used though it is only a hint, rounded down to a page.
#![no_std]
#![no_main]

use user::prelude::*;

program!(main);

fn main() {
    let base = reserve(8);
    check_eq!(mmap(base + 2 * PAGE, PAGE, Prot::READ, Map::PRIVATE), Ok(base + 2 * PAGE));
    check_eq!(mmap(base + 4 * PAGE + 1, PAGE, Prot::READ, Map::PRIVATE), Ok(base + 4 * PAGE));
    check!(Maps::read().matches(base, base + 8 * PAGE, &[(2, 3, "r--p"), (4, 5, "r--p")]));
}
