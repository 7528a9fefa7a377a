//! Mapping, filling and unmapping more than the machine has, piece by piece, does not use it up.
#![no_std]
#![no_main]

use user::pages::check_zero;
use user::prelude::*;

program!(main);

/// 2 MiB, two hundred times.
const PAGES: u64 = 512;

fn main() {
    for _ in 0..200 {
        let base = mmap(0, PAGES * PAGE, Prot::READ_WRITE, Map::PRIVATE | Map::POPULATE).unwrap();
        check_zero(base, PAGES);
        write_byte(base, 1);
        write_byte(base + (PAGES - 1) * PAGE, 1);
        check_eq!(munmap(base, PAGES * PAGE), Ok(0));
    }
}
