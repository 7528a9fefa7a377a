//! Descriptors that are not open, no longer open, or open the other way.
#![no_std]
#![no_main]

use abi::fs::{O_RDONLY, SEEK_SET};
use abi::ioctl::TCGETS;
use user::prelude::*;
use user::rt::syscall::{syscall3, syscall6};
use user::sys::{close, open, pipe, read, write};

program!(main);

fn main() {
    let closed = open(c"/proc/self/maps", O_RDONLY).unwrap();
    check_eq!(close(closed), Ok(0));
    let buffer = map(1);

    for fd in [-1, closed, 1000, i32::MAX, i32::MIN] {
        for (number, [a, b]) in [
            (nr::READ, [buffer, 1]),
            (nr::WRITE, [buffer, 1]),
            (nr::WRITEV, [buffer, 1]),
            (nr::LSEEK, [0, SEEK_SET.into()]),
            (nr::FSTAT, [buffer, 0]),
            (nr::IOCTL, [TCGETS, buffer]),
            (nr::CLOSE, [0, 0]),
        ] {
            let result = syscall3(number, fd as u64, a, b);
            check_eq!((nr::name(number), fd, result), (nr::name(number), fd, Err(Errno::EBADF)));
        }
        let mapped = syscall6(nr::MMAP, 0, PAGE, Prot::READ.bits(), Map::PRIVATE.bits(), fd as u64, 0);
        check_eq!(mapped, Err(Errno::EBADF));
    }

    let file = open(c"/proc/self/maps", O_RDONLY).unwrap();
    check_eq!(write(file, b"x"), Err(Errno::EBADF));
    let pipe = pipe().unwrap();
    check_eq!(write(pipe.reader, b"x"), Err(Errno::EBADF));
    check_eq!(read(pipe.writer, &mut [0]), Err(Errno::EBADF));
    check_eq!(syscall3(nr::LSEEK, pipe.reader as u64, 0, SEEK_SET.into()), Err(Errno::ESPIPE));
    check_eq!(syscall3(nr::IOCTL, pipe.reader as u64, TCGETS, buffer), Err(Errno::ENOTTY));
}
