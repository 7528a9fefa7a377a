//! A mapping made with `PROT_NONE` exists and cannot be read.
#![no_std]
#![no_main]

use user::prelude::*;

program!(main);

fn main() {
    let base = mmap(0, PAGE, Prot::NONE, Map::PRIVATE).unwrap();
    check!(Maps::read().matches(base, base + PAGE, &[(0, 1, "---p")]));

    fatal!(read_byte(base));
}
