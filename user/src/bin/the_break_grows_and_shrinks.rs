//! `brk` moves the end of the heap by bytes; the memory is zero, also the second time.
#![no_std]
#![no_main]

use user::pages::{check_stamps, check_zero, stamp};
use user::prelude::*;
use user::sys::brk;

program!(main);

fn main() {
    let start = brk(0);
    let heap = start.next_multiple_of(PAGE);
    check_eq!(brk(heap + 4 * PAGE), heap + 4 * PAGE);
    check_eq!(brk(0), heap + 4 * PAGE);
    check_zero(heap, 4);
    stamp(heap, 4);
    check_eq!(Maps::read().at(heap).map(|vma| (vma.end, vma.permissions)), Some((heap + 4 * PAGE, *b"rw-p")));
    check_eq!(Maps::read().at(heap).map(|vma| vma.name() == b"[heap]"), Some(true));

    // Within a page nothing is unmapped.
    check_eq!(brk(heap + PAGE + 1), heap + PAGE + 1);
    check_stamps(heap, 2);
    check_eq!(Maps::read().at(heap).map(|vma| vma.end), Some(heap + 2 * PAGE));

    check_eq!(brk(heap + 4 * PAGE), heap + 4 * PAGE);
    check_stamps(heap, 2);
    check_zero(heap + 2 * PAGE, 2);
    check_eq!(brk(start), start);
    check!(Maps::read().at(heap).is_none());
}
