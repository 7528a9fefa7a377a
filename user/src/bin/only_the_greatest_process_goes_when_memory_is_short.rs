//! A process that takes all memory is killed, again and again; its small relatives stay and can use what it had.
#![no_std]
#![no_main]

use user::pages::{check_stamps, stamp};
use user::prelude::*;
use user::processes::{exited, fork, wait};
use user::sys::{close, pipe, read, write};

program!(main);

/// More pages than there is memory.
const PAGES: u64 = 1 << 20;
const SIGKILL: u32 = 9;

fn main() {
    let base = map(64);
    stamp(base, 64);
    let turn = pipe().unwrap();
    let small = fork(|| {
        let mut byte = [0];
        check_eq!(read(turn.reader, &mut byte), Ok(1));
        check_stamps(base, 64);
        stamp(base, 64);
        0
    });
    for _ in 0..2 {
        let great = fork(|| {
            let everything = mmap(0, PAGES * PAGE, Prot::READ_WRITE, Map::PRIVATE | Map::NORESERVE).unwrap();
            for page in 0..PAGES {
                write_byte(everything + page * PAGE, 1);
            }
            0
        });
        check_eq!(wait(great), SIGKILL);
        check_stamps(base, 64);
    }
    // The memory is there again.
    let more = map(4096);
    stamp(more, 4096);
    check_stamps(more, 4096);
    check_eq!(write(turn.writer, &[1]), Ok(1));
    check_eq!(wait(small), exited(0));
    close(turn.reader).unwrap();
    close(turn.writer).unwrap();
}
