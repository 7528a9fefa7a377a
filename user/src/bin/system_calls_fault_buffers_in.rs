//! The kernel itself brings untouched pages, and replaces the shared zero page, when it writes for the program.
#![no_std]
#![no_main]

use user::prelude::*;
use user::rt::memory::read_word;
use user::rt::syscall::{syscall1, syscall3};
use user::sys::{pipe, read, write};

program!(main);

fn main() {
    // Untouched, across a page border.
    let base = map(4);
    check_eq!(syscall1(nr::UNAME, base + PAGE - 100), Ok(0));
    check!(read_byte(base + PAGE - 100) != 0);
    // Read first: the zero page must not be written.
    check_eq!((read_byte(base + 2 * PAGE), read_byte(base + 3 * PAGE)), (0, 0));
    check_eq!(syscall3(nr::GETRANDOM, base + 2 * PAGE, 64, 0), Ok(64));
    check!((0..8).any(|i| read_word(base + 2 * PAGE + 8 * i) != 0));
    check_eq!(read_word(base + 3 * PAGE), 0);
    // Untouched as a source, in two VMAs.
    let source = reserve(2);
    map_at(source, 1, Prot::READ);
    map_at(source + PAGE, 1, Prot::READ_WRITE);
    let pipe = pipe().unwrap();
    check_eq!(write(pipe.writer, b"0123456789"), Ok(10));
    check_eq!(syscall3(nr::WRITE, pipe.writer as u64, source + PAGE - 5, 10), Ok(10));
    let mut buffer = [7; 20];
    check_eq!(read(pipe.reader, &mut buffer), Ok(20));
    check_eq!(&buffer, b"0123456789\0\0\0\0\0\0\0\0\0\0");
}
