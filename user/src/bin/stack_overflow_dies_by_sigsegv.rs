//! The stack grows to its limit and no further.
#![no_std]
#![no_main]

use abi::rlimit::{RLIM_INFINITY, RLIMIT_STACK};
use user::prelude::*;
use user::rt::cpu::stack_pointer;
use user::sys::getrlimit;

program!(main);

fn main() {
    let limit = getrlimit(RLIMIT_STACK).unwrap().current;
    check!(limit >= 1 << 20 && limit != RLIM_INFINITY, "run it with a limit: {:#x}", limit);
    let top = stack_pointer();
    // What lies above the stack pointer already is within 256 KiB.
    touch_down(top, top - limit + (256 << 10));

    fatal!(touch_down(top, top - limit - PAGE));
}

/// Writes to each page from below `from` down to `to`.
fn touch_down(from: u64, to: u64) {
    let mut address = from - PAGE;
    while address >= to {
        write_byte(address, 1);
        address -= PAGE;
    }
}
