//! Frames use the stack up, and the program dies rather than the kernel.
#![no_std]
#![no_main]

use user::prelude::*;
use user::rt::cpu::stack_pointer;

program!(main);

fn main() {
    check!(recurse(100) > 0);

    fatal!(recurse(u64::MAX));
}

/// Uses more than a kilobyte of stack for each of `depth` levels.
fn recurse(depth: u64) -> u64 {
    let frame = [depth; 128];
    let frame = core::hint::black_box(&frame);
    if depth == 0 {
        return stack_pointer();
    }
    recurse(depth - 1).wrapping_add(frame[7])
}
