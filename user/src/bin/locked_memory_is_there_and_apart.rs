//! `mlock` faults pages in and splits mappings, `MLOCK_ONFAULT` only splits; `munlock` lets them merge again.
#![no_std]
#![no_main]

use abi::mman::MLOCK_ONFAULT;
use user::prelude::*;
use user::sys::{mincore, mlock, munlock};

program!(main);

fn main() {
    let base = reserve(12);
    map_at(base, 12, Prot::READ_WRITE);
    let matches = |expected: &[(u64, u64, &str)]| Maps::read().matches(base, base + 12 * PAGE, expected);
    let mut there = [0; 12];
    check_eq!(mlock(base + 4 * PAGE + 5, 3 * PAGE, 0), Ok(0));
    check!(matches(&[(0, 4, "rw-p"), (4, 8, "rw-p"), (8, 12, "rw-p")]));
    check_eq!(mincore(base, 12 * PAGE, &mut there), Ok(0));
    check_eq!(there, [0, 0, 0, 0, 1, 1, 1, 1, 0, 0, 0, 0]);
    check_eq!(mlock(base + 6 * PAGE, 4 * PAGE, MLOCK_ONFAULT), Ok(0));
    check!(matches(&[(0, 4, "rw-p"), (4, 6, "rw-p"), (6, 10, "rw-p"), (10, 12, "rw-p")]));
    check_eq!(mincore(base, 12 * PAGE, &mut there), Ok(0));
    check_eq!(there[8..], [0; 4]);
    check_eq!(munlock(base, 12 * PAGE), Ok(0));
    check!(matches(&[(0, 12, "rw-p")]));

    // A hole ends it, and what comes before stays.
    check_eq!(munmap(base + 4 * PAGE, 2 * PAGE), Ok(0));
    check_eq!(mlock(base + 2 * PAGE, 6 * PAGE, 0), Err(Errno::ENOMEM));
    check!(matches(&[(0, 2, "rw-p"), (2, 4, "rw-p"), (6, 12, "rw-p")]));
    check_eq!(munlock(base + 2 * PAGE, 6 * PAGE), Err(Errno::ENOMEM));
    check!(matches(&[(0, 4, "rw-p"), (6, 12, "rw-p")]));

    // Pages that cannot be faulted in are locked all the same.
    check_eq!(mprotect(base, PAGE, Prot::NONE), Ok(0));
    check_eq!(mlock(base, 4 * PAGE, 0), Err(Errno::ENOMEM));
    check_eq!(munlock(base, 4 * PAGE), Ok(0));

    check_eq!(mlock(base, PAGE, 2), Err(Errno::EINVAL));
    check_eq!(mlock(PAGE.wrapping_neg(), PAGE, 0), Err(Errno::EINVAL));
    check_eq!(munlock(PAGE.wrapping_neg(), 2 * PAGE), Err(Errno::EINVAL));
    check_eq!(mlock(1 << 50, PAGE, 0), Err(Errno::ENOMEM));
    check_eq!(mlock(1 << 50, 0, 0), Ok(0));
    check_eq!(mlock(base + 6 * PAGE, u64::MAX, 0), Ok(0));
}
