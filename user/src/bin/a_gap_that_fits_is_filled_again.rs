//! A hole left by munmap is the highest gap for a mapping that fits, and too small for one that does not.
#![no_std]
#![no_main]

use user::prelude::*;

program!(main);

fn main() {
    let base = map(8);
    let hole = base + 3 * PAGE;
    check_eq!(munmap(hole, 2 * PAGE), Ok(0));

    check_eq!(map(3), base - 3 * PAGE);
    check_eq!(map(1), hole + PAGE);
    check_eq!(map(1), hole);
    check!(
        Maps::read().at(base).is_some_and(|vma| vma.start <= base - 3 * PAGE && vma.end >= base + 8 * PAGE)
    );
}
