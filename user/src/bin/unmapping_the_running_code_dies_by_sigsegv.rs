//! The system call returns to an instruction that is gone.
#![no_std]
#![no_main]

use user::prelude::*;

program!(main);

fn main() {
    let text = *Maps::read().at(main as *const () as u64).unwrap();

    fatal!(munmap(text.start, text.end - text.start));
}
