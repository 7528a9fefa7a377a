//! `MADV_DONTNEED` empties private memory at once, for this process alone; shared memory keeps its contents.
#![no_std]
#![no_main]

use abi::mman::{MADV_DONTNEED, MADV_DONTNEED_LOCKED, MADV_FREE};
use user::pages::{check_stamps, check_zero, stamp};
use user::prelude::*;
use user::processes::{exited, fork, wait};
use user::sys::madvise;

program!(main);

fn main() {
    let base = map(12);
    stamp(base, 12);
    check_eq!(madvise(base + 2 * PAGE, 5 * PAGE - 1, MADV_DONTNEED), Ok(0));
    check_stamps(base, 2);
    check_zero(base + 2 * PAGE, 5);
    check_stamps(base + 7 * PAGE, 5);

    // Rights do not matter.
    check_eq!(mprotect(base, 12 * PAGE, Prot::NONE), Ok(0));
    check_eq!(madvise(base, PAGE, MADV_DONTNEED), Ok(0));
    check_eq!(mprotect(base, 12 * PAGE, Prot::READ), Ok(0));
    check_zero(base, 1);
    check_stamps(base + PAGE, 1);

    // A child has lost nothing by what its parent does, nor the parent by what the child does.
    let child = fork(|| {
        check_eq!(madvise(base + 8 * PAGE, PAGE, MADV_DONTNEED), Ok(0));
        check_zero(base + 8 * PAGE, 1);
        0
    });
    check_eq!(wait(child), exited(0));
    check_stamps(base + 8 * PAGE, 1);

    // Holes are passed over.
    check_eq!(munmap(base + 4 * PAGE, 4 * PAGE), Ok(0));
    check_eq!(madvise(base, 12 * PAGE, MADV_DONTNEED), Err(Errno::ENOMEM));
    check_zero(base, 4);
    check_zero(base + 8 * PAGE, 4);

    let shared = mmap(0, 2 * PAGE, Prot::READ_WRITE, Map::SHARED).unwrap();
    stamp(shared, 2);
    check_eq!(madvise(shared, 2 * PAGE, MADV_DONTNEED), Ok(0));
    check_stamps(shared, 2);
    check_eq!(madvise(shared, 2 * PAGE, MADV_FREE), Err(Errno::EINVAL));

    let locked = mmap(0, 2 * PAGE, Prot::READ_WRITE, Map::PRIVATE | Map::LOCKED).unwrap();
    stamp(locked, 2);
    check_eq!(madvise(locked, 2 * PAGE, MADV_DONTNEED), Err(Errno::EINVAL));
    check_eq!(madvise(locked, 2 * PAGE, MADV_FREE), Err(Errno::EINVAL));
    check_stamps(locked, 2);
    check_eq!(madvise(locked, 2 * PAGE, MADV_DONTNEED_LOCKED), Ok(0));
    check_zero(locked, 2);
}
