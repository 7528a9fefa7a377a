//! A part that becomes like its neighbour joins it, below and above.
#![no_std]
#![no_main]

use user::pages::{check_stamps, stamp};
use user::prelude::*;

program!(main);

fn main() {
    let base = reserve(8);
    map_at(base, 8, Prot::READ_WRITE);
    stamp(base, 8);
    check_eq!(mprotect(base, 4 * PAGE, Prot::READ), Ok(0));
    check!(Maps::read().matches(base, base + 8 * PAGE, &[(0, 4, "r--p"), (4, 8, "rw-p")]));

    check_eq!(mprotect(base + 3 * PAGE, PAGE, Prot::READ_WRITE), Ok(0));
    check!(Maps::read().matches(base, base + 8 * PAGE, &[(0, 3, "r--p"), (3, 8, "rw-p")]));
    check_eq!(mprotect(base + 3 * PAGE, 2 * PAGE, Prot::READ), Ok(0));
    check!(Maps::read().matches(base, base + 8 * PAGE, &[(0, 5, "r--p"), (5, 8, "rw-p")]));

    write_byte(base + 5 * PAGE + 1, 1);
    check_stamps(base, 8);
}
