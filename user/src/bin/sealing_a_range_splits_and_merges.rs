//! mseal splits at the ends of its range; sealed neighbours become one, and mprotect goes as far as the seal.
#![no_std]
#![no_main]

use user::pages::needs_mseal;
use user::prelude::*;
use user::sys::mseal;

program!(main);

fn main() {
    needs_mseal();
    let base = reserve(8);
    map_at(base, 8, Prot::READ_WRITE);
    let is = |expected: &[(u64, u64, &str)]| Maps::read().matches(base, base + 8 * PAGE, expected);

    check_eq!(mseal(base + 2 * PAGE, 2 * PAGE), Ok(0));
    check!(is(&[(0, 2, "rw-p"), (2, 4, "rw-p"), (4, 8, "rw-p")]));
    check_eq!(mseal(base + 3 * PAGE, 3 * PAGE), Ok(0));
    check!(is(&[(0, 2, "rw-p"), (2, 6, "rw-p"), (6, 8, "rw-p")]));

    check_eq!(mprotect(base, 8 * PAGE, Prot::READ), Err(Errno::EPERM));
    check!(is(&[(0, 2, "r--p"), (2, 6, "rw-p"), (6, 8, "rw-p")]));

    check_eq!(mseal(base, 8 * PAGE), Ok(0));
    check!(is(&[(0, 2, "r--p"), (2, 8, "rw-p")]));
    check_eq!(munmap(base + 7 * PAGE, PAGE), Err(Errno::EPERM));
}
