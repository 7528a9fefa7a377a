//! An old length of 0 maps shared memory a second time, touched or not; either one shows what the other writes.
#![no_std]
#![no_main]

use user::pages::{check_moved_stamps, check_zero, stamp};
use user::prelude::*;

program!(main);

fn main() {
    let base = reserve(16);
    let shared = |address: u64, pages: u64| {
        check_eq!(mmap(address, pages * PAGE, Prot::READ_WRITE, Map::SHARED | Map::FIXED), Ok(address));
    };
    shared(base, 4);
    stamp(base, 2);
    let second = base + 5 * PAGE;
    check_eq!(mremap(base + PAGE, 0, 3 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, second), Ok(second));
    check!(Maps::read().matches(base, base + 16 * PAGE, &[(0, 4, "rw-s"), (5, 8, "rw-s")]));
    check_moved_stamps(base + PAGE, second, 1);
    check_zero(second + PAGE, 2);
    stamp(second, 3);
    check_moved_stamps(second, base + PAGE, 3);
    stamp(base, 4);
    check_moved_stamps(base + PAGE, second, 3);

    // Each outlives the other, and moves.
    check_eq!(munmap(base, 4 * PAGE), Ok(0));
    check_moved_stamps(base + PAGE, second, 3);
    let third = base + 10 * PAGE;
    let flags = MREMAP_MAYMOVE | MREMAP_FIXED;
    check_eq!(mremap(second, 3 * PAGE, 3 * PAGE, flags | MREMAP_DONTUNMAP, third), Ok(third));
    check_moved_stamps(base + PAGE, third, 3);
    check_moved_stamps(base + PAGE, second, 3);

    // Private memory has no second time.
    map_at(base, 2, Prot::READ_WRITE);
    check_eq!(mremap(base, 0, PAGE, MREMAP_MAYMOVE, 0), Err(Errno::EINVAL));
}
