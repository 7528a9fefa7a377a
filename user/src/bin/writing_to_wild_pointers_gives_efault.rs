//! System calls that fill a buffer fail where it cannot be written: unmapped, read only, or not the program's.
#![no_std]
#![no_main]

use abi::arch::ARCH_GET_FS;
use abi::fs::{AT_FDCWD, O_RDONLY};
use abi::rlimit::RLIMIT_STACK;
use abi::time::CLOCK_MONOTONIC;
use user::pages::WILD;
use user::prelude::*;
use user::rt::syscall::syscall6;
use user::sys::{open, pipe, write};

program!(main);

fn main() {
    let base = reserve(4);
    map_at(base, 1, Prot::READ);
    map_at(base + 2 * PAGE, 1, Prot::NONE);
    let pipe = pipe().unwrap();
    check_eq!(write(pipe.writer, b"sixteen letters."), Ok(16));
    let file = open(c"/proc/self/maps", O_RDONLY).unwrap() as u64;
    let path = c"/proc/self/maps".as_ptr() as u64;
    let link = c"/proc/self/exe".as_ptr() as u64;
    let text = main as *const () as u64;

    for address in WILD.into_iter().chain([base, base + PAGE, base + 2 * PAGE, base + 4 * PAGE - 1, text]) {
        for (number, [a, b, c, d]) in [
            (nr::READ, [pipe.reader as u64, address, 16, 0]),
            (nr::READ, [file, address, 16, 0]),
            (nr::FSTAT, [file, address, 0, 0]),
            (nr::NEWFSTATAT, [AT_FDCWD as u64, path, address, 0]),
            (nr::READLINK, [link, address, 16, 0]),
            (nr::UNAME, [address, 0, 0, 0]),
            (nr::CLOCK_GETTIME, [CLOCK_MONOTONIC.into(), address, 0, 0]),
            (nr::GETRANDOM, [address, 16, 0, 0]),
            (nr::PIPE, [address, 0, 0, 0]),
            (nr::PIPE2, [address, 0, 0, 0]),
            (nr::PRLIMIT64, [0, RLIMIT_STACK.into(), 0, address]),
            (nr::ARCH_PRCTL, [ARCH_GET_FS, address, 0, 0]),
        ] {
            // For these, null means that nothing is asked for.
            if number == nr::PRLIMIT64 && address == 0 {
                continue;
            }
            let result = syscall6(number, a, b, c, d, 0, 0);
            check_eq!((nr::name(number), address, result), (nr::name(number), address, Err(Errno::EFAULT)));
        }
    }
    check_eq!(read_byte(base), 0);
}
