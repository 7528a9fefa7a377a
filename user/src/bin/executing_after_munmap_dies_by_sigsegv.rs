//! Code that ran a moment ago is gone with its mapping.
#![no_std]
#![no_main]

use user::prelude::*;
use user::rt::memory::{call, write_bytes};

program!(main);

/// `mov eax, 42; ret`
const CODE: [u8; 6] = [0xb8, 42, 0, 0, 0, 0xc3];

fn main() {
    let base = map(1);
    write_bytes(base, &CODE);
    check_eq!(mprotect(base, PAGE, Prot::READ | Prot::EXEC), Ok(0));
    check_eq!(call(base), 42);
    check_eq!(munmap(base, PAGE), Ok(0));

    fatal!(call(base));
}
