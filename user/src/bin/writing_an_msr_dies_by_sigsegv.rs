//! `wrmsr` is privileged: a program cannot move the kernel's entry point.
#![no_std]
#![no_main]

use user::prelude::*;
use user::rt::cpu;

program!(main);

fn main() {
    fatal!(cpu::write_msr());
}
