//! The trace of a munmap names its steps, those that all four orders have in common, as they happened.
#![no_std]
#![no_main]

use abi::fs::O_RDONLY;
use user::prelude::*;
use user::sys::{close, open, read};

program!(main);

fn main() {
    let base = reserve(8);
    map_at(base, 3, Prot::READ_WRITE);
    map_at(base + 4 * PAGE, 4, Prot::READ_WRITE);
    for page in [0, 1, 2, 4, 5, 6, 7] {
        write_byte(base + page * PAGE, 1);
    }

    let trace = open(c"/proc/sugarbush/trace", O_RDONLY).unwrap();
    check_eq!(munmap(base + PAGE, 5 * PAGE), Ok(0));
    let mut buffer = [0; 4096];
    let mut length = 0;
    loop {
        match read(trace, &mut buffer[length..]).unwrap() {
            0 => break,
            read => length += read,
        }
    }
    check_eq!(close(trace), Ok(0));

    let text = str::from_utf8(&buffer[..length]).unwrap();
    let mut last = 0;
    for step in ["split", "gather", "clear", "downgrade", "unmap", "flush", "free"] {
        let line = text.lines().position(|line| line.split_whitespace().next() == Some(step));
        check!(line.is_some_and(|line| line >= last), "{} in its place in:\n{}", step, text);
        last = line.unwrap();
    }
}
