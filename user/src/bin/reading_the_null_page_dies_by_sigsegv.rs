//! Nothing is mapped at address 0.
#![no_std]
#![no_main]

use user::prelude::*;

program!(main);

fn main() {
    fatal!(read_byte(0));
}
