//! Memory above a shrunken break is gone.
#![no_std]
#![no_main]

use user::prelude::*;
use user::sys::brk;

program!(main);

fn main() {
    let start = brk(0).next_multiple_of(PAGE);
    check_eq!(brk(start + 3 * PAGE), start + 3 * PAGE);
    write_byte(start + 2 * PAGE, 7);
    check_eq!(brk(start + PAGE), start + PAGE);
    check_eq!(read_byte(start), 0);

    fatal!(read_byte(start + 2 * PAGE));
}
