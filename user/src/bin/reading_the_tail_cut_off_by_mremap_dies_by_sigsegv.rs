//! A mapping that has become shorter ends where it says.
#![no_std]
#![no_main]

use user::prelude::*;

program!(main);

fn main() {
    let base = reserve(3);
    map_at(base, 3, Prot::READ_WRITE);
    (0..3).for_each(|page| write_byte(base + page * PAGE, 5));
    check_eq!(mremap(base, 3 * PAGE, 2 * PAGE, 0, 0), Ok(base));
    check_eq!(read_byte(base + PAGE), 5);

    fatal!(read_byte(base + 2 * PAGE));
}
