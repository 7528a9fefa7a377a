//! A signal that nobody handles ends the whole process, whichever thread it comes to.
#![no_std]
#![no_main]

use user::prelude::*;
use user::threads::{Thread, sleep};

program!(main);

extern "C" fn wait_for_ever(_: u64) {
    loop {
        let _ = sleep(1000);
    }
}

extern "C" fn fault(address: u64) {
    read_byte(address);
}

fn main() {
    Thread::start(wait_for_ever, 0);
    println!("fatal: a thread reads the null page");
    Thread::start(fault, 8);
    wait_for_ever(0);
}
