//! Flags of clone that need others are refused without them, and a bad structure of clone3 is.
#![no_std]
#![no_main]

use abi::clone::{CLONE_FS, CLONE_SIGHAND, CLONE_THREAD, CLONE_VM};
use user::prelude::*;
use user::rt::syscall::{syscall2, syscall5};

program!(main);

fn clone(flags: u64) -> Result<u64, Errno> {
    syscall5(nr::CLONE, flags, 0, 0, 0, 0)
}

fn main() {
    const NEW_NAMESPACE: u64 = 0x2_0000;
    check_eq!(clone(CLONE_THREAD), Err(Errno::EINVAL));
    check_eq!(clone(CLONE_SIGHAND), Err(Errno::EINVAL));
    check_eq!(clone(CLONE_THREAD | CLONE_VM), Err(Errno::EINVAL));
    check_eq!(clone(NEW_NAMESPACE | CLONE_FS), Err(Errno::EINVAL));
    let mut structure = [0u64; 16];
    let address = structure.as_mut_ptr() as u64;
    check_eq!(syscall2(nr::CLONE3, address, 56), Err(Errno::EINVAL));
    check_eq!(syscall2(nr::CLONE3, address, 5000), Err(Errno::E2BIG));
    structure[0] = 17;
    check_eq!(syscall2(nr::CLONE3, address, 88), Err(Errno::EINVAL));
    structure[0] = CLONE_THREAD;
    check_eq!(syscall2(nr::CLONE3, address, 88), Err(Errno::EINVAL));
    structure[0] = 0;
    structure[5] = 4096;
    check_eq!(syscall2(nr::CLONE3, address, 88), Err(Errno::EINVAL));
    structure[5] = 0;
    structure[4] = 65;
    core::hint::black_box(&structure);
    check_eq!(syscall2(nr::CLONE3, address, 88), Err(Errno::EINVAL));
    check_eq!(syscall2(nr::CLONE3, 8, 88), Err(Errno::EFAULT));
}
