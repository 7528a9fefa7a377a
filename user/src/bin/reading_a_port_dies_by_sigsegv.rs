//! `in` needs I/O rights, which no program has.
#![no_std]
#![no_main]

use user::prelude::*;
use user::rt::cpu;

program!(main);

fn main() {
    fatal!(cpu::read_port());
}
