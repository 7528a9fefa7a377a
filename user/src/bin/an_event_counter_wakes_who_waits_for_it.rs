//! A counter adds up what is written, a read takes it, and poll and select tell when there is something.
#![no_std]
#![no_main]

use abi::fs::O_NONBLOCK;
use user::prelude::*;
use user::processes::{exited, fork, wait};
use user::rt::syscall::{syscall2, syscall3, syscall5};
use user::sys::{read, write};

program!(main);

fn add(fd: i32, value: u64) -> Result<usize, Errno> {
    write(fd, &value.to_le_bytes())
}

fn take(fd: i32) -> Result<u64, Errno> {
    let mut bytes = [0; 8];
    read(fd, &mut bytes).map(|_| u64::from_le_bytes(bytes))
}

fn main() {
    let counter = syscall2(nr::EVENTFD2, 3, O_NONBLOCK.into()).expect("eventfd2") as i32;
    check_eq!(add(counter, 4), Ok(8));
    check_eq!(take(counter), Ok(7));
    check_eq!(take(counter), Err(Errno::EAGAIN));
    check_eq!(add(counter, u64::MAX), Err(Errno::EINVAL));
    check_eq!(add(counter, u64::MAX - 1), Ok(8));
    check_eq!(add(counter, 1), Err(Errno::EAGAIN));
    check_eq!(read(counter, &mut [0; 4]), Err(Errno::EINVAL));

    let semaphore = syscall2(nr::EVENTFD2, 2, 1).expect("eventfd2") as i32;
    check_eq!((take(semaphore), take(semaphore)), (Ok(1), Ok(1)));
    let child = fork(|| {
        check_eq!(add(semaphore, 1), Ok(8));
        0
    });
    // Waits for the child.
    let mut set = [1u64 << semaphore, 0];
    let pointer = set.as_mut_ptr() as u64;
    check_eq!(syscall5(nr::SELECT, semaphore as u64 + 1, pointer, 0, 0, 0), Ok(1));
    check_eq!(set, [1 << semaphore, 0]);
    check_eq!(take(semaphore), Ok(1));
    check_eq!(wait(child), exited(0));

    // Nothing there: the set is empty afterwards.
    let mut timeout = [0i64, 1000];
    let time = timeout.as_mut_ptr() as u64;
    check_eq!(syscall5(nr::SELECT, semaphore as u64 + 1, pointer, 0, 0, time), Ok(0));
    check_eq!(set, [0, 0]);
    let mut polled = [semaphore as u32 as u64 | 5 << 32];
    check_eq!(syscall3(nr::POLL, polled.as_mut_ptr() as u64, 1, 0), Ok(1));
    check_eq!(polled, [semaphore as u32 as u64 | 5 << 32 | 4 << 48]);
}
