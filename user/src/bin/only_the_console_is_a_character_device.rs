//! Standard input, output and error are the console: no position, and wild pointers are refused there too.
#![no_std]
#![no_main]

use abi::fs::{S_IFCHR, S_IFMT, SEEK_CUR};
use user::pages::WILD;
use user::prelude::*;
use user::rt::syscall::syscall3;
use user::sys::{fstat, lseek};

program!(main);

fn main() {
    for fd in 0..3 {
        check_eq!(fstat(fd).map(|status| status.st_mode & S_IFMT), Ok(S_IFCHR));
        check_eq!(lseek(fd, 0, SEEK_CUR), Err(Errno::ESPIPE));
    }
    for address in WILD {
        check_eq!((address, syscall3(nr::WRITE, 1, address, 10)), (address, Err(Errno::EFAULT)));
    }
}
