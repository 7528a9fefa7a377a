//! `MAP_FIXED_NOREPLACE` refuses a range with any mapping in it, and takes a free one exactly.
#![no_std]
#![no_main]

use user::pages::{check_stamps, stamp};
use user::prelude::*;

program!(main);

fn main() {
    let base = reserve(6);
    map_at(base + 2 * PAGE, 2, Prot::READ_WRITE);
    stamp(base + 2 * PAGE, 2);
    let noreplace =
        |address, pages| mmap(address, pages * PAGE, Prot::READ, Map::PRIVATE | Map::FIXED_NOREPLACE);

    check_eq!(noreplace(base + 2 * PAGE, 1), Err(Errno::EEXIST));
    check_eq!(noreplace(base, 3), Err(Errno::EEXIST));
    check_eq!(noreplace(base + 3 * PAGE, 2), Err(Errno::EEXIST));
    check_eq!(noreplace(base, 6), Err(Errno::EEXIST));
    check_eq!(noreplace(base, 2), Ok(base));

    check!(Maps::read().matches(base, base + 6 * PAGE, &[(0, 2, "r--p"), (2, 4, "rw-p")]));
    check_stamps(base + 2 * PAGE, 2);
}
