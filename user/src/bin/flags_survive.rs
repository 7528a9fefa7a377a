//! The flags come back from system calls and page faults as they were; a direction flag that is set confuses nobody.
#![no_std]
#![no_main]

use user::prelude::*;
use user::rt::cpu::*;

program!(main);

fn main() {
    let base = map(8);
    for (page, flags) in (0..).zip([
        0,
        FLAG_CARRY,
        FLAG_DIRECTION,
        FLAG_ZERO | FLAG_SIGN,
        FLAG_OVERFLOW | FLAG_DIRECTION,
        FLAG_ALIGNMENT,
        FLAG_ALIGNMENT | FLAG_DIRECTION | FLAG_CARRY | FLAG_ZERO | FLAG_SIGN | FLAG_OVERFLOW,
    ]) {
        check_eq!(flags_across_system_call(flags), flags | FLAGS_ALWAYS);
        check_eq!(flags_across_fault(flags, base + page * PAGE), (flags | FLAGS_ALWAYS, 0));
    }
}
