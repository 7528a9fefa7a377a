//! Each bad argument has its errno, whatever the memory; a length of 0 is fine with any advice that there is.
#![no_std]
#![no_main]

use abi::mman::*;
use user::prelude::*;
use user::sys::madvise;

program!(main);

fn main() {
    let base = reserve(5);
    map_at(base, 2, Prot::READ_WRITE);

    for advice in [5, 7, 26, 99, 104, u64::MAX] {
        check_eq!((advice, madvise(base, PAGE, advice)), (advice, Err(Errno::EINVAL)));
        check_eq!((advice, madvise(base, 0, advice)), (advice, Err(Errno::EINVAL)));
    }
    check_eq!(madvise(base + 1, PAGE, MADV_NORMAL), Err(Errno::EINVAL));
    check_eq!(madvise(base + 1, 0, MADV_NORMAL), Err(Errno::EINVAL));
    check_eq!(madvise(base, u64::MAX, MADV_NORMAL), Err(Errno::EINVAL));
    check_eq!(madvise(base, PAGE.wrapping_neg(), MADV_NORMAL), Err(Errno::EINVAL));
    check_eq!(madvise(PAGE.wrapping_neg(), PAGE, MADV_NORMAL), Err(Errno::EINVAL));
    check_eq!(madvise(base, 0, MADV_NORMAL), Ok(0));
    check_eq!(madvise(base + 2 * PAGE, 0, MADV_DONTNEED), Ok(0));
    // The number of the advice is an `int`.
    check_eq!(madvise(base, PAGE, 1 << 32 | MADV_DONTNEED), Ok(0));

    for advice in
        [MADV_NORMAL, MADV_WILLNEED, MADV_DONTNEED, MADV_FREE, MADV_DONTFORK, MADV_COLD, MADV_PAGEOUT]
    {
        check_eq!(madvise(base + 3 * PAGE, PAGE, advice), Err(Errno::ENOMEM));
        check_eq!(madvise(base + PAGE, 2 * PAGE, advice), Err(Errno::ENOMEM));
        check_eq!(madvise(1 << 50, PAGE, advice), Err(Errno::ENOMEM));
    }

    check_eq!(madvise(base, PAGE, MADV_REMOVE), Err(Errno::EINVAL));
    check_eq!(madvise(base, PAGE, MADV_COLLAPSE), Err(Errno::EINVAL));
    let shared = mmap(0, PAGE, Prot::READ_WRITE, Map::SHARED).unwrap();
    check_eq!(madvise(shared, PAGE, MADV_WIPEONFORK), Err(Errno::EINVAL));
    check_eq!(madvise(shared, PAGE, MADV_KEEPONFORK), Ok(0));
}
