//! A mapped file has a name and an offset in maps; neighbours whose offsets go on are one line.
#![no_std]
#![no_main]

use user::files::{ftruncate, map_file, memory_file};
use user::prelude::*;
use user::sys::{close, mmap_file};

program!(main);

fn main() {
    let file = memory_file(c"name");
    check_eq!(ftruncate(file, 8 * PAGE), Ok(0));
    let base = reserve(8);
    let map_at = |page: u64, pages: u64, first: u64| {
        let flags = Map::SHARED | Map::FIXED;
        let address = base + page * PAGE;
        check_eq!(mmap_file(address, pages * PAGE, Prot::READ_WRITE, flags, file, first * PAGE), Ok(address));
    };
    map_at(0, 2, 1);
    map_at(2, 2, 3);
    check!(Maps::read().matches(base, base + 8 * PAGE, &[(0, 4, "rw-s")]));
    map_at(4, 2, 6);
    check!(Maps::read().matches(base, base + 8 * PAGE, &[(0, 4, "rw-s"), (4, 6, "rw-s")]));
    check_eq!(munmap(base + PAGE, PAGE), Ok(0));
    let maps = Maps::read();
    check!(maps.matches(base, base + 8 * PAGE, &[(0, 1, "rw-s"), (2, 4, "rw-s"), (4, 6, "rw-s")]));
    let offsets = [0, 2, 4].map(|page| maps.at(base + page * PAGE).expect("a line").offset);
    check_eq!(offsets, [PAGE, 3 * PAGE, 6 * PAGE]);
    check_eq!(close(file), Ok(0));
    let private = map_file(memory_file(c"private"), 1, Map::PRIVATE, 0);
    let maps = Maps::read();
    check_eq!(maps.at(base).expect("a line").name(), b"/memfd:name");
    let line = maps.at(private).expect("a line");
    check_eq!((line.name(), line.permissions()), (&b"/memfd:private"[..], "rw-p"));
}
