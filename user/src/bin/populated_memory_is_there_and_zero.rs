//! `MAP_POPULATE` brings the pages at once; they are zero, separate and writable.
#![no_std]
#![no_main]

use user::pages::{check_stamps, check_zero, stamp};
use user::prelude::*;

program!(main);

fn main() {
    let writable = mmap(0, 8 * PAGE, Prot::READ_WRITE, Map::PRIVATE | Map::POPULATE).unwrap();
    check_zero(writable, 8);
    stamp(writable, 8);
    check_stamps(writable, 8);

    let read_only = mmap(0, 8 * PAGE, Prot::READ, Map::PRIVATE | Map::POPULATE).unwrap();
    check_zero(read_only, 8);
    // Populating what cannot be accessed is no error.
    check!(mmap(0, 8 * PAGE, Prot::NONE, Map::PRIVATE | Map::POPULATE).is_ok());
}
