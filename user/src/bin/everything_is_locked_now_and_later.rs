//! `mlockall` concerns what is mapped, what will be, or both; a child begins without it.
#![no_std]
#![no_main]

use abi::mman::{MCL_CURRENT, MCL_FUTURE, MCL_ONFAULT};
use user::prelude::*;
use user::processes::{exited, fork, wait};
use user::sys::{mincore, mlockall, munlockall};

program!(main);

fn in_memory(base: u64) -> [u8; 2] {
    let mut there = [0; 2];
    check_eq!(mincore(base, 2 * PAGE, &mut there), Ok(0));
    there
}

fn main() {
    for flags in [0, MCL_ONFAULT, 8, 16, MCL_CURRENT | 8] {
        check_eq!((flags, mlockall(flags)), (flags, Err(Errno::EINVAL)));
    }
    let base = reserve(12);
    map_at(base, 2, Prot::READ_WRITE);
    check_eq!(in_memory(base), [0, 0]);
    check_eq!(mlockall(MCL_CURRENT), Ok(0));
    check_eq!(in_memory(base), [1, 1]);
    map_at(base + 2 * PAGE, 2, Prot::READ_WRITE);
    check_eq!(in_memory(base + 2 * PAGE), [0, 0]);
    let two = [(0, 2, "rw-p"), (2, 4, "rw-p")];
    check!(Maps::read().matches(base, base + 12 * PAGE, &two));

    check_eq!(mlockall(MCL_FUTURE), Ok(0));
    map_at(base + 5 * PAGE, 2, Prot::READ_WRITE);
    check_eq!(in_memory(base + 5 * PAGE), [1, 1]);
    check_eq!(in_memory(base + 2 * PAGE), [0, 0]);
    let child = fork(|| {
        map_at(base + 10 * PAGE, 2, Prot::READ_WRITE);
        check_eq!(in_memory(base + 10 * PAGE), [0, 0]);
        0
    });
    check_eq!(wait(child), exited(0));

    check_eq!(mlockall(MCL_FUTURE | MCL_ONFAULT), Ok(0));
    check_eq!(
        mmap(base + 8 * PAGE, 2 * PAGE, Prot::READ_WRITE, Map::PRIVATE | Map::FIXED | Map::POPULATE),
        Ok(base + 8 * PAGE)
    );
    check_eq!(in_memory(base + 8 * PAGE), [0, 0]);

    check_eq!(munlockall(), Ok(0));
    check!(Maps::read().matches(base, base + 12 * PAGE, &[(0, 4, "rw-p"), (5, 7, "rw-p"), (8, 10, "rw-p")]));
    map_at(base + 10 * PAGE, 2, Prot::READ_WRITE);
    check_eq!(in_memory(base + 10 * PAGE), [0, 0]);
}
