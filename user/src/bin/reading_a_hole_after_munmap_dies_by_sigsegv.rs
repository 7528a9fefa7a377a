//! What munmap removed can no longer be read, not even a page that was just in use.
#![no_std]
#![no_main]

use user::prelude::*;

program!(main);

fn main() {
    let base = map(3);
    for page in 0..3 {
        write_byte(base + page * PAGE, 7);
    }
    check_eq!(munmap(base + PAGE, PAGE), Ok(0));
    check_eq!(read_byte(base), 7);
    check_eq!(read_byte(base + 2 * PAGE), 7);

    fatal!(read_byte(base + PAGE));
}
