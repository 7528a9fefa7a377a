//! A private mapping shows the file; what is written to it stays there, and the file does not change.
#![no_std]
#![no_main]

use user::files::{map_file, numbered_file};
use user::prelude::*;
use user::processes::{exited, fork, wait};
use user::sys::{pread, pwrite};

program!(main);

fn main() {
    let file = numbered_file(4);
    let base = map_file(file, 4, Map::PRIVATE, 0);
    let third = map_file(file, 1, Map::PRIVATE, 2);
    check_eq!((read_byte(base), read_byte(base + 3 * PAGE), read_byte(third)), (1, 4, 3));
    write_byte(base + PAGE, 77);
    write_byte(base + 2 * PAGE + 1, 88);
    let mut byte = [0];
    check_eq!(pread(file, &mut byte, PAGE), Ok(1));
    check_eq!(byte, [2]);
    // What was not written to shows what the file has now.
    check_eq!(pwrite(file, &[50], 0), Ok(1));
    check_eq!(pwrite(file, &[51], PAGE), Ok(1));
    check_eq!(pwrite(file, &[52], 2 * PAGE), Ok(1));
    check_eq!((read_byte(base), read_byte(base + PAGE), read_byte(third)), (50, 77, 52));
    check_eq!((read_byte(base + 2 * PAGE), read_byte(base + 2 * PAGE + 1)), (3, 88));
    let child = fork(|| {
        check_eq!((read_byte(base), read_byte(base + PAGE)), (50, 77));
        write_byte(base, 9);
        write_byte(base + PAGE, 9);
        0
    });
    check_eq!(wait(child), exited(0));
    check_eq!((read_byte(base), read_byte(base + PAGE)), (50, 77));
    // Pages that are not needed come from the file again.
    check_eq!(user::sys::madvise(base, 4 * PAGE, abi::mman::MADV_DONTNEED), Ok(0));
    check_eq!((read_byte(base + PAGE), read_byte(base + 2 * PAGE + 1)), (51, 0));
}
