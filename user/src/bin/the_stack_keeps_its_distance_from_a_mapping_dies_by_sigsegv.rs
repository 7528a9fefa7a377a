//! The stack does not grow to within its gap (256 pages) above another mapping.
#![no_std]
#![no_main]

use user::prelude::*;

program!(main);

const GAP: u64 = 256 * PAGE;

fn main() {
    let stack = Maps::read().named(b"[stack]").unwrap().start;
    let below = stack - 2 * GAP;
    check_eq!(mmap(below, PAGE, Prot::READ, Map::PRIVATE | Map::FIXED_NOREPLACE), Ok(below));
    write_byte(below + PAGE + GAP, 1);

    fatal!(write_byte(below + GAP, 1));
}
