//! A part of a huge page can be unmapped, protected, discarded and moved away; the rest keeps its contents.
#![no_std]
#![no_main]

use abi::mman::MADV_DONTNEED;
use user::huge::{HUGE, HUGE_BYTES, huge_pages, reserve_huge, written};
use user::pages::{check_moved_stamps, check_stamps, check_zero, stamp};
use user::prelude::*;
use user::probe::Probe;
use user::sys::madvise;

program!(main);

fn main() {
    let probe = Probe::new();
    let base = written(4);
    stamp(base, 4 * HUGE);

    // Unmapped: a hole in the first one.
    check_eq!(munmap(base + 100 * PAGE, 50 * PAGE), Ok(0));
    check_stamps(base, 100);
    check_stamps(base + 150 * PAGE, HUGE - 150);
    check_eq!(probe.read(base + 120 * PAGE), None);
    check_eq!(huge_pages(base + 150 * PAGE), 3);

    // Protected: a page in the second one.
    let second = base + HUGE_BYTES;
    check_eq!(mprotect(second + 7 * PAGE, PAGE, Prot::READ), Ok(0));
    check_stamps(second, HUGE);
    check!(!probe.write(second + 7 * PAGE, 1));
    write_byte(second + 8 * PAGE + 1, 1);
    check_eq!(mprotect(second + 7 * PAGE, PAGE, Prot::READ_WRITE), Ok(0));
    check_eq!(huge_pages(second), 2);

    // Discarded: the end of the third one.
    let third = second + HUGE_BYTES;
    check_eq!(madvise(third + 500 * PAGE, 12 * PAGE, MADV_DONTNEED), Ok(0));
    check_stamps(third, 500);
    check_zero(third + 500 * PAGE, 12);
    check_eq!(huge_pages(third), 1);

    // Moved away: some of the fourth one.
    let fourth = third + HUGE_BYTES;
    let elsewhere = reserve_huge(1);
    let moved =
        mremap(fourth + 3 * PAGE, 5 * PAGE, 5 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, elsewhere + PAGE);
    check_eq!(moved, Ok(elsewhere + PAGE));
    check_moved_stamps(fourth + 3 * PAGE, elsewhere + PAGE, 5);
    check_stamps(fourth, 3);
    check_stamps(fourth + 8 * PAGE, HUGE - 8);
    check_eq!(huge_pages(fourth), 0);
}
