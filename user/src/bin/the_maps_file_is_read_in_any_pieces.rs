//! Small reads give the same text as large ones, and a file read before starts again after a seek.
#![no_std]
#![no_main]

use abi::fs::{O_RDONLY, SEEK_SET};
use user::prelude::*;
use user::sys::{lseek, open, read};

program!(main);

fn main() {
    // Enough lines for more than a page of text.
    let base = reserve(160);
    for page in (0..160).step_by(2) {
        map_at(base + page * PAGE, 1, Prot::READ);
    }
    let [large, small] = [(); 2].map(|()| open(c"/proc/self/maps", O_RDONLY).unwrap());

    for _ in 0..2 {
        let mut total = 0;
        loop {
            let (mut one, mut other) = ([0; 700], [0; 700]);
            let length = fill(large, &mut one, 700);
            check_eq!(fill(small, &mut other, 7), length);
            check!(one == other);
            total += length;
            if length < one.len() {
                break;
            }
        }
        check!(total as u64 > PAGE, "{}", total);
        check_eq!(lseek(large, 0, SEEK_SET), Ok(0));
        check_eq!(lseek(small, 0, SEEK_SET), Ok(0));
    }
}

/// Reads until the buffer is full or the file ends, at most `piece` bytes at a time.
fn fill(fd: i32, buffer: &mut [u8], piece: usize) -> usize {
    let mut length = 0;
    while length < buffer.len() {
        let end = buffer.len().min(length + piece);
        match read(fd, &mut buffer[length..end]).unwrap() {
            0 => break,
            read => length += read,
        }
    }
    length
}
