//! Sealed pages are used as any other, and cannot be unmapped, replaced, or given other rights.
#![no_std]
#![no_main]

use user::pages::{check_stamps, needs_mseal, stamp};
use user::prelude::*;
use user::sys::mseal;

program!(main);

fn main() {
    needs_mseal();
    let base = reserve(12);
    map_at(base, 12, Prot::READ_WRITE);
    stamp(base, 12);
    check_eq!(mseal(base + 4 * PAGE, 4 * PAGE), Ok(0));
    let three = [(0, 4, "rw-p"), (4, 8, "rw-p"), (8, 12, "rw-p")];
    check!(Maps::read().matches(base, base + 12 * PAGE, &three));

    // Inside: refused before anything is split.
    check_eq!(munmap(base + 5 * PAGE, PAGE), Err(Errno::EPERM));
    check_eq!(munmap(base + 6 * PAGE, 6 * PAGE), Err(Errno::EPERM));
    check_eq!(mprotect(base + 5 * PAGE, PAGE, Prot::READ), Err(Errno::EPERM));
    check_eq!(mprotect(base + 5 * PAGE, PAGE, Prot::READ_WRITE), Err(Errno::EPERM));
    let fixed = |page, pages| mmap(base + page * PAGE, pages * PAGE, Prot::READ, Map::PRIVATE | Map::FIXED);
    check_eq!(fixed(5, 1), Err(Errno::EPERM));
    check!(Maps::read().matches(base, base + 12 * PAGE, &three));
    check_stamps(base, 12);

    // Across: all stays mapped.
    check_eq!(munmap(base, 12 * PAGE), Err(Errno::EPERM));
    check_eq!(fixed(0, 12), Err(Errno::EPERM));
    check!(Maps::read().matches(base, base + 12 * PAGE, &three));
    check_stamps(base, 12);
    stamp(base + 4 * PAGE, 4);

    // Around: as ever.
    check_eq!(munmap(base, 4 * PAGE), Ok(0));
    check_eq!(munmap(base + 8 * PAGE, 4 * PAGE), Ok(0));
    check!(Maps::read().matches(base, base + 12 * PAGE, &[(4, 8, "rw-p")]));
    check_stamps(base + 4 * PAGE, 4);
}
