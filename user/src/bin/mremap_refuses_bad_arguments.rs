//! Each bad argument has its errno, in this order, and nothing changes.
#![no_std]
#![no_main]

use user::pages::{check_stamps, stamp};
use user::prelude::*;

program!(main);

const USER_END: u64 = 0x7fff_ffff_f000;

fn main() {
    let base = reserve(8);
    map_at(base, 2, Prot::READ_WRITE);
    map_at(base + 2 * PAGE, 1, Prot::READ);
    stamp(base, 2);
    let (fixed, keep) = (MREMAP_MAYMOVE | MREMAP_FIXED, MREMAP_MAYMOVE | MREMAP_DONTUNMAP);
    let there = base + 5 * PAGE;

    for (flags, old, old_length, new_length, new, errno) in [
        (8, base, PAGE, PAGE, 0, Errno::EINVAL),
        (0, base + 1, PAGE, PAGE, 0, Errno::EINVAL),
        (0, base, PAGE, 0, 0, Errno::EINVAL),
        (0, base, PAGE, u64::MAX, 0, Errno::EINVAL),
        (MREMAP_FIXED, base, PAGE, PAGE, there, Errno::EINVAL),
        (MREMAP_DONTUNMAP, base, PAGE, PAGE, there, Errno::EINVAL),
        (fixed, base, PAGE, PAGE, there + 1, Errno::EINVAL),
        (fixed, base, PAGE, PAGE, USER_END, Errno::EINVAL),
        (fixed, base, PAGE, PAGE, 0xffff_8000_0000_0000, Errno::EINVAL),
        (keep, base, PAGE, 2 * PAGE, there, Errno::EINVAL),
        (fixed, base, 2 * PAGE, 2 * PAGE, base + PAGE, Errno::EINVAL),
        (fixed, base, 2 * PAGE, PAGE, base + PAGE, Errno::EINVAL),
        (fixed, base + PAGE, PAGE, 2 * PAGE, base, Errno::EINVAL),
        (MREMAP_MAYMOVE, base, 0, PAGE, 0, Errno::EINVAL),
        (0, base, 1 << 62, PAGE, 0, Errno::EINVAL),
        (0, base + 3 * PAGE, PAGE, PAGE, 0, Errno::EFAULT),
        (0, base + 3 * PAGE, PAGE, 2 * PAGE, 0, Errno::EFAULT),
        (fixed, base + 3 * PAGE, PAGE, PAGE, there, Errno::EFAULT),
        (0, 0xffff_8000_0000_0000, PAGE, PAGE, 0, Errno::EFAULT),
        (MREMAP_MAYMOVE, base, 3 * PAGE, 4 * PAGE, 0, Errno::EFAULT),
        (MREMAP_MAYMOVE, base + PAGE, 2 * PAGE, 3 * PAGE, 0, Errno::EFAULT),
        (0, base, 2 * PAGE, 3 * PAGE, 0, Errno::ENOMEM),
        (MREMAP_MAYMOVE, base, 2 * PAGE, USER_END, 0, Errno::ENOMEM),
    ] {
        let result = mremap(old, old_length, new_length, flags, new);
        check_eq!(
            (flags, old, old_length, new_length, new, result),
            (flags, old, old_length, new_length, new, Err(errno))
        );
    }

    check!(Maps::read().matches(base, base + 8 * PAGE, &[(0, 2, "rw-p"), (2, 3, "r--p")]));
    check_stamps(base, 2);
}
