//! The kernel's half of the address space is not readable.
#![no_std]
#![no_main]

use user::prelude::*;

program!(main);

fn main() {
    fatal!(read_byte(0xffff_ffff_8000_0000 + 0x20_0000));
}
