//! A shorter mapping loses its tail, and so does a part of one; the range may reach over others and over holes.
#![no_std]
#![no_main]

use user::pages::{check_stamps, stamp};
use user::prelude::*;
use user::probe::Probe;

program!(main);

fn main() {
    let probe = Probe::new();
    let base = reserve(12);
    map_at(base, 8, Prot::READ_WRITE);
    map_at(base + 9 * PAGE, 2, Prot::READ_WRITE);
    stamp(base, 8);

    check_eq!(mremap(base, 8 * PAGE, 6 * PAGE, 0, 0), Ok(base));
    check!(Maps::read().matches(base, base + 12 * PAGE, &[(0, 6, "rw-p"), (9, 11, "rw-p")]));
    check_eq!(mremap(base + PAGE, 3 * PAGE, PAGE, 0, 0), Ok(base + PAGE));
    check!(Maps::read().matches(base, base + 12 * PAGE, &[(0, 2, "rw-p"), (4, 6, "rw-p"), (9, 11, "rw-p")]));
    check_eq!(probe.read(base + 2 * PAGE), None);
    check_stamps(base, 2);
    check_stamps(base + 4 * PAGE, 2);

    check_eq!(mremap(base, 10 * PAGE, PAGE, 0, 0), Ok(base));
    check!(Maps::read().matches(base, base + 12 * PAGE, &[(0, 1, "rw-p"), (10, 11, "rw-p")]));
    check_stamps(base, 1);
    // The same length is no change.
    check_eq!(mremap(base, PAGE, PAGE, MREMAP_MAYMOVE, 0), Ok(base));
    probe.close();
}
