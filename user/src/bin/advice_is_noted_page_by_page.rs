//! Advice that is noted makes mappings differ, so that they split; without it they merge again.
#![no_std]
#![no_main]

use abi::mman::*;
use user::prelude::*;
use user::sys::madvise;

program!(main);

fn main() {
    let base = reserve(12);
    map_at(base, 12, Prot::READ_WRITE);
    let matches = |expected: &[(u64, u64, &str)]| Maps::read().matches(base, base + 12 * PAGE, expected);
    for (note, undo) in [
        (MADV_RANDOM, MADV_NORMAL),
        (MADV_SEQUENTIAL, MADV_NORMAL),
        (MADV_DONTFORK, MADV_DOFORK),
        (MADV_WIPEONFORK, MADV_KEEPONFORK),
        (MADV_DONTDUMP, MADV_DODUMP),
    ] {
        check_eq!(madvise(base + 4 * PAGE, 4 * PAGE, note), Ok(0));
        check!(matches(&[(0, 4, "rw-p"), (4, 8, "rw-p"), (8, 12, "rw-p")]));
        check_eq!(madvise(base + 3 * PAGE, 2 * PAGE, note), Ok(0));
        check!(matches(&[(0, 3, "rw-p"), (3, 8, "rw-p"), (8, 12, "rw-p")]));
        check_eq!(madvise(base, 12 * PAGE, undo), Ok(0));
        check!(matches(&[(0, 12, "rw-p")]));
    }
    // Nothing is noted of these.
    for advice in [MADV_WILLNEED, MADV_COLD, MADV_PAGEOUT, MADV_DONTNEED, MADV_FREE] {
        check_eq!(madvise(base + 4 * PAGE, 4 * PAGE, advice), Ok(0));
        check!(matches(&[(0, 12, "rw-p")]));
    }
}
