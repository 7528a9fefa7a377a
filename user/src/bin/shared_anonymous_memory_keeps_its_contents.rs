//! Shared anonymous memory behaves like private memory while there is one process: contents survive a hole beside
//! them and changes of protection.
#![no_std]
#![no_main]

use user::pages::{check_stamps, check_zero, stamp};
use user::prelude::*;

program!(main);

fn main() {
    let base = reserve(6);
    check_eq!(mmap(base, 6 * PAGE, Prot::READ_WRITE, Map::SHARED | Map::FIXED), Ok(base));
    check_zero(base, 6);
    stamp(base, 6);

    check_eq!(munmap(base + 2 * PAGE, PAGE), Ok(0));
    check_eq!(mprotect(base, 2 * PAGE, Prot::READ), Ok(0));
    check_stamps(base, 2);
    check_stamps(base + 3 * PAGE, 3);
    check!(Maps::read().matches(base, base + 6 * PAGE, &[(0, 2, "r--s"), (3, 6, "rw-s")]));

    check_eq!(mprotect(base, 2 * PAGE, Prot::READ_WRITE), Ok(0));
    stamp(base, 2);
    check_stamps(base, 2);
}
