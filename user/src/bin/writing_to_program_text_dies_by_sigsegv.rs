//! The segment that holds the code is not writable.
#![no_std]
#![no_main]

use user::prelude::*;

program!(main);

fn main() {
    let address = main as *const () as u64;
    check_eq!(Maps::read().at(address).map(|vma| vma.permissions), Some(*b"r-xp"));
    let value = read_byte(address);

    fatal!(write_byte(address, value));
}
