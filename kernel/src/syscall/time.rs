//! Time: clocks and sleeping.

use core::time::Duration;

use abi::Errno;
use abi::time::{
    CLOCK_BOOTTIME, CLOCK_BOOTTIME_ALARM, CLOCK_MONOTONIC, CLOCK_MONOTONIC_COARSE, CLOCK_MONOTONIC_RAW,
    CLOCK_PROCESS_CPUTIME_ID, CLOCK_REALTIME, CLOCK_REALTIME_ALARM, CLOCK_REALTIME_COARSE, CLOCK_TAI,
    CLOCK_THREAD_CPUTIME_ID, Timespec,
};

use super::Arguments;
use crate::process::Process;
use crate::time;

/// The time on a clock. The process has the CPU to itself, so that its processor time is the time since its
/// start.
fn read_clock(process: &Process, clock: u32) -> Result<Duration, Errno> {
    match clock {
        CLOCK_REALTIME | CLOCK_REALTIME_COARSE | CLOCK_REALTIME_ALARM | CLOCK_TAI => Ok(time::wall_clock()),
        CLOCK_MONOTONIC
        | CLOCK_MONOTONIC_RAW
        | CLOCK_MONOTONIC_COARSE
        | CLOCK_BOOTTIME
        | CLOCK_BOOTTIME_ALARM => Ok(time::since_boot()),
        CLOCK_PROCESS_CPUTIME_ID | CLOCK_THREAD_CPUTIME_ID => {
            Ok(time::since_boot().saturating_sub(process.started))
        }
        _ => Err(Errno::EINVAL),
    }
}

fn timespec(time: Duration) -> Timespec {
    Timespec { seconds: time.as_secs() as i64, nanoseconds: i64::from(time.subsec_nanos()) }
}

pub(super) fn duration(time: Timespec) -> Result<Duration, Errno> {
    match (u64::try_from(time.seconds), u32::try_from(time.nanoseconds)) {
        (Ok(seconds), Ok(nanoseconds @ 0..1_000_000_000)) => Ok(Duration::new(seconds, nanoseconds)),
        _ => Err(Errno::EINVAL),
    }
}

/// `clock_gettime(2)`.
pub(super) fn clock_gettime(process: &mut Process, arguments: &Arguments) -> Result<u64, Errno> {
    let now = read_clock(process, arguments.u32(0))?;
    arguments.pointer(1).write(&timespec(now))?;
    Ok(0)
}

/// `clock_getres(2)`.
pub(super) fn clock_getres(process: &mut Process, arguments: &Arguments) -> Result<u64, Errno> {
    read_clock(process, arguments.u32(0))?;
    if let Some(pointer) = arguments.optional(1) {
        pointer.write(&Timespec { seconds: 0, nanoseconds: 1 })?;
    }
    Ok(0)
}

/// `gettimeofday(2)`: seconds and microseconds; the time zone is 0.
pub(super) fn gettimeofday(_: &mut Process, arguments: &Arguments) -> Result<u64, Errno> {
    let now = time::wall_clock();
    if let Some(pointer) = arguments.optional(0) {
        pointer.write(&[now.as_secs(), u64::from(now.subsec_micros())])?;
    }
    if let Some(pointer) = arguments.optional(1) {
        pointer.write(&0u64)?;
    }
    Ok(0)
}

/// `time(2)`.
pub(super) fn time(_: &mut Process, arguments: &Arguments) -> Result<u64, Errno> {
    let now = time::wall_clock().as_secs();
    if let Some(pointer) = arguments.optional(0) {
        pointer.write(&now)?;
    }
    Ok(now)
}

/// `nanosleep(2)`. No signal can end the sleep early.
pub(super) fn nanosleep(process: &mut Process, arguments: &Arguments) -> Result<u64, Errno> {
    let length = duration(arguments.pointer(0).read()?)?;
    process.sleep_until(time::since_boot().saturating_add(length));
    Ok(0)
}

/// `clock_nanosleep(2)`.
pub(super) fn clock_nanosleep(process: &mut Process, arguments: &Arguments) -> Result<u64, Errno> {
    const ABSOLUTE: u32 = 1;
    let clock = arguments.u32(0);
    if clock == CLOCK_THREAD_CPUTIME_ID {
        return Err(Errno::EINVAL);
    }
    let now = read_clock(process, clock)?;
    let wanted = duration(arguments.pointer(2).read()?)?;
    let length = if arguments.u32(1) & ABSOLUTE != 0 { wanted.saturating_sub(now) } else { wanted };
    process.sleep_until(time::since_boot().saturating_add(length));
    Ok(0)
}
