//! The system call returns, and the next use of the stack faults.
#![no_std]
#![no_main]

use user::prelude::*;

program!(main);

fn main() {
    let stack = *Maps::read().named(b"[stack]").unwrap();

    fatal!(munmap(stack.start, stack.end - stack.start));
}
