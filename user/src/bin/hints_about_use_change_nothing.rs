//! Flags that only advise, and old ones without meaning, give ordinary memory.
#![no_std]
#![no_main]

use user::pages::{check_stamps, check_zero, stamp};
use user::prelude::*;

program!(main);

fn main() {
    for flag in [
        Map::STACK,
        Map::NORESERVE,
        Map::DENYWRITE,
        Map::EXECUTABLE,
        Map::NONBLOCK,
        Map::POPULATE | Map::NONBLOCK,
    ] {
        let base = mmap(0, 2 * PAGE, Prot::READ_WRITE, Map::PRIVATE | flag).unwrap();
        check_zero(base, 2);
        stamp(base, 2);
        check_stamps(base, 2);
    }
}
