//! The trap flag is masked on entry to the kernel and back on return from it.
#![no_std]
#![no_main]

use user::prelude::*;
use user::rt::cpu;

program!(main);

fn main() {
    fatal!(cpu::single_step_over_system_call());
}
