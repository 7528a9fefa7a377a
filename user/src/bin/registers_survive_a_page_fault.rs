//! All general registers come back as they were when a page is brought in or upgraded.
#![no_std]
#![no_main]

use user::prelude::*;
use user::rt::cpu::{Registers, registers_across_write};

program!(main);

fn main() {
    let base = map(2);
    check_eq!(read_byte(base), 0);
    for address in [base, base + PAGE] {
        let before = Registers {
            kept: core::array::from_fn(|i| 0x1111_1111_1111_1111 * (i as u64 + 1)),
            arguments: core::array::from_fn(|i| 0x0f0f_0101_0000_0001 * (i as u64 + 1)),
            scratch: [0x5555_5555_5555_5555, 0xaaaa_aaaa_aaaa_aaaa],
            rax: address,
        };
        let mut after = Registers::default();
        registers_across_write(&before, &mut after);
        check_eq!(after, before);
        check_eq!(read_byte(address), 1);
    }
}
