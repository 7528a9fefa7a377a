//! A shared mapping that has become shorter and grows again shows what was in the part that was cut off.
#![no_std]
#![no_main]

use user::pages::{check_stamps, stamp};
use user::prelude::*;

program!(main);

fn main() {
    let base = reserve(8);
    check_eq!(mmap(base, 4 * PAGE, Prot::READ_WRITE, Map::SHARED | Map::FIXED), Ok(base));
    stamp(base, 4);
    check_eq!(mremap(base, 4 * PAGE, PAGE, 0, 0), Ok(base));
    check!(Maps::read().matches(base, base + 8 * PAGE, &[(0, 1, "rw-s")]));
    check_eq!(mremap(base, PAGE, 6 * PAGE, 0, 0), Ok(base));
    check!(Maps::read().matches(base, base + 8 * PAGE, &[(0, 6, "rw-s")]));
    check_stamps(base, 4);
}
