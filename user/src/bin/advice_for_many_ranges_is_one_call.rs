//! `process_madvise` of the process itself goes from range to range, and says how far it came.
#![no_std]
#![no_main]

use abi::IoVec;
use abi::mman::MADV_DONTNEED;
use user::pages::{check_stamps, check_zero, stamp};
use user::prelude::*;
use user::rt::syscall::syscall5;
use user::skip::skip;

program!(main);

const SELF: u64 = -10_000_i64 as u64;

fn advise(pidfd: u64, ranges: &[IoVec], advice: u64, flags: u64) -> Result<u64, Errno> {
    syscall5(nr::PROCESS_MADVISE, pidfd, ranges.as_ptr() as u64, ranges.len() as u64, advice, flags)
}

fn main() {
    let base = reserve(12);
    map_at(base, 12, Prot::READ_WRITE);
    stamp(base, 12);
    let range = |first: u64, pages: u64| IoVec { base: base + first * PAGE, len: pages * PAGE };
    if advise(SELF, &[range(0, 1)], MADV_DONTNEED, 0) == Err(Errno::EBADF) {
        skip(format_args!("this Linux has no PIDFD_SELF"));
    }
    check_eq!(advise(SELF, &[range(2, 1), range(4, 0), range(6, 2)], MADV_DONTNEED, 0), Ok(3 * PAGE));
    check_zero(base, 1);
    check_stamps(base + PAGE, 1);
    check_zero(base + 2 * PAGE, 1);
    check_stamps(base + 3 * PAGE, 3);
    check_zero(base + 6 * PAGE, 2);
    check_stamps(base + 8 * PAGE, 4);

    check_eq!(munmap(base + 9 * PAGE, PAGE), Ok(0));
    check_eq!(advise(SELF, &[range(8, 1), range(9, 1), range(10, 1)], MADV_DONTNEED, 0), Ok(PAGE));
    check_eq!(advise(SELF, &[range(9, 1), range(10, 1)], MADV_DONTNEED, 0), Err(Errno::ENOMEM));
    check_stamps(base + 10 * PAGE, 2);

    check_eq!(advise(SELF, &[range(0, 1)], 77, 0), Err(Errno::EINVAL));
    check_eq!(advise(SELF, &[range(0, 1)], MADV_DONTNEED, 1), Err(Errno::EINVAL));
    check_eq!(advise(SELF, &[], 77, 0), Ok(0));
    check_eq!(advise(u64::MAX, &[range(0, 1)], MADV_DONTNEED, 0), Err(Errno::EBADF));
    check_eq!(advise(1, &[range(0, 1)], MADV_DONTNEED, 0), Err(Errno::EBADF));
    check_eq!(syscall5(nr::PROCESS_MADVISE, SELF, 0, 1, MADV_DONTNEED, 0), Err(Errno::EFAULT));
    check_eq!(syscall5(nr::PROCESS_MADVISE, SELF, 0, 1025, MADV_DONTNEED, 0), Err(Errno::EINVAL));
    let wild = IoVec { base: 0xffff_8000_0000_0000, len: PAGE };
    check_eq!(advise(SELF, &[wild], MADV_DONTNEED, 0), Err(Errno::EFAULT));
}
