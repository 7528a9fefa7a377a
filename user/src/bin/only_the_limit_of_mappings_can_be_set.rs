//! What is written to `/proc/sys/vm/max_map_count` holds at once, garbage changes nothing. Only on our kernel: on Linux
//! everybody would have the new limit.
#![no_std]
#![no_main]

use abi::IoVec;
use abi::fs::{O_RDWR, O_TRUNC, O_WRONLY};
use user::limit::{PATH, get, set};
use user::prelude::*;
use user::rt::syscall::syscall3;
use user::sys::{close, open, pwrite, write, writev};

program!(main);

fn main() {
    let before = get();
    let fd = open(PATH, O_RDWR | O_TRUNC).unwrap();
    let taken =
        [&b" 50000\n"[..], b"0xea60", b"0165140", b"60001 and more"].map(|text| (pwrite(fd, text, 0), get()));
    let refused = [&b"-1"[..], b"2147483648", b"60000x", b"many", b"\n"].map(|text| pwrite(fd, text, 0));
    let ignored = [pwrite(fd, b"60003", 1), write(fd, b""), write(fd, b"60002"), write(fd, b"garbage")];
    let fault = syscall3(nr::WRITE, fd as u64, 8, 5);
    let after = get();
    let again = open(PATH, O_WRONLY).unwrap();
    let vector = |text: &'static [u8]| IoVec { base: text.as_ptr() as u64, len: text.len() as u64 };
    let in_pieces = (writev(again, &[vector(b"600"), vector(b"04"), vector(b"\n")]), get());
    set(before);

    check_eq!(taken, [(Ok(7), 50000), (Ok(6), 60000), (Ok(7), 60000), (Ok(6), 60001)]);
    check_eq!(refused, [Err(Errno::EINVAL); 5]);
    check_eq!(ignored, [Ok(5), Ok(0), Ok(5), Ok(7)]);
    check_eq!(fault, Err(Errno::EFAULT));
    check_eq!(after, 60002);
    check_eq!(in_pieces, (Ok(6), 60004));
    check_eq!(get(), before);
    check_eq!(close(fd), Ok(0));
}
