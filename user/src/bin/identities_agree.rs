//! One process with one thread: all calls that name it say the same.
#![no_std]
#![no_main]

use user::prelude::*;
use user::rt::syscall::{syscall0, syscall1, syscall2};
use user::sys::getpid;

program!(main);

fn main() {
    let pid = getpid().unwrap();
    check!(pid > 0);
    check_eq!(syscall0(nr::GETTID), Ok(pid));
    check_eq!(syscall1(nr::SET_TID_ADDRESS, map(1)), Ok(pid));
    // The head of a robust list is 24 bytes.
    check_eq!(syscall2(nr::SET_ROBUST_LIST, map(1), 24), Ok(0));
    check_eq!(syscall2(nr::SET_ROBUST_LIST, map(1), 25), Err(Errno::EINVAL));
    check_eq!(syscall0(nr::GETUID), syscall0(nr::GETEUID));
    check_eq!(syscall0(nr::GETGID), syscall0(nr::GETEGID));
}
