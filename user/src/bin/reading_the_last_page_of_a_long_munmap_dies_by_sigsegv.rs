//! A munmap of many VMAs and many page tables removes the last page too.
#![no_std]
#![no_main]

use user::prelude::*;

program!(main);

const PAGES: u64 = 1500;

fn main() {
    let base = map(PAGES);
    for page in 0..PAGES {
        write_byte(base + page * PAGE, 1);
    }
    for page in (0..PAGES).step_by(3) {
        check_eq!(mprotect(base + page * PAGE, PAGE, Prot::READ), Ok(0));
    }
    check_eq!(read_byte(base + (PAGES - 1) * PAGE), 1);
    check_eq!(munmap(base, PAGES * PAGE), Ok(0));

    fatal!(read_byte(base + (PAGES - 1) * PAGE));
}
