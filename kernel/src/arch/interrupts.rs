//! The interrupt flag.

/// Runs `f` with interrupts off and restores what was before.
#[inline]
pub(crate) fn without<R>(f: impl FnOnce() -> R) -> R {
    x86_64::instructions::interrupts::without_interrupts(f)
}

/// Lets interrupts in.
pub(crate) fn enable() {
    x86_64::instructions::interrupts::enable();
}

/// Waits for the next interrupt, with interrupts on.
pub(crate) fn wait() {
    x86_64::instructions::interrupts::enable_and_hlt();
}

/// Waits for the next interrupt, unless `is_over`, which is asked with interrupts off: one that comes after the look ends the
/// wait. Interrupts are on before and afterwards.
pub(crate) fn wait_unless(is_over: impl FnOnce() -> bool) {
    x86_64::instructions::interrupts::disable();
    if is_over() {
        enable();
    } else {
        wait();
    }
}

/// Rounds of a wait without a halt: about a millisecond.
const ROUNDS_AWAKE: u32 = 2000;

/// Round `round` (from 0) of a wait for another CPU. Every so often it halts until the next interrupt, if these are on: where
/// CPUs are emulated, the other one may need this one's place on the host. A timer interrupt ends the halt at the latest.
#[inline]
pub(crate) fn relax(round: u32) {
    core::hint::spin_loop();
    if round % ROUNDS_AWAKE == ROUNDS_AWAKE - 1 && x86_64::instructions::interrupts::are_enabled() {
        x86_64::instructions::hlt();
    }
}

/// Waits until `is_over`, as [`relax`] says.
#[inline]
pub(crate) fn wait_until(mut is_over: impl FnMut() -> bool) {
    let mut round = 0;
    while !is_over() {
        relax(round);
        round = round.wrapping_add(1);
    }
}

/// Runs `f` with interrupts on, in a handler that came with interrupts off.
pub(super) fn with<R>(f: impl FnOnce() -> R) -> R {
    x86_64::instructions::interrupts::enable();
    let result = f();
    x86_64::instructions::interrupts::disable();
    result
}
