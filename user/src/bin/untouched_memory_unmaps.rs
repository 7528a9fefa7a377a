//! Mappings without a single page table come off like any other, huge ones too.
#![no_std]
#![no_main]

use user::pages::{check_stamps, stamp};
use user::prelude::*;

program!(main);

const TERABYTE: u64 = 1 << 40;

fn main() {
    let base = mmap(0, TERABYTE, Prot::READ_WRITE, Map::PRIVATE | Map::NORESERVE).unwrap();
    stamp(base, 1);
    stamp(base + TERABYTE - PAGE, 1);

    check_eq!(munmap(base + PAGE, TERABYTE - 2 * PAGE), Ok(0));

    check_stamps(base, 1);
    check_stamps(base + TERABYTE - PAGE, 1);
    check!(Maps::read().matches(base, base + 2 * PAGE, &[(0, 1, "rw-p")]));
    check_eq!(munmap(base, TERABYTE), Ok(0));
    check!(Maps::read().matches(base, base + TERABYTE, &[]));
}
