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

/// Runs `f` with interrupts on, in a handler that came with interrupts off.
pub(super) fn with<R>(f: impl FnOnce() -> R) -> R {
    x86_64::instructions::interrupts::enable();
    let result = f();
    x86_64::instructions::interrupts::disable();
    result
}
