//! A mapping ends where it ends.
#![no_std]
#![no_main]

use user::prelude::*;

program!(main);

fn main() {
    let base = reserve(1);
    map_at(base, 1, Prot::READ_WRITE);
    check_eq!(read_byte(base + PAGE - 1), 0);

    fatal!(read_byte(base + PAGE));
}
