//! munmap works on the heap, and the break does not notice.
#![no_std]
#![no_main]

use user::pages::{check_stamps, check_zero, stamp};
use user::prelude::*;
use user::sys::brk;

program!(main);

fn main() {
    let heap = brk(0).next_multiple_of(PAGE);
    check_eq!(brk(heap + 6 * PAGE), heap + 6 * PAGE);
    stamp(heap, 6);

    check_eq!(munmap(heap + 2 * PAGE, 2 * PAGE), Ok(0));

    check_eq!(brk(0), heap + 6 * PAGE);
    check!(Maps::read().matches(heap, heap + 6 * PAGE, &[(0, 2, "rw-p"), (4, 6, "rw-p")]));
    check_stamps(heap, 2);
    check_stamps(heap + 4 * PAGE, 2);
    check_eq!(brk(heap + 8 * PAGE), heap + 8 * PAGE);
    check_zero(heap + 6 * PAGE, 2);
}
