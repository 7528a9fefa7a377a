//! `PR_SET_THP_DISABLE` keeps a program and its children from huge pages, and refuses bad arguments; advice against them does so
//! for a mapping.
#![no_std]
#![no_main]

use abi::mman::MADV_NOHUGEPAGE;
use user::huge::{HUGE_BYTES, advised, huge_pages, written};
use user::prelude::*;
use user::processes::{exited, fork, wait};
use user::rt::syscall::syscall5;
use user::sys::madvise;

program!(main);

const SET: u64 = 41;
const GET: u64 = 42;
const EXCEPT_ADVISED: u64 = 2;

fn prctl(arguments: [u64; 5]) -> Result<u64, Errno> {
    let [code, a, b, c, d] = arguments;
    syscall5(nr::PRCTL, code, a, b, c, d)
}

fn main() {
    let before = written(1);
    let get = || prctl([GET, 0, 0, 0, 0]);
    check_eq!(get(), Ok(0));
    for bad in [[SET, 0, 0, 1, 0], [SET, 1, 0, 0, 1], [SET, 1, 1, 0, 0], [GET, 1, 0, 0, 0], [GET, 0, 0, 0, 9]]
    {
        check!(prctl(bad) == Err(Errno::EINVAL), "{bad:?}");
    }
    let small = advised(1);
    check_eq!(madvise(small, HUGE_BYTES, MADV_NOHUGEPAGE), Ok(0));
    write_byte(small, 1);
    check_eq!(huge_pages(small), 0);

    check_eq!(prctl([SET, 5, 0, 0, 0]), Ok(0));
    check_eq!(get(), Ok(1));
    let disabled = advised(1);
    write_byte(disabled, 1);
    check_eq!((huge_pages(disabled), huge_pages(before)), (0, 1));
    let child = fork(|| {
        check_eq!(prctl([GET, 0, 0, 0, 0]), Ok(1));
        0
    });
    check_eq!(wait(child), exited(0));

    // From Linux 6.18 on.
    if prctl([SET, 1, EXCEPT_ADVISED, 0, 0]).is_ok() {
        check_eq!(get(), Ok(1 | EXCEPT_ADVISED));
        check_eq!(prctl([SET, 0, EXCEPT_ADVISED, 0, 0]), Err(Errno::EINVAL));
        written(1);
    }
    check_eq!(prctl([SET, 0, 0, 0, 0]), Ok(0));
    check_eq!(get(), Ok(0));
}
