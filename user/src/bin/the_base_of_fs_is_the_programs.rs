//! `arch_prctl` sets and tells the bases of FS and GS; they survive system calls and faults; kernel addresses are refused.
#![no_std]
#![no_main]

use abi::arch::{ARCH_GET_FS, ARCH_GET_GS, ARCH_SET_FS, ARCH_SET_GS};
use user::prelude::*;
use user::rt::cpu::read_fs_word;
use user::rt::memory::{read_word, write_word};
use user::sys::{arch_prctl, getpid};

program!(main);

fn main() {
    let base = map(3);
    write_word(base, 0x1234);
    write_word(base + 8, 0x5678);

    check_eq!(arch_prctl(ARCH_SET_FS, base), Ok(0));
    check_eq!(arch_prctl(ARCH_SET_GS, base + 8), Ok(0));
    check_eq!((read_fs_word(0), read_fs_word(8)), (0x1234, 0x5678));
    check!(getpid().is_ok());
    write_byte(base + 2 * PAGE, 1);
    check_eq!(read_fs_word(8), 0x5678);

    for (code, value) in [(ARCH_GET_FS, base), (ARCH_GET_GS, base + 8)] {
        check_eq!(arch_prctl(code, base + PAGE), Ok(0));
        check_eq!(read_word(base + PAGE), value);
    }
    for address in [0xffff_8000_0000_0000, 0x8000_0000_0000, u64::MAX] {
        check_eq!(arch_prctl(ARCH_SET_FS, address), Err(Errno::EPERM));
        check_eq!(arch_prctl(ARCH_SET_GS, address), Err(Errno::EPERM));
    }
    check_eq!(arch_prctl(0x9999, 0), Err(Errno::EINVAL));
    check_eq!(read_fs_word(0), 0x1234);
}
