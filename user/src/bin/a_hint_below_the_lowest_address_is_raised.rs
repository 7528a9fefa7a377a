//! A hint that is too low moves up to the lowest address that programs may use (`mmap_min_addr`), and no further.
#![no_std]
#![no_main]

use user::prelude::*;

program!(main);

fn main() {
    let address = mmap(PAGE, PAGE, Prot::READ, Map::PRIVATE).unwrap();
    check!((PAGE..=0x1_0000).contains(&address), "{:x}", address);
    // With that one taken, the same hint goes elsewhere.
    check!(mmap(PAGE, PAGE, Prot::READ, Map::PRIVATE).is_ok_and(|other| other > address));
}
