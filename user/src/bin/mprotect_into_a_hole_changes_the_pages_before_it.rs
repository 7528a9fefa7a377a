//! A hole in the range gives ENOMEM, and what lies before the hole is changed already.
#![no_std]
#![no_main]

use user::prelude::*;

program!(main);

fn main() {
    let base = reserve(6);
    map_at(base, 6, Prot::READ_WRITE);
    check_eq!(munmap(base + 3 * PAGE, PAGE), Ok(0));

    check_eq!(mprotect(base + PAGE, 4 * PAGE, Prot::READ), Err(Errno::ENOMEM));

    check!(Maps::read().matches(base, base + 6 * PAGE, &[(0, 1, "rw-p"), (1, 3, "r--p"), (4, 6, "rw-p")]));
    write_byte(base, 1);
    write_byte(base + 4 * PAGE, 1);
}
