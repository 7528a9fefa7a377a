//! Stopping all other CPUs for good, wherever they are: for a panic.
//!
//! Each gets a non-maskable interrupt, tells where it was when it is its turn, and halts.

use core::hint;
use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use super::apic::{self, Message};
use super::{cpu_number, smp, trampoline};

/// Looks until a CPU is taken not to answer: it may have to wait for its turn on the host.
const MAX_POLLS: u32 = 20_000_000;
/// It is nobody's turn.
const NOBODY: u32 = u32::MAX;

/// Whether all CPUs but one are to stop.
static WANTED: AtomicBool = AtomicBool::new(false);
/// Bit n: CPU n has stopped.
static STOPPED: AtomicU64 = AtomicU64::new(0);
/// The CPU that is to tell where it was.
static TURN: AtomicU32 = AtomicU32::new(NOBODY);

/// Stops all other CPUs, and lets one after the other tell where it was; [`crate::panic::tell`] is called on it. Returns the
/// CPUs that do not answer. Called once, by one CPU.
pub(crate) fn stop_others() -> u64 {
    let others = smp::working() & !(1 << cpu_number());
    WANTED.store(true, Ordering::SeqCst);
    for number in smp::numbers(others) {
        apic::send(trampoline::id_of(number), Message::NonMaskable);
    }
    poll(|| STOPPED.load(Ordering::Acquire) == others);
    for number in smp::numbers(others & STOPPED.load(Ordering::Acquire)) {
        TURN.store(number, Ordering::Release);
        poll(|| TURN.load(Ordering::Acquire) == NOBODY);
    }
    others & !STOPPED.load(Ordering::Acquire)
}

fn poll(is_over: impl Fn() -> bool) {
    let _ = (0..MAX_POLLS).any(|_| {
        hint::spin_loop();
        is_over()
    });
}

/// Stops this CPU if somebody wants it. It was at `rip`, with the frame pointer `rbp`; 0 for ring 3.
pub(super) fn stop_if_wanted(rip: u64, rbp: u64) {
    if !WANTED.load(Ordering::SeqCst) {
        return;
    }
    x86_64::instructions::interrupts::disable();
    let number = cpu_number();
    STOPPED.fetch_or(1 << number, Ordering::AcqRel);
    while TURN.load(Ordering::Acquire) != number {
        hint::spin_loop();
    }
    crate::panic::tell(number, rip, rbp);
    TURN.store(NOBODY, Ordering::Release);
    halt()
}

/// Stops this CPU, which has nothing to tell but to whoever asks.
pub(crate) fn halt() -> ! {
    x86_64::instructions::interrupts::disable();
    loop {
        x86_64::instructions::hlt();
    }
}
