//! Two fillings differ from each other and from nothing; unknown flags are refused.
#![no_std]
#![no_main]

use user::prelude::*;
use user::rt::syscall::syscall3;
use user::sys::getrandom;

program!(main);

fn main() {
    let (mut one, mut other) = ([0; 32], [0; 32]);
    check_eq!(getrandom(&mut one), Ok(32));
    check_eq!(getrandom(&mut other), Ok(32));
    check!(one != other);
    check!(one != [0; 32] && other != [0; 32]);
    // Not a repeated word either.
    check!(one[..8] != one[8..16]);

    check_eq!(getrandom(&mut []), Ok(0));
    check_eq!(syscall3(nr::GETRANDOM, one.as_mut_ptr() as u64, 1, 0x8000), Err(Errno::EINVAL));
}
