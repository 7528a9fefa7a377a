//! A fixed move replaces what is at its target, in part or as a whole, and what stays beside it keeps its contents.
#![no_std]
#![no_main]

use user::pages::{check_moved_stamps, check_stamps, stamp};
use user::prelude::*;

program!(main);

fn main() {
    let base = reserve(16);
    let fixed = MREMAP_MAYMOVE | MREMAP_FIXED;
    map_at(base, 2, Prot::READ_WRITE);
    map_at(base + 4 * PAGE, 6, Prot::READ_WRITE);
    stamp(base, 2);
    stamp(base + 4 * PAGE, 6);

    // Into the middle of the other.
    check_eq!(mremap(base, 2 * PAGE, 2 * PAGE, fixed, base + 6 * PAGE), Ok(base + 6 * PAGE));
    let four = [(4, 6, "rw-p"), (6, 8, "rw-p"), (8, 10, "rw-p")];
    check!(Maps::read().matches(base, base + 16 * PAGE, &four));
    check_moved_stamps(base, base + 6 * PAGE, 2);
    check_stamps(base + 4 * PAGE, 2);
    check_stamps(base + 8 * PAGE, 2);

    // Within itself, and longer than it was.
    stamp(base + 8 * PAGE, 2);
    check_eq!(mremap(base + 8 * PAGE, PAGE, 3 * PAGE, fixed, base + 9 * PAGE), Ok(base + 9 * PAGE));
    let four = [(4, 6, "rw-p"), (6, 8, "rw-p"), (9, 12, "rw-p")];
    check!(Maps::read().matches(base, base + 16 * PAGE, &four));
    check_moved_stamps(base + 8 * PAGE, base + 9 * PAGE, 1);
    check_eq!(read_byte(base + 10 * PAGE), 0);
}
