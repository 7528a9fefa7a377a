//! Nobody may map the first page; Linux makes an exception for the privileged.
#![no_std]
#![no_main]

use user::prelude::*;

program!(main);

fn main() {
    for flags in [Map::FIXED, Map::FIXED_NOREPLACE] {
        check_eq!(mmap(0, PAGE, Prot::READ, Map::PRIVATE | flags), Err(Errno::EPERM));
    }
    check!(Maps::read().at(0).is_none());
}
