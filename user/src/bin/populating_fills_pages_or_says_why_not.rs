//! `MADV_POPULATE_READ` and `_WRITE` need the right to it, on every page.
#![no_std]
#![no_main]

use abi::mman::{MADV_POPULATE_READ, MADV_POPULATE_WRITE};
use user::pages::{check_stamps, check_zero, stamp};
use user::prelude::*;
use user::sys::madvise;

program!(main);

fn main() {
    let base = reserve(12);
    map_at(base, 12, Prot::READ_WRITE);
    stamp(base, 2);
    check_eq!(madvise(base, 6 * PAGE, MADV_POPULATE_WRITE), Ok(0));
    check_stamps(base, 2);
    check_zero(base + 2 * PAGE, 4);
    check_eq!(madvise(base, 12 * PAGE, MADV_POPULATE_READ), Ok(0));

    check_eq!(mprotect(base + 6 * PAGE, PAGE, Prot::READ), Ok(0));
    check_eq!(madvise(base, 12 * PAGE, MADV_POPULATE_READ), Ok(0));
    check_eq!(madvise(base, 12 * PAGE, MADV_POPULATE_WRITE), Err(Errno::EINVAL));
    check_eq!(mprotect(base + 6 * PAGE, PAGE, Prot::NONE), Ok(0));
    check_eq!(madvise(base, 12 * PAGE, MADV_POPULATE_READ), Err(Errno::EINVAL));

    check_eq!(munmap(base + 5 * PAGE, PAGE), Ok(0));
    check_eq!(madvise(base, 5 * PAGE, MADV_POPULATE_READ), Ok(0));
    check_eq!(madvise(base, 12 * PAGE, MADV_POPULATE_READ), Err(Errno::ENOMEM));
    check_eq!(madvise(base + 5 * PAGE, PAGE, MADV_POPULATE_WRITE), Err(Errno::ENOMEM));
    check_eq!(madvise(base + 6 * PAGE, 0, MADV_POPULATE_WRITE), Ok(0));

    // Beyond the end of an object.
    let shared = mmap(0, PAGE, Prot::READ_WRITE, Map::SHARED).unwrap();
    let longer = user::sys::mremap(shared, PAGE, 2 * PAGE, abi::mman::MREMAP_MAYMOVE, 0).unwrap();
    check_eq!(madvise(longer, PAGE, MADV_POPULATE_WRITE), Ok(0));
    check_eq!(madvise(longer, 2 * PAGE, MADV_POPULATE_WRITE), Err(Errno::EFAULT));
}
