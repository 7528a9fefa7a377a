//! Nothing is mapped at the start of the address space.
#![no_std]
#![no_main]

use user::prelude::*;

program!(main);

fn main() {
    fatal!(write_byte(8, 1));
}
