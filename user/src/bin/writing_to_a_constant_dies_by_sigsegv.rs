//! The segment that holds the constants is not writable.
#![no_std]
#![no_main]

use user::prelude::*;

program!(main);

static CONSTANT: [u8; 16] = *b"sixteen letters.";

fn main() {
    let address = CONSTANT.as_ptr() as u64;
    check_eq!(read_byte(address), b's');

    fatal!(write_byte(address, b'S'));
}
