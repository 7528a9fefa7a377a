//! The stack grows to wherever it is touched within its limit, not only page by page.
#![no_std]
#![no_main]

use user::prelude::*;
use user::rt::cpu::stack_pointer;

program!(main);

fn main() {
    let far = stack_pointer() - (2 << 20);
    check!(Maps::read().at(far).is_none());

    write_byte(far, 7);

    check_eq!(read_byte(far), 7);
    check_eq!(read_byte(far + (1 << 20)), 0);
    check_eq!(Maps::read().at(far).map(|vma| vma.name() == b"[stack]"), Some(true));
}
