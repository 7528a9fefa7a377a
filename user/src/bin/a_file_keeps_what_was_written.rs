//! A file has what was written, wherever and through whatever descriptor, and lives as long as somebody has it.
#![no_std]
#![no_main]

use abi::fs::{O_APPEND, O_CREAT, O_EXCL, O_RDONLY, O_RDWR, O_TRUNC, O_WRONLY, SEEK_CUR, SEEK_END, SEEK_SET};
use user::files::{create, enter_scratch, ftruncate, leave_scratch, on_path};
use user::prelude::*;
use user::sys::{close, fstat, lseek, open, pread, pwrite, read, write};

program!(main);

fn main() {
    enter_scratch(c"sugarbush-keeps");
    let file = create(c"file", O_RDWR | O_CREAT | O_EXCL, 0o640).expect("open");
    check_eq!(create(c"file", O_RDWR | O_CREAT | O_EXCL, 0o640), Err(Errno::EEXIST));
    check_eq!(fstat(file).expect("fstat").st_mode, 0o100640);
    check_eq!(write(file, b"hello world"), Ok(11));
    check_eq!(lseek(file, -5, SEEK_CUR), Ok(6));
    check_eq!(write(file, b"there"), Ok(5));
    let mut buffer = [0xff; 32];
    check_eq!(pread(file, &mut buffer, 0), Ok(11));
    check_eq!(&buffer[..11], b"hello there");

    // A gap reads as zeroes.
    check_eq!(pwrite(file, b"far", 3 * PAGE - 1), Ok(3));
    check_eq!(fstat(file).expect("fstat").st_size, 3 * PAGE as i64 + 2);
    check_eq!(pread(file, &mut buffer, 3 * PAGE - 4), Ok(6));
    check_eq!(&buffer[..6], b"\0\0\0far");

    let appender = open(c"file", O_WRONLY | O_APPEND).expect("open");
    check_eq!(write(appender, b"!"), Ok(1));
    check_eq!(read(appender, &mut buffer), Err(Errno::EBADF));
    check_eq!(lseek(file, 0, SEEK_END), Ok(3 * PAGE + 3));
    check_eq!(close(appender), Ok(0));

    // What is cut off does not come back.
    check_eq!(ftruncate(file, 5), Ok(0));
    check_eq!(ftruncate(file, 8), Ok(0));
    check_eq!(pread(file, &mut buffer, 0), Ok(8));
    check_eq!(&buffer[..8], b"hello\0\0\0");

    // Without a name it is still there.
    let other = open(c"file", O_RDONLY).expect("open");
    check_eq!(on_path(nr::UNLINK, c"file"), Ok(0));
    check_eq!(open(c"file", O_RDONLY), Err(Errno::ENOENT));
    check_eq!(fstat(other).expect("fstat").st_nlink, 0);
    check_eq!(pwrite(file, b"J", 0), Ok(1));
    check_eq!(read(other, &mut buffer), Ok(8));
    check_eq!(&buffer[..5], b"Jello");
    check_eq!(write(other, b"x"), Err(Errno::EBADF));
    check_eq!((close(file), close(other)), (Ok(0), Ok(0)));

    let file = create(c"file", O_RDWR | O_CREAT, 0o600).expect("open");
    check_eq!(write(file, b"content"), Ok(7));
    let emptied = open(c"file", O_RDWR | O_TRUNC).expect("open");
    check_eq!(fstat(file).expect("fstat").st_size, 0);
    check_eq!(lseek(file, 0, SEEK_SET), Ok(0));
    check_eq!(read(file, &mut buffer), Ok(0));
    check_eq!((close(file), close(emptied)), (Ok(0), Ok(0)));
    check_eq!(on_path(nr::UNLINK, c"file"), Ok(0));
    leave_scratch(c"sugarbush-keeps");
}
