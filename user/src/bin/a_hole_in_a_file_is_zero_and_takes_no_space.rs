//! A hole reads as zeroes, in mappings, too; copies in private mappings stay.
#![no_std]
#![no_main]

use abi::fs::{SEEK_DATA, SEEK_HOLE};
use user::files::{map_file, numbered_file, punch_hole};
use user::prelude::*;
use user::sys::{fstat, lseek, pread};

program!(main);

fn main() {
    let file = numbered_file(8);
    let (shared, private) = (map_file(file, 8, Map::SHARED, 0), map_file(file, 8, Map::PRIVATE, 0));
    write_byte(private + 3 * PAGE, 99);
    check_eq!((read_byte(shared + 2 * PAGE), read_byte(private + 2 * PAGE)), (3, 3));
    check_eq!(fstat(file).expect("fstat").st_blocks, 64);
    // From the middle of page 1 to the middle of page 5.
    check_eq!(punch_hole(file, PAGE + 8, 4 * PAGE), Ok(0));
    check_eq!(fstat(file).expect("fstat").st_blocks, 40);
    check_eq!(fstat(file).expect("fstat").st_size, 8 * PAGE as i64);
    let first = |base: u64| [1, 2, 3, 4, 5, 6].map(|page| read_byte(base + page * PAGE));
    check_eq!(first(shared), [2, 0, 0, 0, 0, 7]);
    check_eq!(first(private), [2, 0, 99, 0, 0, 7]);
    let mut byte = [1];
    check_eq!(pread(file, &mut byte, 3 * PAGE), Ok(1));
    check_eq!(byte, [0]);
    write_byte(shared + 3 * PAGE, 42);
    check_eq!(pread(file, &mut byte, 3 * PAGE), Ok(1));
    check_eq!(byte, [42]);
    check_eq!(punch_hole(file, 2 * PAGE, 3 * PAGE), Ok(0));
    check_eq!(lseek(file, 0, SEEK_HOLE), Ok(2 * PAGE));
    check_eq!(lseek(file, 2 * PAGE as i64 + 5, SEEK_DATA), Ok(5 * PAGE));
    check_eq!(lseek(file, 8 * PAGE as i64, SEEK_DATA), Err(Errno::ENXIO));
    check_eq!(lseek(file, 6 * PAGE as i64, SEEK_HOLE), Ok(8 * PAGE));
    check_eq!(punch_hole(file, 0, 0), Err(Errno::EINVAL));
}
