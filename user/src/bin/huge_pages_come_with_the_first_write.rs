//! Advised memory is mapped 2 MiB at a time, zero but for what was written, and copied to and from the kernel like any other.
#![no_std]
#![no_main]

use user::huge::{HUGE, HUGE_BYTES, huge_pages, written};
use user::pages::{check_stamps, check_zero, stamp};
use user::prelude::*;
use user::sys::{mincore, mlock, pipe, read, write};

program!(main);

fn main() {
    let base = written(2);
    let mut there = [0; HUGE as usize];
    check_eq!(mincore(base + HUGE_BYTES, HUGE_BYTES, &mut there), Ok(0));
    check!(there.iter().all(|page| page & 1 == 1));
    check_zero(base, 2 * HUGE);
    stamp(base, 2 * HUGE);
    check_stamps(base, 2 * HUGE);
    check_eq!(huge_pages(base), 2);

    // A system call reads and writes across the border between the two.
    let pipe = pipe().expect("pipe");
    let across = base + HUGE_BYTES - 8;
    write_byte(across, 7);
    // SAFETY: memory of this program, and only this thread is there.
    let (from, to) = unsafe {
        (
            core::slice::from_raw_parts(across as *const u8, 16),
            core::slice::from_raw_parts_mut((across + 64) as *mut u8, 16),
        )
    };
    check_eq!(write(pipe.writer, from), Ok(16));
    check_eq!(read(pipe.reader, to), Ok(16));
    check_eq!(read_byte(across + 64), 7);

    // It is there at once when it is locked.
    let locked = user::huge::advised(1);
    check_eq!(mlock(locked, HUGE_BYTES, 0), Ok(0));
    check_eq!(mincore(locked, HUGE_BYTES, &mut there), Ok(0));
    check!(there.iter().all(|page| page & 1 == 1));
}
