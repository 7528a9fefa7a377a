//! Placement goes from the top down, and equal neighbours are one VMA.
#![no_std]
#![no_main]

use user::prelude::*;

program!(main);

fn main() {
    let first = map(2);
    let second = map(3);
    check_eq!(second, first - 3 * PAGE);

    let vma = *Maps::read().at(first).unwrap();
    check_eq!(Maps::read().at(second).copied(), Some(vma));
    check!(vma.start <= second && vma.end >= first + 2 * PAGE);
}
