//! A new program has its arguments, an empty memory, and the descriptors that are not closed on exec; the process stays.
#![no_std]
#![no_main]

use abi::fs::{O_CLOEXEC, O_RDONLY};
use user::pages::map;
use user::prelude::*;
use user::processes::{exec, exited, fork, wait};
use user::rt::memory::write_word;
use user::rt::start::{argument, argument_count};
use user::sys::{close, exit, getpid, open, pipe, read, write};
use user::threads::Thread;

program!(main);

extern "C" fn never_ends(_: u64) {
    loop {
        let _ = user::threads::sleep(1000);
    }
}

/// What the new program does.
fn second(writer: i32) -> ! {
    check_eq!(argument(0), Some(c"second"));
    check_eq!(argument(2), None);
    check_eq!(close(writer + 1), Err(Errno::EBADF));
    check_eq!(write(writer, &getpid().expect("getpid").to_le_bytes()), Ok(8));
    check_eq!(user::rt::syscall::syscall0(nr::GETTID), getpid());
    exit(33)
}

fn main() {
    if argument_count() == 2 {
        second(i32::from(argument(1).expect("an argument").to_bytes()[0] - b'0'));
    }
    check_eq!(exec(c"/nowhere/at/all", &[c"x"]), Errno::ENOENT);
    check_eq!(exec(c"/dev/null", &[c"x"]), Errno::EACCES);

    let pipe = pipe().expect("pipe");
    check_eq!((pipe.reader, pipe.writer), (3, 4));
    check_eq!(open(c"/proc/self/exe", O_RDONLY | O_CLOEXEC), Ok(5));
    let child = fork(|| {
        write_word(map(1), 1);
        Thread::start(never_ends, 0);
        exec(c"/proc/self/exe", &[c"second", c"4"]);
        1
    });
    let mut number = [0; 8];
    check_eq!(read(pipe.reader, &mut number), Ok(8));
    check_eq!(u64::from_le_bytes(number), child);
    check_eq!(wait(child), exited(33));
    check_eq!(close(5), Ok(0));
}
