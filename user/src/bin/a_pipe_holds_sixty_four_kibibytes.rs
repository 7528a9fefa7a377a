//! That much can be written without a reader (`pipe(7)`), and comes back complete, twice.
#![no_std]
#![no_main]

use user::pages::{check_stamps, check_zero, stamp};
use user::prelude::*;
use user::rt::syscall::syscall3;
use user::sys::pipe;

program!(main);

const PAGES: u64 = 16;

fn main() {
    let pipe = pipe().unwrap();
    let source = map(PAGES);
    stamp(source, PAGES);
    for _ in 0..2 {
        let length = PAGES * PAGE;
        check_eq!(syscall3(nr::WRITE, pipe.writer as u64, source, length), Ok(length));
        let target = map(PAGES);
        check_zero(target, PAGES);
        check_eq!(syscall3(nr::READ, pipe.reader as u64, target, length), Ok(length));
        for page in 0..PAGES {
            check_eq!(read_byte(target + page * PAGE), read_byte(source + page * PAGE));
        }
    }
    check_stamps(source, PAGES);
}
