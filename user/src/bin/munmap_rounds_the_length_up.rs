//! A length that ends within a page takes the whole page.
#![no_std]
#![no_main]

use user::prelude::*;

program!(main);

fn main() {
    let base = reserve(3);
    map_at(base, 3, Prot::READ);

    check_eq!(munmap(base, 1), Ok(0));
    check!(Maps::read().matches(base, base + 3 * PAGE, &[(1, 3, "r--p")]));
    check_eq!(munmap(base + PAGE, PAGE + 1), Ok(0));
    check!(Maps::read().matches(base, base + 3 * PAGE, &[]));
}
