//! Write protection cannot be turned off from ring 3.
#![no_std]
#![no_main]

use user::prelude::*;
use user::rt::cpu;

program!(main);

fn main() {
    fatal!(cpu::write_cr0());
}
