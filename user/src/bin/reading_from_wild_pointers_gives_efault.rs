//! `write` and `writev` from memory that cannot be read fail and write nothing.
#![no_std]
#![no_main]

use abi::IoVec;
use user::pages::WILD;
use user::prelude::*;
use user::rt::syscall::syscall3;
use user::sys::{pipe, read, write, writev};

program!(main);

fn main() {
    let pipe = pipe().unwrap();
    let base = reserve(3);
    map_at(base, 1, Prot::READ_WRITE);
    map_at(base + 2 * PAGE, 1, Prot::NONE);
    let write_from = |address: u64, length: u64| syscall3(nr::WRITE, pipe.writer as u64, address, length);

    for address in WILD.into_iter().chain([base + PAGE, base + 2 * PAGE, base + PAGE - 10]) {
        check_eq!((address, write_from(address, 20)), (address, Err(Errno::EFAULT)));
        let vectors = [IoVec { base: address, len: 20 }];
        check_eq!((address, writev(pipe.writer, &vectors)), (address, Err(Errno::EFAULT)));
    }
    // The vectors themselves.
    for address in WILD.into_iter().chain([base + PAGE, base + PAGE - 8]) {
        let result = syscall3(nr::WRITEV, pipe.writer as u64, address, 1);
        check_eq!((address, result), (address, Err(Errno::EFAULT)));
    }
    // No length, no access.
    check_eq!(write_from(0, 0), Ok(0));

    check_eq!(write(pipe.writer, b"after"), Ok(5));
    let mut buffer = [0; 32];
    check_eq!(read(pipe.reader, &mut buffer), Ok(5));
    check_eq!(&buffer[..5], b"after");
}
