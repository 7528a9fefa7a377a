//! SIGCHLD tells which child ended and how; a parent that ignores it has no zombies.
#![no_std]
#![no_main]

use core::sync::atomic::{AtomicI32, AtomicU64, Ordering};

use abi::Signal;
use abi::signal::SIG_IGN;
use user::prelude::*;
use user::processes::{exited, fork, wait, wait4};
use user::signals::{Context, Info, SA_RESTART, block, handle, set, set_default, suspend, unblock};

program!(main);

static PID: AtomicU64 = AtomicU64::new(0);
static CODE: AtomicI32 = AtomicI32::new(0);
static STATUS: AtomicI32 = AtomicI32::new(0);

extern "C" fn note(_: u64, info: Info, _: Context) {
    PID.store(info.pid(), Ordering::SeqCst);
    CODE.store(info.code(), Ordering::SeqCst);
    STATUS.store(info.status(), Ordering::SeqCst);
}

fn main() {
    handle(Signal::SIGCHLD, note, SA_RESTART);
    block(set(Signal::SIGCHLD));
    let child = fork(|| 9);
    check_eq!(suspend(0), Err(Errno::EINTR));
    check_eq!(PID.load(Ordering::SeqCst), child);
    check_eq!((CODE.load(Ordering::SeqCst), STATUS.load(Ordering::SeqCst)), (1, 9));
    check_eq!(wait(child), exited(9));

    let child = fork(|| {
        loop {
            user::rt::cpu::undefined();
        }
    });
    check_eq!(suspend(0), Err(Errno::EINTR));
    check_eq!((CODE.load(Ordering::SeqCst) & !1, STATUS.load(Ordering::SeqCst)), (2, 4));
    check_eq!(wait(child) & 0x7f, 4);
    unblock(set(Signal::SIGCHLD));

    set_default(Signal::SIGCHLD, SIG_IGN);
    fork(|| 1);
    check_eq!(wait4(-1, 0), Err(Errno::ECHILD));
}
