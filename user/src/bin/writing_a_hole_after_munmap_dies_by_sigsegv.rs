//! What munmap removed can no longer be written, though the page was writable and dirty.
#![no_std]
#![no_main]

use user::prelude::*;

program!(main);

fn main() {
    let base = map(3);
    write_byte(base + PAGE, 7);
    check_eq!(munmap(base + PAGE, PAGE), Ok(0));
    write_byte(base, 8);
    write_byte(base + 2 * PAGE, 9);

    fatal!(write_byte(base + PAGE, 7));
}
