//! The zero page that a read brings is not shared with later writes, nor between pages.
#![no_std]
#![no_main]

use user::pages::check_zero;
use user::prelude::*;

program!(main);

fn main() {
    let base = map(3);
    check_zero(base, 3);

    write_byte(base + PAGE, 5);

    check_eq!(read_byte(base + PAGE), 5);
    check_zero(base, 1);
    check_zero(base + 2 * PAGE, 1);
    check_eq!(mprotect(base, 3 * PAGE, Prot::READ), Ok(0));
    check_eq!(mprotect(base, 3 * PAGE, Prot::READ_WRITE), Ok(0));
    write_byte(base + 2 * PAGE, 6);
    check_eq!((read_byte(base), read_byte(base + PAGE), read_byte(base + 2 * PAGE)), (0, 5, 6));
}
