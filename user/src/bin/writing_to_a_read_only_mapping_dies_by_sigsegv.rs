//! A mapping made without `PROT_WRITE` was never writable.
#![no_std]
#![no_main]

use user::prelude::*;

program!(main);

fn main() {
    let base = mmap(0, PAGE, Prot::READ, Map::PRIVATE).unwrap();
    check_eq!(read_byte(base), 0);

    fatal!(write_byte(base, 1));
}
