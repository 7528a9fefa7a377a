//! Every process has all capabilities, and has used nothing. Only here: on Linux that depends on who runs the program.
#![no_std]
#![no_main]

use user::prelude::*;
use user::rt::syscall::syscall2;

program!(main);

fn main() {
    let mut header = [0u32, 0];
    let (place, mut sets) = (header.as_mut_ptr() as u64, [7u32; 6]);
    check_eq!(syscall2(nr::CAPGET, place, sets.as_mut_ptr() as u64), Err(Errno::EINVAL));
    check_eq!(header[0], 0x2008_0522);
    check_eq!(syscall2(nr::CAPGET, place, sets.as_mut_ptr() as u64), Ok(0));
    check_eq!(sets, [u32::MAX, u32::MAX, 0, 0x1ff, 0x1ff, 0]);
}
