//! Columns are where tools expect them (`proc_pid_maps(5)`): names begin in column 74.
#![no_std]
#![no_main]

use abi::fs::O_RDONLY;
use core::fmt::Write;
use user::prelude::*;
use user::sys::{open, read};

program!(main);

fn main() {
    let base = reserve(2);
    map_at(base, 1, Prot::READ);
    check_eq!(mmap(base + PAGE, PAGE, Prot::NONE, Map::PRIVATE | Map::FIXED), Ok(base + PAGE));
    let mut text = Text { bytes: [0; 8192], length: 0 };
    let file = open(c"/proc/self/maps", O_RDONLY).unwrap();
    loop {
        let read = read(file, &mut text.bytes[text.length..]).unwrap();
        if read == 0 {
            break;
        }
        text.length += read;
    }

    let mut expected = Text { bytes: [0; 8192], length: 0 };
    writeln!(expected, "{:x}-{:x} r--p 00000000 00:00 0 ", base, base + PAGE).unwrap();
    writeln!(expected, "{:x}-{:x} ---p 00000000 00:00 0 ", base + PAGE, base + 2 * PAGE).unwrap();
    check!(text.get().windows(expected.length).any(|window| window == expected.get()));

    let stack = text.get().split(|&byte| byte == b'\n').find(|line| line.ends_with(b"[stack]")).unwrap();
    check_eq!(stack.len(), 73 + b"[stack]".len());
    let program = text.get().split(|&byte| byte == b'\n').next().unwrap();
    check!(program.starts_with(b"00400000-"), "{:?}", str::from_utf8(program));
    check_eq!(program.get(73), Some(&b'/'));
}

struct Text {
    bytes: [u8; 8192],
    length: usize,
}

impl Text {
    fn get(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

impl Write for Text {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        self.bytes[self.length..][..text.len()].copy_from_slice(text.as_bytes());
        self.length += text.len();
        Ok(())
    }
}
