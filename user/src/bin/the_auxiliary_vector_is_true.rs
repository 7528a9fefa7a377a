//! Page size, program headers, entry point, random bytes and path are what they claim.
#![no_std]
#![no_main]

use abi::auxv::*;
use user::prelude::*;
use user::rt::memory::read_word;
use user::rt::start::{_start, auxiliary, string};
use user::rt::syscall::syscall0;

program!(main);

fn main() {
    check_eq!(auxiliary(AT_PAGESZ), Some(PAGE));
    check_eq!(auxiliary(AT_ENTRY), Some(_start as *const () as u64));
    check_eq!(auxiliary(AT_BASE).unwrap_or(0), 0);
    check_eq!(auxiliary(AT_SECURE).unwrap_or(0), 0);
    check_eq!(auxiliary(AT_UID), syscall0(nr::GETUID).ok());
    check_eq!(auxiliary(AT_EUID), syscall0(nr::GETEUID).ok());
    check_eq!(auxiliary(AT_GID), syscall0(nr::GETGID).ok());
    check_eq!(auxiliary(AT_EGID), syscall0(nr::GETEGID).ok());

    // The program headers lie behind the ELF header; the first names the segment that holds them: PT_LOAD, readable.
    let headers = auxiliary(AT_PHDR).unwrap();
    check_eq!(headers, 0x40_0040);
    check_eq!(auxiliary(AT_PHENT), Some(56));
    check_eq!(auxiliary(AT_PHNUM), Some(u64::from(read_byte(0x40_0000 + 56))));
    check_eq!(read_word(headers), 4 << 32 | 1);
    check_eq!(read_word(headers + 16), 0x40_0000);

    let random = auxiliary(AT_RANDOM).unwrap();
    check!(read_word(random) != 0 && read_word(random + 8) != 0);
    check!(read_word(random) != read_word(random + 8));
    let path = string(auxiliary(AT_EXECFN).unwrap());
    check!(path.to_bytes().ends_with(b"the_auxiliary_vector_is_true"), "{:?}", path);
}
