//! `/proc/sys/vm/overcommit_memory` 2: all promises of memory together stay below a limit, which is a part of memory or a
//! number of KiB. The modes are the whole machine's, so that only our own kernel is asked.
#![no_std]
#![no_main]

use abi::fs::{O_RDONLY, O_WRONLY};
use core::ffi::CStr;
use user::prelude::*;
use user::processes::{exited, fork, wait};
use user::sys::{close, open, read, write};

program!(main);

const MODE: &CStr = c"/proc/sys/vm/overcommit_memory";
const RATIO: &CStr = c"/proc/sys/vm/overcommit_ratio";
const KBYTES: &CStr = c"/proc/sys/vm/overcommit_kbytes";

fn set(setting: &CStr, value: &[u8]) -> Result<usize, Errno> {
    let fd = open(setting, O_WRONLY).unwrap();
    let result = write(fd, value);
    close(fd).unwrap();
    result
}

fn is(setting: &CStr, value: &[u8]) -> bool {
    let (fd, mut text) = (open(setting, O_RDONLY).unwrap(), [0; 16]);
    let length = read(fd, &mut text).unwrap();
    close(fd).unwrap();
    text[..length].strip_suffix(b"\n") == Some(value)
}

fn main() {
    check!(is(MODE, b"0") && is(RATIO, b"50") && is(KBYTES, b"0"));
    check_eq!(set(MODE, b"3"), Err(Errno::EINVAL));
    check_eq!(set(MODE, b"-1"), Err(Errno::EINVAL));
    check_eq!(set(KBYTES, b"65536"), Ok(5));
    check!(is(KBYTES, b"65536") && is(RATIO, b"0"));

    let private = |mebibytes: u64, flags| mmap(0, mebibytes << 20, Prot::READ_WRITE, Map::PRIVATE | flags);
    let before = private(40, Map::empty()).unwrap();
    check_eq!(set(MODE, b"2"), Ok(1));
    check_eq!(private(40, Map::empty()), Err(Errno::ENOMEM));
    check_eq!(private(40, Map::NORESERVE), Err(Errno::ENOMEM));
    check!(mmap(0, 400 << 20, Prot::READ, Map::PRIVATE).is_ok());
    // A child would need as much as this process.
    check_eq!(user::rt::syscall::syscall0(nr::FORK), Err(Errno::ENOMEM));
    check_eq!(munmap(before, 30 << 20), Ok(0));
    check_eq!(wait(fork(|| 0)), exited(0));
    let more = private(40, Map::empty()).unwrap();
    check_eq!(munmap(more, 40 << 20), Ok(0));

    check_eq!(set(MODE, b"1"), Ok(1));
    check!(private(1 << 24, Map::empty()).is_ok());
    check_eq!(set(MODE, b"0"), Ok(1));
    check_eq!(private(1 << 24, Map::empty()), Err(Errno::ENOMEM));
    check_eq!(set(RATIO, b"50"), Ok(2));
    check!(is(KBYTES, b"0"));
}
