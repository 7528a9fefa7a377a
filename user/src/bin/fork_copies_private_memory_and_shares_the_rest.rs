//! After fork each process has its own contents of private memory, and both have those of shared memory.
#![no_std]
#![no_main]

use abi::mman::Map;
use user::pages::{check_stamps, map, stamp};
use user::prelude::*;
use user::processes::{exited, fork, wait};
use user::rt::memory::{read_word, write_word};
use user::sys::getpid;

program!(main);

const PAGES: u64 = 64;

fn main() {
    let private = map(PAGES);
    let untouched = map(4);
    let shared = mmap(0, 4 * PAGE, Prot::READ_WRITE, Map::SHARED).expect("mmap");
    stamp(private, PAGES);
    write_word(shared, 1);
    let parent = getpid().expect("getpid");
    let child = fork(|| {
        check!(getpid() != Ok(parent));
        check_eq!(user::rt::syscall::syscall0(nr::GETPPID), Ok(parent));
        check_stamps(private, PAGES);
        for page in 0..PAGES {
            write_byte(private + page * PAGE, 0);
        }
        check_eq!(read_word(untouched), 0);
        write_word(untouched, 7);
        write_word(shared + PAGE, 2);
        check_eq!(munmap(private, PAGE), Ok(0));
        0
    });
    check_eq!(wait(child), exited(0));
    check_stamps(private, PAGES);
    check_eq!(read_word(untouched), 0);
    check_eq!((read_word(shared), read_word(shared + PAGE)), (1, 2));

    // The parent writes first, the child sees the old contents.
    let child = fork(|| {
        while read_word(shared + 8) == 0 {
            check!(user::rt::syscall::syscall0(nr::SCHED_YIELD).is_ok());
        }
        check_stamps(private, PAGES);
        0
    });
    for page in 0..PAGES {
        write_byte(private + page * PAGE, 0);
    }
    write_word(shared + 8, 1);
    check_eq!(wait(child), exited(0));
}
