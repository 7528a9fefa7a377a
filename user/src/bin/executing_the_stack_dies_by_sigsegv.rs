//! The stack is not executable.
#![no_std]
#![no_main]

use user::prelude::*;
use user::rt::memory::call;

program!(main);

fn main() {
    // mov eax, 42; ret
    let code = [0xb8_u8, 42, 0, 0, 0, 0xc3];
    let address = (&raw const code) as u64;
    check_eq!(read_byte(address), 0xb8);

    fatal!(call(address));
}
