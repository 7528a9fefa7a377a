//! All general registers but rax, rcx and r11 come back as they were, on success and on error.
#![no_std]
#![no_main]

use user::prelude::*;
use user::rt::cpu::{Registers, registers_across_system_call};
use user::sys::getpid;

program!(main);

fn main() {
    let mut before = Registers {
        kept: core::array::from_fn(|i| 0x1111_1111_1111_1111 * (i as u64 + 1)),
        arguments: core::array::from_fn(|i| 0x0f0f_0101_0000_0001 * (i as u64 + 1)),
        scratch: [1, 2],
        rax: nr::GETPID,
    };
    for (number, result) in [
        (nr::GETPID, getpid()),
        (nr::MUNMAP, Err(Errno::EINVAL)),
        (nr::READ, Err(Errno::EBADF)),
        (500, Err(Errno::ENOSYS)),
    ] {
        before.rax = number;
        // As a descriptor, which is an i32: -1.
        before.arguments[0] = 0xffff_ffff;
        let mut after = Registers::default();
        registers_across_system_call(&before, &mut after);
        check_eq!(after.kept, before.kept);
        check_eq!(after.arguments, before.arguments);
        check_eq!(Errno::from_return_value(after.rax), result);
    }
}
