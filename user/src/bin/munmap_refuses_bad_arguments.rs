//! Bad ranges give EINVAL (E2) and change nothing.
#![no_std]
#![no_main]

use user::pages::{check_stamps, stamp};
use user::prelude::*;

program!(main);

const USER_END: u64 = 0x7fff_ffff_f000;

fn main() {
    let base = reserve(2);
    map_at(base, 2, Prot::READ_WRITE);
    stamp(base, 2);

    for (address, length) in [
        (base + 1, PAGE),
        (base + 8, 0),
        (base, 0),
        (base, u64::MAX),
        (base, u64::MAX - PAGE),
        (base, USER_END),
        (0, u64::MAX),
        (USER_END, PAGE),
        (USER_END + PAGE, PAGE),
        (USER_END - PAGE, 2 * PAGE),
        (0xffff_8000_0000_0000, PAGE),
        (u64::MAX - PAGE + 1, PAGE),
        (u64::MAX, u64::MAX),
    ] {
        check_eq!((address, length, munmap(address, length)), (address, length, Err(Errno::EINVAL)));
    }

    check!(Maps::read().matches(base, base + 2 * PAGE, &[(0, 2, "rw-p")]));
    check_stamps(base, 2);
}
