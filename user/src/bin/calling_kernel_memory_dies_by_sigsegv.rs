//! The kernel's half of the address space is not executable from ring 3.
#![no_std]
#![no_main]

use user::prelude::*;
use user::rt::memory::call;

program!(main);

fn main() {
    fatal!(call(0xffff_ffff_8020_0000));
}
