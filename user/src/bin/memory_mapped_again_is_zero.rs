//! A page that is unmapped and mapped again holds nothing of before.
#![no_std]
#![no_main]

use user::pages::{check_stamps, check_zero, stamp};
use user::prelude::*;

program!(main);

fn main() {
    let base = reserve(4);
    map_at(base, 4, Prot::READ_WRITE);
    for _ in 0..3 {
        stamp(base, 4);
        check_eq!(munmap(base + PAGE, 2 * PAGE), Ok(0));
        map_at(base + PAGE, 2, Prot::READ_WRITE);

        check_zero(base + PAGE, 2);
        check_stamps(base, 1);
        check_stamps(base + 3 * PAGE, 1);
    }
}
