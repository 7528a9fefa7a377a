//! System calls and page faults work whatever the data segments hold.
#![no_std]
#![no_main]

use user::prelude::*;
use user::rt::cpu::clear_data_segments;
use user::sys::getpid;

program!(main);

fn main() {
    let base = map(2);
    let pid = getpid();
    clear_data_segments();
    check_eq!(getpid(), pid);
    check_eq!(read_byte(base), 0);
    write_byte(base + PAGE, 1);
    check_eq!(getpid(), pid);
}
