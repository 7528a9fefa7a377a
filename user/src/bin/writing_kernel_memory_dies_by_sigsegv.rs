//! The kernel's half of the address space is not writable.
#![no_std]
#![no_main]

use user::prelude::*;

program!(main);

fn main() {
    fatal!(write_byte(0xffff_8000_0010_0000, 0));
}
