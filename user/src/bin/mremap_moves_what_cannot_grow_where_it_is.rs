//! A mapping without room behind it moves as a whole or in part, with its contents, and is gone from where it was.
#![no_std]
#![no_main]

use user::pages::{check_moved_stamps, check_stamps, check_zero, stamp};
use user::prelude::*;
use user::probe::Probe;

program!(main);

fn main() {
    let probe = Probe::new();
    let base = reserve(8);
    map_at(base, 6, Prot::READ_WRITE);
    map_at(base + 6 * PAGE, 1, Prot::READ);
    stamp(base, 6);

    let new = mremap(base + 2 * PAGE, 2 * PAGE, 5 * PAGE, MREMAP_MAYMOVE, 0).expect("mremap");
    check!(new < base || new >= base + 7 * PAGE);
    check!(Maps::read().matches(base, base + 8 * PAGE, &[(0, 2, "rw-p"), (4, 6, "rw-p"), (6, 7, "r--p")]));
    check!(Maps::read().at(new + 4 * PAGE).is_some());
    check_moved_stamps(base + 2 * PAGE, new, 2);
    check_zero(new + 2 * PAGE, 3);
    check_eq!(probe.read(base + 2 * PAGE), None);
    check_eq!(probe.read(base + 3 * PAGE), None);
    check_stamps(base, 2);
    check_stamps(base + 4 * PAGE, 2);

    // The contents follow what is written at the new place, back to the old one.
    stamp(new, 2);
    check_eq!(
        mremap(new, 5 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, base + 2 * PAGE),
        Ok(base + 2 * PAGE)
    );
    check_moved_stamps(new, base + 2 * PAGE, 2);
    check_eq!(probe.read(new), None);
    check_eq!(probe.read(new + 4 * PAGE), None);
    check!(Maps::read().matches(base, base + 8 * PAGE, &[(0, 6, "rw-p"), (6, 7, "r--p")]));
    probe.close();
}
