//! A guard kills as if nothing were mapped there.
#![no_std]
#![no_main]

use abi::mman::MADV_GUARD_INSTALL;
use user::prelude::*;
use user::rt::memory::read_byte;
use user::sys::madvise;

program!(main);

fn main() {
    let base = map(3);
    check_eq!(madvise(base + PAGE, PAGE, MADV_GUARD_INSTALL), Ok(0));
    read_byte(base);
    read_byte(base + 2 * PAGE);
    fatal!(read_byte(base + PAGE));
}
