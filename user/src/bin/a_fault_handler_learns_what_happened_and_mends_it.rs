//! A SIGSEGV handler gets address and reason of a fault in memory that was unmapped, and the access succeeds once there is memory again.
#![no_std]
#![no_main]

use core::sync::atomic::{AtomicI32, AtomicU64, Ordering};

use abi::Signal;
use abi::signal::{FPE_INTDIV, ILL_ILLOPN, SEGV_ACCERR, SEGV_MAPERR, SI_KERNEL};
use user::pages::map_at;
use user::prelude::*;
use user::rt::cpu;
use user::signals::{Context, Info, handle};

program!(main);

static CODE: AtomicI32 = AtomicI32::new(0);
static ADDRESS: AtomicU64 = AtomicU64::new(0);
static TRAP: [AtomicU64; 3] = [const { AtomicU64::new(0) }; 3];
static RIP: AtomicU64 = AtomicU64::new(0);

fn note(info: Info, context: Context) {
    CODE.store(info.code(), Ordering::SeqCst);
    ADDRESS.store(info.address(), Ordering::SeqCst);
    let (trap, error, address) = context.trap();
    for (place, value) in TRAP.iter().zip([trap, error, address]) {
        place.store(value, Ordering::SeqCst);
    }
    RIP.store(context.rip(), Ordering::SeqCst);
}

fn noted() -> (i32, u64) {
    (CODE.load(Ordering::SeqCst), ADDRESS.load(Ordering::SeqCst))
}

fn trap() -> (u64, u64) {
    (TRAP[0].load(Ordering::SeqCst), TRAP[1].load(Ordering::SeqCst))
}

extern "C" fn mend(number: u64, info: Info, context: Context) {
    check_eq!(number, 11);
    note(info, context);
    map_at(info.address() & !(PAGE - 1), 1, Prot::READ_WRITE);
}

/// Goes on behind an instruction of this many bytes.
extern "C" fn step_over_two(_: u64, info: Info, context: Context) {
    note(info, context);
    context.set_rip(context.rip() + 2);
}

extern "C" fn step_over_one(_: u64, info: Info, context: Context) {
    note(info, context);
    context.set_rip(context.rip() + 1);
}

fn main() {
    handle(Signal::SIGSEGV, mend, 0);
    let base = map(2);
    write_byte(base + PAGE, 9);
    check_eq!(munmap(base + PAGE, PAGE), Ok(0));
    check_eq!(read_byte(base + PAGE + 5), 0);
    check_eq!(noted(), (SEGV_MAPERR, base + PAGE + 5));
    check_eq!(trap(), (14, 4));
    check_eq!(TRAP[2].load(Ordering::SeqCst), base + PAGE + 5);

    check_eq!(mprotect(base, PAGE, Prot::READ), Ok(0));
    check_eq!(read_byte(base), 0);
    write_byte(base + 3, 1);
    check_eq!(noted(), (SEGV_ACCERR, base + 3));
    check_eq!(trap(), (14, 7));
    check_eq!(read_byte(base + 3), 1);

    handle(Signal::SIGILL, step_over_two, 0);
    cpu::undefined();
    check_eq!(noted(), (ILL_ILLOPN, RIP.load(Ordering::SeqCst)));
    check_eq!(trap(), (6, 0));

    handle(Signal::SIGFPE, step_over_two, 0);
    cpu::divide_by_zero();
    check_eq!(noted(), (FPE_INTDIV, RIP.load(Ordering::SeqCst)));

    handle(Signal::SIGSEGV, step_over_one, 0);
    cpu::hlt();
    check_eq!(noted(), (SI_KERNEL, 0));
    check_eq!(trap().0, 13);
}
