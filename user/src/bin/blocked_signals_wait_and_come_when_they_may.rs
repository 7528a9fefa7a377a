//! A blocked signal waits, once; rt_sigsuspend lets it in; the mask of a handler is that of its action.
#![no_std]
#![no_main]

use core::sync::atomic::{AtomicU64, Ordering};

use abi::Signal;
use abi::signal::SIG_IGN;
use user::prelude::*;
use user::processes::kill;
use user::rt::syscall::{syscall3, syscall4};
use user::signals::{
    Context, Info, SA_NODEFER, SA_RESETHAND, block, handle, handle_with_mask, pending, set, set_default,
    suspend, unblock,
};
use user::sys::getpid;

program!(main);

static CALLS: AtomicU64 = AtomicU64::new(0);
static MASK: AtomicU64 = AtomicU64::new(0);
static SAVED: AtomicU64 = AtomicU64::new(0);
static SENDER: AtomicU64 = AtomicU64::new(0);

extern "C" fn count(_: u64, info: Info, context: Context) {
    CALLS.fetch_add(1, Ordering::SeqCst);
    MASK.store(block(0), Ordering::SeqCst);
    SAVED.store(context.mask(), Ordering::SeqCst);
    SENDER.store(info.pid(), Ordering::SeqCst);
    check_eq!(info.code(), 0);
}

fn calls() -> u64 {
    CALLS.swap(0, Ordering::SeqCst)
}

fn main() {
    let (usr1, usr2) = (set(Signal::SIGUSR1), set(Signal::SIGUSR2));
    let own = getpid().expect("getpid");
    handle_with_mask(Signal::SIGUSR1, count, 0, usr2);
    check_eq!(kill(own, 10), Ok(0));
    check_eq!(calls(), 1);
    check_eq!((MASK.load(Ordering::SeqCst), SAVED.load(Ordering::SeqCst)), (usr1 | usr2, 0));
    check_eq!(SENDER.load(Ordering::SeqCst), own);
    check_eq!(block(0), 0);

    check_eq!(block(usr1 | set(Signal::SIGKILL)), 0);
    check_eq!(block(0), usr1);
    check_eq!(kill(own, 10), Ok(0));
    check_eq!(kill(own, 10), Ok(0));
    check_eq!((calls(), pending()), (0, usr1));
    check_eq!(suspend(usr2), Err(Errno::EINTR));
    check_eq!((calls(), pending()), (1, 0));
    check_eq!((MASK.load(Ordering::SeqCst), SAVED.load(Ordering::SeqCst)), (usr1 | usr2, usr1));
    check_eq!(block(0), usr1);

    check_eq!(kill(own, 10), Ok(0));
    let mut info = [0u32; 32];
    let to = info.as_mut_ptr() as u64;
    check_eq!(syscall4(nr::RT_SIGTIMEDWAIT, (&raw const usr1) as u64, to, 0, 8), Ok(10));
    check_eq!((info[0], info[4], pending()), (10, own as u32, 0));
    let time = [0u64, 1_000_000];
    let timed = syscall4(nr::RT_SIGTIMEDWAIT, (&raw const usr1) as u64, 0, time.as_ptr() as u64, 8);
    check_eq!(timed, Err(Errno::EAGAIN));
    unblock(usr1);
    check_eq!(calls(), 0);

    handle(Signal::SIGUSR1, count, SA_NODEFER | SA_RESETHAND);
    check_eq!(syscall3(nr::TGKILL, own, own, 0), Ok(0));
    block(usr1);
    check_eq!(kill(own, 10), Ok(0));
    set_default(Signal::SIGUSR1, SIG_IGN);
    check_eq!(pending(), 0);
    unblock(usr1);
    handle(Signal::SIGUSR1, count, SA_NODEFER | SA_RESETHAND);
    check_eq!(kill(own, 10), Ok(0));
    check_eq!((calls(), MASK.load(Ordering::SeqCst)), (1, 0));
    set_default(Signal::SIGUSR1, SIG_IGN);
    check_eq!(kill(own, 10), Ok(0));
    check_eq!(calls(), 0);
}
