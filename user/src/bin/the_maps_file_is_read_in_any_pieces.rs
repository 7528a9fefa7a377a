//! Small reads of maps and smaps give the same text as large ones, reads at positions give the same bytes and change nothing, and a file
//! that was read before starts again after a seek.
#![no_std]
#![no_main]

use core::ffi::CStr;

use abi::fs::{O_RDONLY, SEEK_SET};
use user::prelude::*;
use user::sys::{close, lseek, open, pread, read};

program!(main);

/// Bytes that are compared at once.
const CHUNK: usize = 700;

fn main() {
    // Enough lines for more than a page of text.
    let base = reserve(160);
    for page in (0..160).step_by(2) {
        map_at(base + page * PAGE, 1, Prot::READ);
    }
    // In this order, so that what the program touches for the first time, which smaps tells, comes before.
    compare(c"/proc/self/maps");
    compare(c"/proc/self/smaps");
}

fn compare(path: &CStr) {
    let [large, small] = [(); 2].map(|()| open(path, O_RDONLY).unwrap());
    for _ in 0..2 {
        let mut total = 0;
        loop {
            let [mut one, mut other, mut third] = [[0; CHUNK]; 3];
            let at = pread(large, &mut third, total as u64).unwrap();
            let length = fill(large, &mut one, CHUNK);
            check_eq!(fill(small, &mut other, 7), length);
            check!(one == other, "{path:?} from byte {total} on");
            check!(at > 0 || length == 0);
            check_eq!(&one[..at], &third[..at]);
            total += length;
            if length < one.len() {
                break;
            }
        }
        check!(total as u64 > PAGE, "{}", total);
        for file in [large, small] {
            check_eq!((read(file, &mut [0; CHUNK]), lseek(file, 0, SEEK_SET)), (Ok(0), Ok(0)));
        }
    }
    check_eq!((close(large), close(small)), (Ok(0), Ok(0)));
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
