//! Stores to a shared mapping are in the file at once, and what is written to the file is in the mapping, in all processes.
#![no_std]
#![no_main]

use user::files::{map_file, numbered_file};
use user::prelude::*;
use user::processes::{exited, fork, wait};
use user::sys::{close, pread, pwrite};

program!(main);

fn main() {
    let file = numbered_file(4);
    let base = map_file(file, 4, Map::SHARED, 0);
    let again = map_file(file, 2, Map::SHARED, 1);
    write_byte(base + PAGE, 70);
    check_eq!(read_byte(again), 70);
    let mut byte = [0];
    check_eq!(pread(file, &mut byte, PAGE), Ok(1));
    check_eq!(byte, [70]);
    check_eq!(pwrite(file, &[71], 2 * PAGE), Ok(1));
    check_eq!((read_byte(base + 2 * PAGE), read_byte(again + PAGE)), (71, 71));
    let child = fork(|| {
        check_eq!(read_byte(base + 3 * PAGE), 4);
        write_byte(base + 3 * PAGE, 72);
        0
    });
    check_eq!(wait(child), exited(0));
    check_eq!(read_byte(base + 3 * PAGE), 72);
    // The mappings keep the file.
    check_eq!(close(file), Ok(0));
    check_eq!(munmap(base, 4 * PAGE), Ok(0));
    check_eq!((read_byte(again), read_byte(again + PAGE)), (70, 71));
    check_eq!(user::sys::msync(again, 2 * PAGE, abi::mman::MS_SYNC), Ok(0));
    // It moves and grows as other memory does.
    let moved = mremap(again, 2 * PAGE, 3 * PAGE, MREMAP_MAYMOVE, 0).expect("mremap");
    check_eq!((read_byte(moved + PAGE), read_byte(moved + 2 * PAGE)), (71, 72));
}
