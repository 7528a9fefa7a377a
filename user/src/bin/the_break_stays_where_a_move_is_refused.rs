//! A break below its start, far beyond reach or into a mapping stays where it was.
#![no_std]
#![no_main]

use user::pages::{check_stamps, stamp};
use user::prelude::*;
use user::sys::brk;

program!(main);

fn main() {
    let start = brk(0);
    check_eq!(brk(start - 1), start);
    check_eq!(brk(1), start);
    check_eq!(brk(u64::MAX), start);
    check_eq!(brk(0xffff_8000_0000_0000), start);

    let heap = start.next_multiple_of(PAGE);
    check_eq!(brk(heap + PAGE), heap + PAGE);
    stamp(heap, 1);
    let obstacle = heap + 16 * PAGE;
    check_eq!(mmap(obstacle, PAGE, Prot::READ, Map::PRIVATE | Map::FIXED_NOREPLACE), Ok(obstacle));
    check_eq!(brk(obstacle + PAGE), heap + PAGE);
    check_eq!(brk(obstacle + 4 * PAGE), heap + PAGE);
    check_eq!(brk(heap + 2 * PAGE), heap + 2 * PAGE);
    check_stamps(heap, 1);
}
