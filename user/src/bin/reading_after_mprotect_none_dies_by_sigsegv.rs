//! `PROT_NONE` takes the right to read away, from a page in use.
#![no_std]
#![no_main]

use user::prelude::*;

program!(main);

fn main() {
    let base = map(2);
    write_byte(base, 7);
    write_byte(base + PAGE, 8);
    check_eq!(mprotect(base, PAGE, Prot::NONE), Ok(0));
    check_eq!(read_byte(base + PAGE), 8);

    fatal!(read_byte(base));
}
