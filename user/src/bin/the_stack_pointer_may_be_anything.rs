//! The kernel does not use the program's stack: system calls and page faults work with any stack pointer.
#![no_std]
#![no_main]

use user::pages::WILD;
use user::prelude::*;
use user::rt::cpu::{fault_with_stack_pointer, system_call_with_stack_pointer};
use user::sys::getpid;

program!(main);

fn main() {
    let base = map(WILD.len() as u64);
    for (page, pointer) in (0..).zip(WILD) {
        check_eq!(Errno::from_return_value(system_call_with_stack_pointer(nr::GETPID, pointer)), getpid());
        check_eq!(fault_with_stack_pointer(base + page * PAGE, pointer), 0);
    }
}
