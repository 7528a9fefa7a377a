//! `O_NONBLOCK` turns waiting into EAGAIN; unknown flags are refused.
#![no_std]
#![no_main]

use abi::fs::{O_CLOEXEC, O_NONBLOCK};
use user::prelude::*;
use user::rt::syscall::syscall2;
use user::sys::{read, write};

program!(main);

fn main() {
    let mut fds = [0i32; 2];
    let fds_address = fds.as_mut_ptr() as u64;
    check_eq!(syscall2(nr::PIPE2, fds_address, 0x1), Err(Errno::EINVAL));
    check_eq!(syscall2(nr::PIPE2, fds_address, (O_NONBLOCK | O_CLOEXEC).into()), Ok(0));
    let [reader, writer] = fds;

    check_eq!(read(reader, &mut [0; 4]), Err(Errno::EAGAIN));
    check_eq!(write(writer, b"ab"), Ok(2));
    check_eq!(read(reader, &mut [0; 4]), Ok(2));
    check_eq!(read(reader, &mut [0; 4]), Err(Errno::EAGAIN));
}
