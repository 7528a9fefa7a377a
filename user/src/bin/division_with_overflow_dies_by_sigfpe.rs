//! The quotient of the least `i64` and -1 does not fit.
#![no_std]
#![no_main]

use user::prelude::*;
use user::rt::cpu;

program!(main);

fn main() {
    fatal!(cpu::divide_with_overflow());
}
