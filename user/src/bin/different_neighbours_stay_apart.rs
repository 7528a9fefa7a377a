//! Protection, sharing and reservation must agree before two neighbours are one VMA.
#![no_std]
#![no_main]

use user::prelude::*;

program!(main);

fn main() {
    let base = reserve(10);
    let at = |page: u64, prot, flags| {
        check_eq!(mmap(base + page * PAGE, PAGE, prot, flags | Map::FIXED), Ok(base + page * PAGE))
    };

    at(0, Prot::READ, Map::PRIVATE);
    at(1, Prot::READ_WRITE, Map::PRIVATE);
    at(2, Prot::READ_WRITE, Map::SHARED);
    // Two shared mappings are two objects.
    at(3, Prot::READ_WRITE, Map::SHARED);
    at(4, Prot::READ_WRITE, Map::PRIVATE | Map::NORESERVE);
    at(5, Prot::READ_WRITE, Map::PRIVATE);
    at(6, Prot::READ_WRITE, Map::PRIVATE);
    at(8, Prot::READ_WRITE, Map::PRIVATE);

    check!(Maps::read().matches(
        base,
        base + 10 * PAGE,
        &[
            (0, 1, "r--p"),
            (1, 2, "rw-p"),
            (2, 3, "rw-s"),
            (3, 4, "rw-s"),
            (4, 5, "rw-p"),
            (5, 7, "rw-p"),
            (8, 9, "rw-p")
        ]
    ));
}
