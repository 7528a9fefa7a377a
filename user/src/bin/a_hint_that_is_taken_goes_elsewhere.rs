//! A hint never replaces a mapping, wholly or in part, and a hopeless hint is ignored.
#![no_std]
#![no_main]

use user::pages::{check_stamps, stamp};
use user::prelude::*;

program!(main);

fn main() {
    let base = reserve(4);
    map_at(base, 4, Prot::READ_WRITE);
    stamp(base, 4);

    for hint in [base, base + 3 * PAGE, base - PAGE, 0xffff_8000_0000_0000, u64::MAX, 0x7fff_ffff_f000] {
        let address = mmap(hint, 2 * PAGE, Prot::READ, Map::PRIVATE).unwrap();
        check!(address + 2 * PAGE <= base || address >= base + 4 * PAGE, "{:x} for {:x}", address, hint);
        check_eq!(munmap(address, 2 * PAGE), Ok(0));
    }
    check_stamps(base, 4);
}
