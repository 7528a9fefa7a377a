//! Code that is written, made executable, changed and made executable again runs as it stands.
#![no_std]
#![no_main]

use user::prelude::*;
use user::rt::memory::{call, write_bytes};

program!(main);

fn main() {
    let base = map(1);
    for value in [42, 43] {
        check_eq!(mprotect(base, PAGE, Prot::READ_WRITE), Ok(0));
        // mov eax, value; ret
        write_bytes(base, &[0xb8, value, 0, 0, 0, 0xc3]);
        check_eq!(mprotect(base, PAGE, Prot::READ | Prot::EXEC), Ok(0));
        check_eq!(call(base), u32::from(value));
    }
    check!(Maps::read().matches(base, base + PAGE, &[(0, 1, "r-xp")]));
}
