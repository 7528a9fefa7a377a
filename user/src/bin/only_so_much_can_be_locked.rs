//! `RLIMIT_MEMLOCK` limits what is locked. (On Linux it does not limit root.)
#![no_std]
#![no_main]

use abi::mman::{MCL_CURRENT, MCL_FUTURE};
use abi::rlimit::{RLIMIT_MEMLOCK, Rlimit};
use user::prelude::*;
use user::rt::syscall::syscall2;
use user::sys::{mlock, mlockall, mremap, munlock, munlockall};

program!(main);

fn limit(pages: u64) {
    let limit = Rlimit { current: pages * PAGE, maximum: u64::MAX };
    check_eq!(syscall2(nr::SETRLIMIT, RLIMIT_MEMLOCK.into(), (&raw const limit) as u64), Ok(0));
}

fn main() {
    let base = reserve(20);
    map_at(base, 20, Prot::READ_WRITE);
    limit(8);
    check_eq!(mlock(base, 4 * PAGE, 0), Ok(0));
    check_eq!(mlock(base + 2 * PAGE, 6 * PAGE, 0), Ok(0));
    check_eq!(mlock(base + 6 * PAGE, 3 * PAGE, 0), Err(Errno::ENOMEM));
    check_eq!(mmap(0, PAGE, Prot::READ, Map::PRIVATE | Map::LOCKED), Err(Errno::EAGAIN));
    check_eq!(mlockall(MCL_CURRENT), Err(Errno::ENOMEM));
    check_eq!(mlockall(MCL_FUTURE), Ok(0));
    check_eq!(mmap(0, PAGE, Prot::READ, Map::PRIVATE), Err(Errno::EAGAIN));
    check_eq!(munlockall(), Ok(0));
    let locked = mmap(0, 4 * PAGE, Prot::READ_WRITE, Map::PRIVATE | Map::LOCKED).unwrap();
    check_eq!(mremap(locked, 4 * PAGE, 12 * PAGE, MREMAP_MAYMOVE, 0), Err(Errno::EAGAIN));
    limit(0);
    check_eq!(mlock(base, PAGE, 0), Err(Errno::EPERM));
    check_eq!(mlock(base, 0, 0), Err(Errno::EPERM));
    check_eq!(mlockall(MCL_CURRENT), Err(Errno::EPERM));
    check_eq!(mmap(0, PAGE, Prot::READ, Map::PRIVATE | Map::LOCKED), Err(Errno::EPERM));
    check_eq!(munlock(base, PAGE), Ok(0));
    check_eq!(munlockall(), Ok(0));
}
