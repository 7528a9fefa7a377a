//! A mapping may do what its descriptor may, and only regular files and some devices can be mapped.
#![no_std]
#![no_main]

use abi::fs::{O_CREAT, O_DIRECTORY, O_PATH, O_RDONLY, O_RDWR, O_WRONLY};
use user::files::{create, enter_scratch, ftruncate, leave_scratch, on_path};
use user::prelude::*;
use user::sys::{mmap_file, open, pipe};

program!(main);

fn refused(fd: i32, prot: Prot, flags: Map, offset: u64) -> Errno {
    mmap_file(0, PAGE, prot, flags, fd, offset).expect_err("a mapping")
}

fn main() {
    enter_scratch(c"sugarbush-refuses");
    let both = create(c"file", O_RDWR | O_CREAT, 0o600).expect("open");
    check_eq!(ftruncate(both, 4 * PAGE), Ok(0));
    let reader = open(c"file", O_RDONLY).expect("open");
    let writer = open(c"file", O_WRONLY).expect("open");
    let path = open(c"file", O_PATH).expect("open");
    let directory = open(c".", O_RDONLY | O_DIRECTORY).expect("open");

    check_eq!(refused(-1, Prot::READ, Map::SHARED, 0), Errno::EBADF);
    check_eq!(refused(99, Prot::READ, Map::PRIVATE, 0), Errno::EBADF);
    check_eq!(refused(path, Prot::READ, Map::PRIVATE, 0), Errno::EBADF);
    check_eq!(refused(writer, Prot::WRITE, Map::SHARED, 0), Errno::EACCES);
    check_eq!(refused(writer, Prot::READ, Map::PRIVATE, 0), Errno::EACCES);
    check_eq!(refused(reader, Prot::READ_WRITE, Map::SHARED, 0), Errno::EACCES);
    check_eq!(refused(directory, Prot::READ, Map::PRIVATE, 0), Errno::ENODEV);
    check_eq!(refused(pipe().expect("pipe").reader, Prot::READ, Map::PRIVATE, 0), Errno::ENODEV);
    check_eq!(refused(both, Prot::READ, Map::SHARED, 1), Errno::EINVAL);
    check_eq!(refused(both, Prot::READ, Map::empty(), 0), Errno::EINVAL);
    check_eq!(refused(both, Prot::READ, Map::SHARED, u64::MAX - PAGE + 1), Errno::EOVERFLOW);

    // A descriptor that only reads is enough for a private mapping that writes.
    let private = mmap_file(0, PAGE, Prot::READ_WRITE, Map::PRIVATE, reader, 0).expect("mmap");
    write_byte(private, 1);
    let shared = mmap_file(0, 2 * PAGE, Prot::READ, Map::SHARED, reader, PAGE).expect("mmap");
    check_eq!(mprotect(shared, PAGE, Prot::READ_WRITE), Err(Errno::EACCES));
    check_eq!(mprotect(shared, PAGE, Prot::NONE), Ok(0));
    check_eq!(mprotect(shared, 2 * PAGE, Prot::READ), Ok(0));
    check_eq!(read_byte(shared), 0);

    // Zeroes without end.
    let zero = open(c"/dev/zero", O_RDWR).expect("open");
    for flags in [Map::PRIVATE, Map::SHARED] {
        let zeroes = mmap_file(0, 2 * PAGE, Prot::READ_WRITE, flags, zero, 0).expect("mmap");
        check_eq!(read_byte(zeroes + PAGE), 0);
        write_byte(zeroes, 5);
        check_eq!(read_byte(zeroes), 5);
    }
    check_eq!(on_path(nr::UNLINK, c"file"), Ok(0));
    leave_scratch(c"sugarbush-refuses");
}
