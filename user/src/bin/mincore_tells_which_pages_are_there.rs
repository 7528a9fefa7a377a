//! `mincore` knows pages that were touched, whatever may be done with them, and refuses bad arguments.
#![no_std]
#![no_main]

use abi::mman::MADV_DONTNEED;
use user::prelude::*;
use user::rt::syscall::syscall3;
use user::sys::{madvise, mincore};

program!(main);

fn main() {
    let base = reserve(8);
    map_at(base, 8, Prot::READ_WRITE);
    check_eq!(madvise(base, 8 * PAGE, abi::mman::MADV_NOHUGEPAGE), Ok(0));
    read_byte(base + PAGE);
    write_byte(base + 2 * PAGE, 1);
    let mut answers = [7; 9];
    check_eq!(mincore(base, 8 * PAGE - 1, &mut answers), Ok(0));
    check_eq!(answers, [0, 1, 1, 0, 0, 0, 0, 0, 7]);
    check_eq!(mprotect(base, 8 * PAGE, Prot::NONE), Ok(0));
    check_eq!(mincore(base, 8 * PAGE, &mut answers), Ok(0));
    check_eq!(answers, [0, 1, 1, 0, 0, 0, 0, 0, 7]);

    let shared = mmap(0, 4 * PAGE, Prot::READ_WRITE, Map::SHARED).unwrap();
    write_byte(shared + PAGE, 1);
    check_eq!(madvise(shared, 4 * PAGE, MADV_DONTNEED), Ok(0));
    check_eq!(mincore(shared, 4 * PAGE, &mut answers), Ok(0));
    check_eq!(answers[..4], [0, 1, 0, 0]);

    check_eq!(mincore(base + 1, PAGE, &mut answers), Err(Errno::EINVAL));
    check_eq!(mincore(base, 0, &mut answers), Ok(0));
    check_eq!(mincore(base, u64::MAX, &mut answers), Err(Errno::ENOMEM));
    check_eq!(mincore(0x7fff_ffff_f000, 0, &mut answers), Ok(0));
    check_eq!(mincore(0xffff_8000_0000_0000, 0, &mut answers), Err(Errno::ENOMEM));
    check_eq!(syscall3(nr::MINCORE, base, PAGE, 0), Err(Errno::EFAULT));
    check_eq!(syscall3(nr::MINCORE, base, PAGE, u64::MAX - PAGE + 1), Err(Errno::EFAULT));
    check_eq!(syscall3(nr::MINCORE, base, u64::MAX, u64::MAX), Err(Errno::ENOMEM));
    check_eq!(munmap(base + 4 * PAGE, PAGE), Ok(0));
    check_eq!(mincore(base, 8 * PAGE, &mut answers), Err(Errno::ENOMEM));
    check_eq!(mincore(base + 5 * PAGE, 3 * PAGE, &mut answers), Ok(0));
}
