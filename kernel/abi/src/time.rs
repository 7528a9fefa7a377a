//! Clocks: `clock_gettime(2)`.

/// Wall-clock time.
pub const CLOCK_REALTIME: u32 = 0;
/// Time since boot; never goes back.
pub const CLOCK_MONOTONIC: u32 = 1;
/// Processor time of the process.
pub const CLOCK_PROCESS_CPUTIME_ID: u32 = 2;
/// Processor time of the thread.
pub const CLOCK_THREAD_CPUTIME_ID: u32 = 3;
/// Time since boot without adjustments.
pub const CLOCK_MONOTONIC_RAW: u32 = 4;
/// Wall-clock time of the last tick.
pub const CLOCK_REALTIME_COARSE: u32 = 5;
/// Time since boot at the last tick.
pub const CLOCK_MONOTONIC_COARSE: u32 = 6;
/// Time since boot, with the time asleep.
pub const CLOCK_BOOTTIME: u32 = 7;
/// As `CLOCK_REALTIME`; its timers wake the machine.
pub const CLOCK_REALTIME_ALARM: u32 = 8;
/// As `CLOCK_BOOTTIME`; its timers wake the machine.
pub const CLOCK_BOOTTIME_ALARM: u32 = 9;
/// International atomic time.
pub const CLOCK_TAI: u32 = 11;

/// `struct timespec`.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(C)]
pub struct Timespec {
    /// Seconds.
    pub seconds: i64,
    /// Nanoseconds, `0..1_000_000_000`.
    pub nanoseconds: i64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn size_is_that_of_linux() {
        assert_eq!(core::mem::size_of::<Timespec>(), 16);
    }
}
