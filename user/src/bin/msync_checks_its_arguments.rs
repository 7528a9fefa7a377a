//! `msync` of memory without a file does nothing, but knows a bad argument.
#![no_std]
#![no_main]

use abi::mman::{MS_ASYNC, MS_INVALIDATE, MS_SYNC};
use user::prelude::*;
use user::sys::{mlock, msync};

program!(main);

fn main() {
    let base = reserve(8);
    map_at(base, 8, Prot::READ_WRITE);
    check_eq!(munmap(base + 4 * PAGE, PAGE), Ok(0));
    check_eq!(mlock(base, PAGE, 0), Ok(0));

    check_eq!(msync(base, 4 * PAGE, MS_SYNC), Ok(0));
    check_eq!(msync(base, PAGE, 0), Ok(0));
    check_eq!(msync(base, 1, MS_ASYNC), Ok(0));
    check_eq!(msync(base, 0, MS_SYNC), Ok(0));
    check_eq!(msync(base, u64::MAX, MS_SYNC), Ok(0));
    check_eq!(msync(base + PAGE, PAGE, MS_INVALIDATE), Ok(0));
    check_eq!(msync(base, 8 * PAGE, MS_SYNC), Err(Errno::ENOMEM));
    check_eq!(msync(base, 8 * PAGE, MS_ASYNC), Err(Errno::ENOMEM));
    check_eq!(msync(base, PAGE.wrapping_neg(), MS_SYNC), Err(Errno::ENOMEM));
    check_eq!(msync(base, 8 * PAGE, MS_INVALIDATE), Err(Errno::EBUSY));
    check_eq!(msync(base, PAGE, 8), Err(Errno::EINVAL));
    check_eq!(msync(base, PAGE, MS_SYNC | MS_ASYNC), Err(Errno::EINVAL));
    check_eq!(msync(base + 1, PAGE, MS_SYNC), Err(Errno::EINVAL));
    check_eq!(msync(base + 1, 0, MS_SYNC), Err(Errno::EINVAL));
}
