//! A mapping grows over the free pages behind it, joins the mapping that it reaches, and keeps its contents.
#![no_std]
#![no_main]

use user::pages::{check_stamps, check_zero, stamp};
use user::prelude::*;

program!(main);

fn main() {
    let base = reserve(8);
    map_at(base, 2, Prot::READ_WRITE);
    stamp(base, 2);
    check_eq!(mremap(base, 2 * PAGE, 4 * PAGE, 0, 0), Ok(base));
    check!(Maps::read().matches(base, base + 8 * PAGE, &[(0, 4, "rw-p")]));
    check_stamps(base, 2);
    check_zero(base + 2 * PAGE, 2);

    // Only the end of it was named.
    map_at(base + 6 * PAGE, 2, Prot::READ_WRITE);
    check_eq!(mremap(base + 3 * PAGE, PAGE, 3 * PAGE, MREMAP_MAYMOVE, 0), Ok(base + 3 * PAGE));
    check!(Maps::read().matches(base, base + 8 * PAGE, &[(0, 8, "rw-p")]));
    check_stamps(base, 2);

    // There is no room, and the range does not end where the mapping ends.
    map_at(base + 5 * PAGE, 1, Prot::READ);
    check_eq!(mremap(base, 5 * PAGE, 6 * PAGE, 0, 0), Err(Errno::ENOMEM));
    check_eq!(mremap(base, 2 * PAGE, 3 * PAGE, 0, 0), Err(Errno::ENOMEM));
    check_stamps(base, 2);
}
