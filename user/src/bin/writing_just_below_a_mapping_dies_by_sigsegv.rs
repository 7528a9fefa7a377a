//! A mapping begins where it begins, and does not grow like a stack.
#![no_std]
#![no_main]

use user::prelude::*;

program!(main);

fn main() {
    let base = reserve(1);
    map_at(base, 1, Prot::READ_WRITE);
    write_byte(base, 1);

    fatal!(write_byte(base - 1, 1));
}
