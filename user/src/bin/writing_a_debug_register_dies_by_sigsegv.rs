//! The debug registers are not for user programs to set.
#![no_std]
#![no_main]

use user::prelude::*;
use user::rt::cpu;

program!(main);

fn main() {
    fatal!(cpu::write_debug_register());
}
