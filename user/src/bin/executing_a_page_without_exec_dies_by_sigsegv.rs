//! Data is not code: the page lacks `PROT_EXEC`.
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
    check_eq!(read_byte(base), CODE[0]);

    fatal!(call(base));
}
