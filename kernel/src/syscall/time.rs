//! Time: clocks and sleeping.

use core::time::Duration;

use abi::Errno;
use abi::time::{
    CLOCK_BOOTTIME, CLOCK_BOOTTIME_ALARM, CLOCK_MONOTONIC, CLOCK_MONOTONIC_COARSE, CLOCK_MONOTONIC_RAW,
    CLOCK_PROCESS_CPUTIME_ID, CLOCK_REALTIME, CLOCK_REALTIME_ALARM, CLOCK_REALTIME_COARSE, CLOCK_TAI,
    CLOCK_THREAD_CPUTIME_ID, Timespec,
};

use super::Arguments;
use super::user::UserPtr;
use crate::process::{Thread, table};
use crate::{sched, time};

/// The time on a clock. The processor time of a process is what its living threads have used.
fn read_clock(thread: &Thread, clock: u32) -> Result<Duration, Errno> {
    match clock {
        CLOCK_REALTIME | CLOCK_REALTIME_COARSE | CLOCK_REALTIME_ALARM | CLOCK_TAI => Ok(time::wall_clock()),
        CLOCK_MONOTONIC
        | CLOCK_MONOTONIC_RAW
        | CLOCK_MONOTONIC_COARSE
        | CLOCK_BOOTTIME
        | CLOCK_BOOTTIME_ALARM => Ok(time::since_boot()),
        CLOCK_THREAD_CPUTIME_ID => Ok(Duration::from_nanos(sched::processor_time())),
        CLOCK_PROCESS_CPUTIME_ID => {
            let others = table::with_entry(thread.pid(), |entry| {
                let others = entry.threads.iter().filter(|other| !other.is(&thread.handle));
                others.filter_map(|other| other.task()).map(|task| task.runtime()).sum::<u64>()
            });
            Ok(Duration::from_nanos(sched::processor_time() + others.unwrap_or(0)))
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
pub(super) fn clock_gettime(thread: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    let now = read_clock(thread, arguments.u32(0))?;
    arguments.pointer(1).write(&timespec(now))?;
    Ok(0)
}

/// `clock_getres(2)`.
pub(super) fn clock_getres(thread: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    read_clock(thread, arguments.u32(0))?;
    if let Some(pointer) = arguments.optional(1) {
        pointer.write(&Timespec { seconds: 0, nanoseconds: 1 })?;
    }
    Ok(0)
}

/// `gettimeofday(2)`: seconds and microseconds; the time zone is 0.
pub(super) fn gettimeofday(_: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
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
pub(super) fn time(_: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    let now = time::wall_clock().as_secs();
    if let Some(pointer) = arguments.optional(0) {
        pointer.write(&now)?;
    }
    Ok(now)
}

/// `nanosleep(2)`.
pub(super) fn nanosleep(thread: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    let length = duration(arguments.pointer(0).read()?)?;
    sleep(thread, time::since_boot().saturating_add(length), arguments.optional(1))
}

/// `clock_nanosleep(2)`.
pub(super) fn clock_nanosleep(thread: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    const ABSOLUTE: u32 = 1;
    let clock = arguments.u32(0);
    if clock == CLOCK_THREAD_CPUTIME_ID {
        return Err(Errno::EINVAL);
    }
    let now = read_clock(thread, clock)?;
    let wanted = duration(arguments.pointer(2).read()?)?;
    let is_absolute = arguments.u32(1) & ABSOLUTE != 0;
    let length = if is_absolute { wanted.saturating_sub(now) } else { wanted };
    let rest = if is_absolute { None } else { arguments.optional(3) };
    sleep(thread, time::since_boot().saturating_add(length), rest)
}

/// Sleeps until `wake` (since boot); what is left when a signal comes goes to `rest`.
fn sleep(thread: &mut Thread, wake: Duration, rest: Option<UserPtr<Timespec>>) -> Result<u64, Errno> {
    let Err(wake) = thread.sleep_until(wake) else { return Ok(0) };
    if let Some(rest) = rest {
        rest.write(&timespec(wake.saturating_sub(time::since_boot())))?;
    }
    Err(Errno::EINTR)
}
