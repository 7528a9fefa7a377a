//! `/proc/self/exe` names the program; its file opens, seeks, tells its size and agrees with memory.
#![no_std]
#![no_main]

use abi::fs::*;
use core::ffi::CStr;
use user::prelude::*;
use user::sys::{close, fstat, lseek, open, read, readlink, stat, write};

program!(main);

fn main() {
    let mut path = [0; 512];
    let length = readlink(c"/proc/self/exe", &mut path[..511]).unwrap();
    check!(path[..length].ends_with(b"the_own_executable_can_be_read"));
    let path = CStr::from_bytes_until_nul(&path).unwrap();
    // A short buffer gets the beginning, and an empty one is refused.
    let mut short = [0; 1];
    check_eq!(readlink(c"/proc/self/exe", &mut short), Ok(1));
    check_eq!(short, [b'/']);
    check_eq!(readlink(c"/proc/self/exe", &mut []), Err(Errno::EINVAL));
    check_eq!(readlink(path, &mut short), Err(Errno::EINVAL));

    let file = open(path, O_RDONLY).unwrap();
    let status = fstat(file).unwrap();
    check_eq!(status.st_mode & S_IFMT, S_IFREG);
    check!(status.st_mode & 0o111 != 0);
    check_eq!(stat(path).map(|other| (other.st_ino, other.st_size)), Ok((status.st_ino, status.st_size)));

    let mut total = 0;
    loop {
        let mut buffer = [0; 1000];
        let read = read(file, &mut buffer).unwrap();
        if total == 0 {
            check_eq!(&buffer[..4], b"\x7fELF");
            check!((0x40_0000..).zip(&buffer).all(|(address, &byte)| read_byte(address) == byte));
        }
        if read == 0 {
            break;
        }
        total += read as i64;
    }
    check_eq!(total, status.st_size);

    check_eq!(lseek(file, 0, SEEK_CUR), Ok(total as u64));
    check_eq!(lseek(file, 1, SEEK_SET), Ok(1));
    let mut letters = [0; 3];
    check_eq!(read(file, &mut letters), Ok(3));
    check_eq!(&letters, b"ELF");
    check_eq!(lseek(file, -4, SEEK_CUR), Ok(0));
    check_eq!(lseek(file, 10, SEEK_END), Ok(total as u64 + 10));
    check_eq!(read(file, &mut letters), Ok(0));
    check_eq!(lseek(file, -1, SEEK_SET), Err(Errno::EINVAL));
    check_eq!(lseek(file, 0, 99), Err(Errno::EINVAL));
    check_eq!(lseek(file, 0, SEEK_CUR), Ok(total as u64 + 10));
    check_eq!(write(file, b"x"), Err(Errno::EBADF));
    check_eq!(close(file), Ok(0));
    check_eq!(open(path, O_RDONLY | O_DIRECTORY), Err(Errno::ENOTDIR));
}
