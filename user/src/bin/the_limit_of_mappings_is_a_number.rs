//! `/proc/sys/vm/max_map_count` is a number and a line feed, read in one piece from its start.
#![no_std]
#![no_main]

use abi::fs::{O_RDONLY, S_IFMT, S_IFREG, SEEK_CUR, SEEK_END, SEEK_SET};
use user::limit::PATH;
use user::prelude::*;
use user::sys::{close, lseek, open, pread, read, stat, write};

program!(main);

fn main() {
    let stat = stat(PATH).unwrap();
    check_eq!((stat.st_mode & S_IFMT, stat.st_mode & 0o777, stat.st_size), (S_IFREG, 0o644, 0));

    let fd = open(PATH, O_RDONLY).unwrap();
    let mut text = [0; 16];
    let length = read(fd, &mut text).unwrap();
    let (digits, end) = text[..length].split_at(length - 1);
    check!(!digits.is_empty() && digits.iter().all(u8::is_ascii_digit), "{:?}", text);
    check_eq!(end, b"\n");
    check_eq!(read(fd, &mut text), Ok(0));

    // In pieces there is only the first.
    check_eq!(lseek(fd, 0, SEEK_SET), Ok(0));
    let mut piece = [0; 2];
    check_eq!(read(fd, &mut piece), Ok(2));
    check_eq!(piece, text[..2]);
    check_eq!(read(fd, &mut piece), Ok(0));
    check_eq!(lseek(fd, 0, SEEK_CUR), Ok(2));
    check_eq!(pread(fd, &mut piece, 1), Ok(0));
    check_eq!(pread(fd, &mut text, 0), Ok(length));

    check_eq!(lseek(fd, 5, SEEK_END), Ok(5));
    check_eq!(lseek(fd, -1, SEEK_END), Err(Errno::EINVAL));
    check_eq!(write(fd, b"1\n"), Err(Errno::EBADF));
    check_eq!(close(fd), Ok(0));
}
