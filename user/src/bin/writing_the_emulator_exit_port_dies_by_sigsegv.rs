//! `out` needs I/O rights: a program cannot end the machine.
#![no_std]
#![no_main]

use user::prelude::*;
use user::rt::cpu;

program!(main);

fn main() {
    fatal!(cpu::write_port());
}
