//! A huge page that is protected or moved as a whole stays one, and one that is discarded comes back as one.
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
    let base = written(3);
    stamp(base, 3 * HUGE);
    let middle = base + HUGE_BYTES;
    check_eq!(mprotect(middle, HUGE_BYTES, Prot::NONE), Ok(0));
    check_eq!(probe.read(middle + PAGE), None);
    check_eq!(mprotect(middle, HUGE_BYTES, Prot::READ_WRITE), Ok(0));
    check_stamps(base, 3 * HUGE);
    check_eq!(huge_pages(base), 3);

    let elsewhere = reserve_huge(1);
    check_eq!(
        mremap(middle, HUGE_BYTES, HUGE_BYTES, MREMAP_MAYMOVE | MREMAP_FIXED, elsewhere),
        Ok(elsewhere)
    );
    check_moved_stamps(middle, elsewhere, HUGE);
    check_eq!((huge_pages(base), huge_pages(elsewhere)), (1, 1));
    check_eq!(probe.read(middle), None);

    check_eq!(madvise(elsewhere, HUGE_BYTES, MADV_DONTNEED), Ok(0));
    check_eq!(huge_pages(elsewhere), 0);
    write_byte(elsewhere + PAGE, 0);
    check_eq!(huge_pages(elsewhere), 1);
    check_zero(elsewhere, HUGE);
    check_eq!(munmap(base, 3 * HUGE_BYTES), Ok(0));
}
