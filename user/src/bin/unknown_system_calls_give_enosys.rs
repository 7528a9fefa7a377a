//! A number that is no system call, small or absurd, is ENOSYS; only its low 32 bits count.
#![no_std]
#![no_main]

use user::prelude::*;
use user::rt::syscall::syscall0;
use user::sys::getpid;

program!(main);

fn main() {
    for number in [400, 999, 4095, 100_000, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff, u64::MAX, 1 << 63 | 500] {
        check_eq!((number, syscall0(number)), (number, Err(Errno::ENOSYS)));
    }
    check_eq!(syscall0(1 << 32 | nr::GETPID), getpid());
}
