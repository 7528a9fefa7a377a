//! `/proc/vmstat` has a name and a number on each line, and counts page faults.
#![no_std]
#![no_main]

use abi::fs::{O_RDONLY, S_IFMT, S_IFREG, SEEK_END, SEEK_SET};
use user::prelude::*;
use user::sys::{close, lseek, open, read, stat};
use user::vmstat::{for_each, values};

program!(main);

const PAGES: u64 = 50;

fn main() {
    let stat = stat(c"/proc/vmstat").unwrap();
    check_eq!((stat.st_mode & S_IFMT, stat.st_mode & 0o777, stat.st_size), (S_IFREG, 0o444, 0));
    for_each(|name, _| {
        let word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        check!(!name.is_empty() && name.bytes().all(word), "{}", name);
    });
    let [free, tables] = values(["nr_free_pages", "nr_page_table_pages"]);
    check!(free > 0 && tables >= 4, "{} {}", free, tables);

    // Apart from one another, so that no two are one fault.
    let base = reserve(2 * PAGES);
    for page in 0..PAGES {
        map_at(base + 2 * page * PAGE, 1, Prot::READ_WRITE);
    }
    let [before] = values(["pgfault"]);
    for page in 0..PAGES {
        write_byte(base + 2 * page * PAGE, 1);
    }
    let [after] = values(["pgfault"]);
    check!(after >= before + PAGES, "{} {}", before, after);

    // A read goes on from where a seek went.
    let fd = open(c"/proc/vmstat", O_RDONLY).unwrap();
    check_eq!(lseek(fd, 3, SEEK_SET), Ok(3));
    let mut text = [0; 11];
    check_eq!(read(fd, &mut text), Ok(11));
    check_eq!(text, *b"free_pages ");
    check_eq!(lseek(fd, 0, SEEK_END), Err(Errno::EINVAL));
    check_eq!(close(fd), Ok(0));
}
