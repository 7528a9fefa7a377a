//! A fixed move that changes no length takes all mappings in its range along, as far apart as they were (Linux 6.17).
#![no_std]
#![no_main]

use user::pages::{check_moved_stamps, check_stamps, stamp};
use user::prelude::*;
use user::skip::skip;

program!(main);

fn main() {
    let base = reserve(20);
    map_at(base, 6, Prot::READ_WRITE);
    stamp(base, 6);
    check_eq!(mprotect(base + 2 * PAGE, PAGE, Prot::READ), Ok(0));
    check_eq!(munmap(base + 4 * PAGE, PAGE), Ok(0));
    map_at(base + 13 * PAGE, 1, Prot::READ_WRITE);
    stamp(base + 13 * PAGE, 1);

    let fixed = MREMAP_MAYMOVE | MREMAP_FIXED;
    let moved = mremap(base + PAGE, 6 * PAGE, 6 * PAGE, fixed, base + 10 * PAGE);
    if moved == Err(Errno::EFAULT) {
        skip(format_args!("this Linux moves one mapping at a time"));
    }
    check_eq!(moved, Ok(base + 10 * PAGE));
    // What is where a hole comes to lie stays.
    let expected = [
        (0, 1, "rw-p"),
        (10, 11, "rw-p"),
        (11, 12, "r--p"),
        (12, 13, "rw-p"),
        (13, 14, "rw-p"),
        (14, 15, "rw-p"),
    ];
    check!(Maps::read().matches(base, base + 20 * PAGE, &expected));
    check_stamps(base, 1);
    check_moved_stamps(base + PAGE, base + 10 * PAGE, 3);
    check_stamps(base + 13 * PAGE, 1);
    check_moved_stamps(base + 5 * PAGE, base + 14 * PAGE, 1);

    check_eq!(mremap(base + PAGE, 10 * PAGE, 10 * PAGE, fixed, base - 0x100 * PAGE), Err(Errno::EFAULT));
}
