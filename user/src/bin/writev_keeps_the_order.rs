//! Vectors go out one after the other, empty ones too; bad counts and lengths are refused.
#![no_std]
#![no_main]

use abi::{IOV_MAX, IoVec};
use user::prelude::*;
use user::rt::syscall::syscall3;
use user::sys::{pipe, read, writev};

program!(main);

fn main() {
    let pipe = pipe().unwrap();
    let vector = |text: &'static [u8]| IoVec { base: text.as_ptr() as u64, len: text.len() as u64 };
    let vectors = [vector(b"split, "), vector(b""), vector(b"gather, "), vector(b"clear")];

    check_eq!(writev(pipe.writer, &vectors), Ok(20));
    let mut buffer = [0; 32];
    check_eq!(read(pipe.reader, &mut buffer), Ok(20));
    check_eq!(&buffer[..20], b"split, gather, clear");

    check_eq!(writev(pipe.writer, &[]), Ok(0));
    let address = vectors.as_ptr() as u64;
    for count in [IOV_MAX as u64 + 1, 1 << 31, u64::MAX] {
        check_eq!(syscall3(nr::WRITEV, pipe.writer as u64, address, count), Err(Errno::EINVAL));
    }
    check_eq!(writev(pipe.writer, &[vectors[0], IoVec { base: address, len: u64::MAX }]), Err(Errno::EINVAL));
}
