//! A handler that asks for it runs on the alternate stack, where a full stack of the thread does not matter; nested ones stay on it.
#![no_std]
#![no_main]

use core::sync::atomic::{AtomicU64, Ordering};

use abi::Signal;
use user::prelude::*;
use user::processes::{fork, wait};
use user::rt::cpu::{stack_pointer, system_call_with_stack_pointer};
use user::rt::memory::write_word;
use user::rt::syscall::syscall2;
use user::signals::{Context, Info, SA_NODEFER, SA_ONSTACK, handle};
use user::sys::getpid;

program!(main);

const SIZE: u64 = 8 * PAGE;
static STACK: AtomicU64 = AtomicU64::new(0);
static CALLS: AtomicU64 = AtomicU64::new(0);

#[repr(C)]
#[derive(Debug, PartialEq)]
struct Stack {
    address: u64,
    flags: u64,
    size: u64,
}

fn get() -> Stack {
    let mut stack = Stack { address: 1, flags: 1, size: 1 };
    check_eq!(syscall2(nr::SIGALTSTACK, 0, (&raw mut stack) as u64), Ok(0));
    stack
}

fn set(address: u64, flags: u64, size: u64) -> Result<u64, Errno> {
    let stack = Stack { address, flags, size };
    syscall2(nr::SIGALTSTACK, (&raw const stack) as u64, 0)
}

extern "C" fn handler(_: u64, _: Info, _: Context) {
    let base = STACK.load(Ordering::SeqCst);
    check!((base..base + SIZE).contains(&stack_pointer()));
    check_eq!(get(), Stack { address: base, flags: 1, size: SIZE });
    check_eq!(set(0, 2, 0), Err(Errno::EPERM));
    if CALLS.fetch_add(1, Ordering::SeqCst) == 0 {
        check_eq!(syscall2(nr::KILL, getpid().expect("getpid"), 10), Ok(0));
        check_eq!(CALLS.load(Ordering::SeqCst), 2);
    }
}

extern "C" fn leave(_: u64, _: Info, _: Context) {
    user::sys::exit(42);
}

fn main() {
    check_eq!(get(), Stack { address: 0, flags: 2, size: 0 });
    let base = map(SIZE / PAGE);
    STACK.store(base, Ordering::SeqCst);
    check_eq!(set(base, 0, 1000), Err(Errno::ENOMEM));
    check_eq!(set(base, 64, SIZE), Err(Errno::EINVAL));
    check_eq!(set(base, 0, SIZE), Ok(0));
    check_eq!(get(), Stack { address: base, flags: 0, size: SIZE });
    handle(Signal::SIGUSR1, handler, SA_ONSTACK | SA_NODEFER);
    check_eq!(syscall2(nr::KILL, getpid().expect("getpid"), 10), Ok(0));
    check_eq!(CALLS.load(Ordering::SeqCst), 2);

    // A thread whose stack pointer leads nowhere.
    handle(Signal::SIGSEGV, leave, SA_ONSTACK);
    let child = fork(|| {
        user::rt::cpu::fault_with_stack_pointer(0, 8);
        1
    });
    check_eq!(wait(child), 42 << 8);
    check_eq!(set(0, 2, 0), Ok(0));
    let child = fork(|| {
        user::rt::cpu::fault_with_stack_pointer(0, 8);
        1
    });
    check_eq!(wait(child), 11);
    write_word(base, 0);
    check!(system_call_with_stack_pointer(nr::GETPID, 8) != 0);
}
