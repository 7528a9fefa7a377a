//! After `MADV_FREE` a page holds what it did or zeroes, and what is written to it then stays.
#![no_std]
#![no_main]

use abi::mman::MADV_FREE;
use user::pages::{check_stamps, stamp};
use user::prelude::*;
use user::rt::memory::read_byte;
use user::sys::madvise;

program!(main);

fn main() {
    let base = map(8);
    stamp(base, 8);
    let before = read_byte(base + PAGE);
    check_eq!(madvise(base, 4 * PAGE, MADV_FREE), Ok(0));
    let after = read_byte(base + PAGE);
    check!(after == before || after == 0);
    check_stamps(base + 4 * PAGE, 4);
    stamp(base, 4);
    check_stamps(base, 8);
}
