//! Each bad argument has its errno; a length of 0 is fine and does nothing.
#![no_std]
#![no_main]

use user::pages::needs_mseal;
use user::prelude::*;
use user::rt::syscall::syscall3;
use user::sys::mseal;

program!(main);

fn main() {
    needs_mseal();
    let base = reserve(5);
    map_at(base, 2, Prot::READ_WRITE);
    map_at(base + 3 * PAGE, 2, Prot::READ_WRITE);

    check_eq!(syscall3(nr::MSEAL, base, PAGE, 1), Err(Errno::EINVAL));
    check_eq!(mseal(base + 1, PAGE), Err(Errno::EINVAL));
    check_eq!(mseal(base, u64::MAX), Err(Errno::EINVAL));
    check_eq!(mseal(base, u64::MAX - base + 1), Err(Errno::EINVAL));
    check_eq!(mseal(base, 0), Ok(0));
    check_eq!(mseal(base + 2 * PAGE, 0), Ok(0));
    check_eq!(mseal(base, 3 * PAGE), Err(Errno::ENOMEM));
    check_eq!(mseal(base, 5 * PAGE), Err(Errno::ENOMEM));
    check_eq!(mseal(base + 2 * PAGE, 2 * PAGE), Err(Errno::ENOMEM));
    check_eq!(mseal(base + 3 * PAGE, 2 * PAGE + 1), Err(Errno::ENOMEM));
    check_eq!(mseal(0xffff_8000_0000_0000, PAGE), Err(Errno::ENOMEM));

    check_eq!(munmap(base, 5 * PAGE), Ok(0));
}
