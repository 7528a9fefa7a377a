//! A chequered range has one VMA for each page left; filled up again it is one VMA.
#![no_std]
#![no_main]

use user::pages::{check_stamps, check_zero, stamp};
use user::prelude::*;

program!(main);

const PAGES: u64 = 128;

fn main() {
    let base = reserve(PAGES);
    map_at(base, PAGES, Prot::READ_WRITE);
    stamp(base, PAGES);
    for page in (1..PAGES).step_by(2) {
        check_eq!(munmap(base + page * PAGE, PAGE), Ok(0));
    }
    check_eq!(Maps::read().within(base, base + PAGES * PAGE).len() as u64, PAGES / 2);
    for page in (0..PAGES).step_by(2) {
        check_stamps(base + page * PAGE, 1);
    }

    for page in (1..PAGES).step_by(2) {
        map_at(base + page * PAGE, 1, Prot::READ_WRITE);
    }
    check!(Maps::read().matches(base, base + PAGES * PAGE, &[(0, PAGES, "rw-p")]));
    for page in (0..PAGES).step_by(2) {
        check_stamps(base + page * PAGE, 1);
        check_zero(base + (page + 1) * PAGE, 1);
    }
}
