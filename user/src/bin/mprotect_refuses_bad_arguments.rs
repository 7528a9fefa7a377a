//! Each bad argument has its errno; a length of 0 is fine and does nothing.
#![no_std]
#![no_main]

use user::prelude::*;

program!(main);

const USER_END: u64 = 0x7fff_ffff_f000;

fn main() {
    let base = reserve(3);
    map_at(base, 2, Prot::READ_WRITE);

    check_eq!(mprotect(base + 1, PAGE, Prot::READ), Err(Errno::EINVAL));
    check_eq!(mprotect(base + 1, 0, Prot::READ), Err(Errno::EINVAL));
    check_eq!(mprotect(base, 0, Prot::NONE), Ok(0));
    check_eq!(mprotect(base + 2 * PAGE, 0, Prot::NONE), Ok(0));
    check_eq!(mprotect(base + 2 * PAGE, PAGE, Prot::READ), Err(Errno::ENOMEM));
    check_eq!(mprotect(base - PAGE, 2 * PAGE, Prot::READ), Err(Errno::ENOMEM));
    check_eq!(mprotect(base, u64::MAX - PAGE + 1, Prot::READ), Err(Errno::ENOMEM));
    check_eq!(mprotect(USER_END, PAGE, Prot::READ), Err(Errno::ENOMEM));
    check_eq!(mprotect(0xffff_8000_0000_0000, PAGE, Prot::READ), Err(Errno::ENOMEM));
    check_eq!(mprotect(base, PAGE, Prot::from_bits_retain(0x10)), Err(Errno::EINVAL));
    check_eq!(mprotect(base, PAGE, Prot::READ | Prot::GROWSUP), Err(Errno::EINVAL));
    check_eq!(mprotect(base, PAGE, Prot::READ | Prot::GROWSDOWN | Prot::GROWSUP), Err(Errno::EINVAL));

    check!(Maps::read().matches(base, base + 3 * PAGE, &[(0, 2, "rw-p")]));
    write_byte(base, 1);
}
