//! A shared mapping grows beyond what it was made with, but there is nothing to be had.
#![no_std]
#![no_main]

use user::prelude::*;

program!(main);

fn main() {
    let base = reserve(6);
    let flags = Map::SHARED | Map::FIXED;
    check_eq!(mmap(base, 2 * PAGE, Prot::READ_WRITE, flags), Ok(base));
    (0..2).for_each(|page| write_byte(base + page * PAGE, 5 + page as u8));
    check_eq!(mremap(base, 2 * PAGE, 4 * PAGE, 0, 0), Ok(base));
    // What was unmapped of it is there again.
    check_eq!(munmap(base + PAGE, 3 * PAGE), Ok(0));
    check_eq!(mremap(base, PAGE, 3 * PAGE, 0, 0), Ok(base));
    check_eq!(read_byte(base + PAGE), 6);

    fatal!(read_byte(base + 2 * PAGE));
}
