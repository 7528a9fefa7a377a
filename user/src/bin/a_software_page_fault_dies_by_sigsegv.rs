//! `int 14` does not reach the page-fault handler: its gate is closed to ring 3.
#![no_std]
#![no_main]

use user::prelude::*;
use user::rt::cpu;

program!(main);

fn main() {
    fatal!(cpu::interrupt_14());
}
