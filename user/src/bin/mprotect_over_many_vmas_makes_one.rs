//! One call over VMAs of different protection leaves a single VMA.
#![no_std]
#![no_main]

use user::pages::{check_stamps, stamp};
use user::prelude::*;

program!(main);

fn main() {
    let base = reserve(9);
    map_at(base, 9, Prot::READ_WRITE);
    stamp(base, 9);
    for page in [1, 3, 5, 7] {
        check_eq!(
            mprotect(base + page * PAGE, PAGE, if page % 4 == 1 { Prot::NONE } else { Prot::READ }),
            Ok(0)
        );
    }
    check_eq!(Maps::read().within(base, base + 9 * PAGE).len(), 9);

    check_eq!(mprotect(base, 9 * PAGE, Prot::READ), Ok(0));

    check!(Maps::read().matches(base, base + 9 * PAGE, &[(0, 9, "r--p")]));
    check_stamps(base, 9);
}
