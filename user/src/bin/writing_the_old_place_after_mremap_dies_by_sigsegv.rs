//! What has moved is not at its old place any more, however recently it was written there.
#![no_std]
#![no_main]

use user::prelude::*;

program!(main);

fn main() {
    let base = reserve(6);
    map_at(base, 3, Prot::READ_WRITE);
    (0..3).for_each(|page| write_byte(base + page * PAGE, 5));
    let flags = MREMAP_MAYMOVE | MREMAP_FIXED;
    check_eq!(mremap(base + PAGE, PAGE, PAGE, flags, base + 4 * PAGE), Ok(base + 4 * PAGE));
    check_eq!(read_byte(base + 4 * PAGE), 5);

    fatal!(write_byte(base + PAGE, 1));
}
