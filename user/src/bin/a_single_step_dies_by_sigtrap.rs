//! The trap flag without a debugger.
#![no_std]
#![no_main]

use user::prelude::*;
use user::rt::cpu;

program!(main);

fn main() {
    fatal!(cpu::single_step());
}
