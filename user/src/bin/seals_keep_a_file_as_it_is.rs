//! A sealed file neither grows nor shrinks nor changes, as its seals say, and nobody can take them off.
#![no_std]
#![no_main]

use abi::fs::{
    F_ADD_SEALS, F_GET_SEALS, F_SEAL_FUTURE_WRITE, F_SEAL_GROW, F_SEAL_SEAL, F_SEAL_SHRINK, F_SEAL_WRITE,
};
use user::files::{fcntl, ftruncate, map_file, memfd_create, numbered_file, punch_hole};
use user::prelude::*;
use user::sys::{mmap_file, pwrite};

program!(main);

fn seal(file: i32, seals: u32) -> Result<u64, Errno> {
    fcntl(file, F_ADD_SEALS, seals.into())
}

fn main() {
    let file = numbered_file(3);
    check_eq!(fcntl(file, F_GET_SEALS, 0), Ok(0));
    check_eq!(seal(file, F_SEAL_SHRINK), Ok(0));
    check_eq!(ftruncate(file, 2 * PAGE), Err(Errno::EPERM));
    check_eq!(ftruncate(file, 4 * PAGE), Ok(0));
    check_eq!(seal(file, F_SEAL_GROW), Ok(0));
    check_eq!(ftruncate(file, 5 * PAGE), Err(Errno::EPERM));
    check_eq!(pwrite(file, b"x", 4 * PAGE), Err(Errno::EPERM));
    check_eq!(pwrite(file, b"x", 4 * PAGE - 1), Ok(1));

    // Not while it is mapped to be written.
    let mapped = map_file(file, 1, Map::SHARED, 0);
    check_eq!(seal(file, F_SEAL_WRITE), Err(Errno::EBUSY));
    check_eq!(munmap(mapped, PAGE), Ok(0));
    let private = map_file(file, 1, Map::PRIVATE, 0);
    check_eq!(seal(file, F_SEAL_WRITE), Ok(0));
    write_byte(private, 9);
    check_eq!(pwrite(file, b"x", 0), Err(Errno::EPERM));
    check_eq!(punch_hole(file, 0, PAGE), Err(Errno::EPERM));
    check_eq!(mmap_file(0, PAGE, Prot::READ_WRITE, Map::SHARED, file, 0), Err(Errno::EPERM));
    check_eq!(seal(file, F_SEAL_SEAL), Ok(0));
    check_eq!(seal(file, F_SEAL_SHRINK), Err(Errno::EPERM));
    let all = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL;
    check_eq!(fcntl(file, F_GET_SEALS, 0), Ok(all.into()));

    // What is mapped may still be written, but nothing new.
    let file = numbered_file(1);
    let mapped = map_file(file, 1, Map::SHARED, 0);
    check_eq!(seal(file, F_SEAL_FUTURE_WRITE), Ok(0));
    write_byte(mapped, 3);
    check_eq!(pwrite(file, b"x", 0), Err(Errno::EPERM));
    check_eq!(mmap_file(0, PAGE, Prot::READ_WRITE, Map::SHARED, file, 0), Err(Errno::EPERM));
    let reader = mmap_file(0, PAGE, Prot::READ, Map::SHARED, file, 0).expect("mmap");
    check_eq!(mprotect(reader, PAGE, Prot::READ_WRITE), Err(Errno::EACCES));
    check_eq!(read_byte(reader), 3);

    let plain = memfd_create(c"plain", 0).expect("memfd_create");
    check_eq!(fcntl(plain, F_GET_SEALS, 0), Ok(F_SEAL_SEAL.into()));
    check_eq!(seal(plain, F_SEAL_GROW), Err(Errno::EPERM));
}
