//! `readv` and `writev` move their vectors as one: what needs to come in one piece does, and a bad vector spoils the others.
#![no_std]
#![no_main]

use abi::IoVec;
use abi::fs::{O_NONBLOCK, O_RDONLY};
use user::limit::PATH;
use user::prelude::*;
use user::rt::syscall::{syscall2, syscall3};
use user::sys::{open, pread, read, writev};

program!(main);

fn main() {
    let base = map(3);
    check_eq!(munmap(base + PAGE, PAGE), Ok(0));
    let vector = |offset: u64, len: u64| IoVec { base: base + offset, len };

    let mut fds = [0i32; 2];
    check_eq!(syscall2(nr::PIPE2, fds.as_mut_ptr() as u64, O_NONBLOCK.into()), Ok(0));
    let [reader, writer] = fds;
    let mut buffer = [0; 16];
    check_eq!(writev(writer, &[vector(0, 3), vector(PAGE, 3)]), Err(Errno::EFAULT));
    check_eq!(read(reader, &mut buffer), Err(Errno::EAGAIN));
    check_eq!(writev(writer, &[vector(0, 3), vector(0, 0), vector(2 * PAGE, 3)]), Ok(6));
    check_eq!(read(reader, &mut buffer), Ok(6));

    // The number cannot be read in pieces, but into pieces.
    let limit = open(PATH, O_RDONLY).unwrap();
    let length = pread(limit, &mut buffer, 0).unwrap() as u64;
    let pieces = [vector(0, 1), vector(2 * PAGE, length)];
    check_eq!(syscall3(nr::READV, limit as u64, pieces.as_ptr() as u64, 2), Ok(length));
    check_eq!(read_byte(base), buffer[0]);
    check_eq!(read_byte(base + 2 * PAGE), buffer[1]);
}
