//! Taking the right to write away holds for a page that is already writable in the TLB.
#![no_std]
#![no_main]

use user::prelude::*;

program!(main);

fn main() {
    let base = map(1);
    write_byte(base, 7);
    check_eq!(mprotect(base, PAGE, Prot::READ), Ok(0));
    check_eq!(read_byte(base), 7);

    fatal!(write_byte(base, 8));
}
