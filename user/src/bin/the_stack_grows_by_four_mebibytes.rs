//! Touches go down page by page, and all that was written is still there.
#![no_std]
#![no_main]

use user::pages::{check_stamps, stamp};
use user::prelude::*;
use user::rt::cpu::stack_pointer;

program!(main);

const PAGES: u64 = 1024;

fn main() {
    // The functions called here need the pages right below the stack pointer.
    let top = (stack_pointer() - 64 * 1024) & !(PAGE - 1);
    for page in 1..=PAGES {
        stamp(top - page * PAGE, 1);
    }
    check_stamps(top - PAGES * PAGE, PAGES);

    let maps = Maps::read();
    let stack = maps.named(b"[stack]").unwrap();
    check!(stack.start <= top - PAGES * PAGE && stack.end > top, "{:?}", stack);
}
