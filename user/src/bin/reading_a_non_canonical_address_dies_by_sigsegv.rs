//! An address that is none: bits 47 to 63 differ.
#![no_std]
#![no_main]

use user::prelude::*;

program!(main);

fn main() {
    fatal!(read_byte(0x8000_0000_0000_0000));
}
