//! What is sealed keeps its length and its place, and nothing moves onto it.
#![no_std]
#![no_main]

use user::pages::{check_stamps, needs_mseal, stamp};
use user::prelude::*;
use user::sys::mseal;

program!(main);

fn main() {
    needs_mseal();
    let base = reserve(12);
    map_at(base, 6, Prot::READ_WRITE);
    stamp(base, 6);
    check_eq!(mseal(base + 2 * PAGE, 2 * PAGE), Ok(0));
    let fixed = MREMAP_MAYMOVE | MREMAP_FIXED;

    check_eq!(mremap(base + 2 * PAGE, PAGE, PAGE, 0, 0), Err(Errno::EPERM));
    check_eq!(mremap(base + 2 * PAGE, 2 * PAGE, PAGE, 0, 0), Err(Errno::EPERM));
    check_eq!(mremap(base + 3 * PAGE, PAGE, 2 * PAGE, MREMAP_MAYMOVE, 0), Err(Errno::EPERM));
    check_eq!(mremap(base + 2 * PAGE, 2 * PAGE, 2 * PAGE, fixed, base + 8 * PAGE), Err(Errno::EPERM));
    check_eq!(mremap(base, 6 * PAGE, PAGE, 0, 0), Err(Errno::EPERM));
    check_eq!(mremap(base, PAGE, PAGE, fixed, base + 3 * PAGE), Err(Errno::EPERM));
    check_stamps(base, 6);

    // What lies beside it moves.
    check_eq!(mremap(base + 4 * PAGE, 2 * PAGE, 2 * PAGE, fixed, base + 8 * PAGE), Ok(base + 8 * PAGE));
    check_stamps(base, 4);
}
