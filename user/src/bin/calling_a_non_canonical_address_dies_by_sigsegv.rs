//! A jump to an address that is none.
#![no_std]
#![no_main]

use user::prelude::*;
use user::rt::memory::call;

program!(main);

fn main() {
    fatal!(call(0x0000_8000_0000_0000));
}
