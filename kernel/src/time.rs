//! Time: monotonic since boot, and the wall clock.

use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;

use spin::Once;

use crate::arch::{self, clock};
use crate::memory;

/// Timer interrupts in a second.
pub(crate) const TICKS_PER_SECOND: u64 = 100;

/// How the time-stamp counter becomes time.
struct Scale {
    /// Its value at boot.
    start: u64,
    /// Nanoseconds per tick, as a fraction of 2^32.
    multiplier: u64,
    /// Wall-clock time at boot.
    wall_clock: Duration,
}

static SCALE: Once<Scale> = Once::new();
/// Timer interrupts so far; changed by the boot CPU's timer interrupt.
static TICKS: AtomicU64 = AtomicU64::new(0);

/// Measures the clocks (4 ms, at most 16) and starts the timer. Before that, time stands still at 0.
pub(crate) fn init(start: u64) {
    let frequency = arch::init_clocks(&mut memory::table_frames()).unwrap_or_else(|| {
        log::warn!("the timer chip does not count: time is taken to be 1 ns per tick");
        1_000_000_000
    });
    SCALE.call_once(|| Scale {
        start,
        multiplier: (1_000_000_000u64 << 32) / frequency.max(1),
        wall_clock: Duration::from_secs(clock::wall_clock_seconds()),
    });
    arch::start_timer(TICKS_PER_SECOND);
    log::debug!("the time-stamp counter runs at {} kHz", frequency / 1000);
}

/// Nanoseconds since boot; never goes back.
#[inline]
pub(crate) fn now() -> u64 {
    match SCALE.get() {
        Some(scale) => {
            let ticks = clock::ticks().saturating_sub(scale.start);
            ((u128::from(ticks) * u128::from(scale.multiplier)) >> 32) as u64
        }
        None => 0,
    }
}

/// Time since boot.
#[inline]
pub(crate) fn since_boot() -> Duration {
    Duration::from_nanos(now())
}

/// Time since 1970-01-01 00:00 UTC.
pub(crate) fn wall_clock() -> Duration {
    SCALE.get().map_or(Duration::ZERO, |scale| scale.wall_clock) + since_boot()
}

/// Timer interrupts so far, [`TICKS_PER_SECOND`] in a second of virtual time.
pub(crate) fn timer_ticks() -> u64 {
    TICKS.load(Ordering::Relaxed)
}

/// A timer interrupt came on this CPU; interrupts are off, or it came in ring 3. Takes no locks.
pub(crate) fn tick() {
    let cpu = arch::cpu_number();
    if cpu != 0 {
        #[cfg(feature = "test")]
        crate::test::watch_boot_cpu(cpu);
        return;
    }
    TICKS.fetch_add(1, Ordering::Relaxed);
    #[cfg(feature = "test")]
    crate::test::watchdog();
}
