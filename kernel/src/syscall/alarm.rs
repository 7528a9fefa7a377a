//! Alarms: alarm, setitimer, getitimer. Only the real-time timer is there.

use core::time::Duration;

use abi::Errno;

use super::Arguments;
use super::user::user_struct;
use crate::process::Thread;
use crate::time;

const ITIMER_REAL: u32 = 0;
const MICROSECONDS: i64 = 1_000_000;

/// `struct itimerval`.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
struct Itimerval {
    period_seconds: i64,
    period_microseconds: i64,
    seconds: i64,
    microseconds: i64,
}

user_struct!(Itimerval { period_seconds, period_microseconds, seconds, microseconds });

/// `alarm(2)`: seconds that were left of the one before.
pub(super) fn alarm(thread: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    let seconds = Duration::from_secs(arguments.u32(0).into());
    let (left, _) = set(thread, seconds, Duration::ZERO);
    // Rounded, but never to nothing.
    let rounded = left.as_secs() + u64::from(left.subsec_nanos() >= 500_000_000);
    Ok(if left.is_zero() { 0 } else { rounded.max(1) })
}

/// `setitimer(2)`. Errors: `EINVAL` for the timers of processor time, too; `EFAULT`.
pub(super) fn setitimer(thread: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    check(arguments)?;
    let (wait, period) = match arguments.optional::<Itimerval>(1) {
        Some(pointer) => {
            let new = pointer.read()?;
            (duration(new.seconds, new.microseconds)?, duration(new.period_seconds, new.period_microseconds)?)
        }
        None => (Duration::ZERO, Duration::ZERO),
    };
    let (left, old_period) = set(thread, wait, period);
    if let Some(pointer) = arguments.optional(2) {
        pointer.write(&itimerval(left, old_period))?;
    }
    Ok(0)
}

/// `getitimer(2)`.
pub(super) fn getitimer(thread: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    check(arguments)?;
    let period = *thread.process.alarm_period.lock();
    let at = thread.process.alarm.set(None);
    thread.process.alarm.set(at);
    arguments.pointer(1).write(&itimerval(left(at), period))?;
    Ok(0)
}

fn check(arguments: &Arguments) -> Result<(), Errno> {
    if arguments.u32(0) == ITIMER_REAL { Ok(()) } else { Err(Errno::EINVAL) }
}

fn left(at: Option<Duration>) -> Duration {
    at.map_or(Duration::ZERO, |at| at.saturating_sub(time::since_boot()))
}

/// Sets the alarm of the process; what was left of the one before, and its period.
fn set(thread: &Thread, wait: Duration, period: Duration) -> (Duration, Duration) {
    let old_period = core::mem::replace(&mut *thread.process.alarm_period.lock(), period);
    let at = (!wait.is_zero()).then(|| time::since_boot().saturating_add(wait));
    (left(thread.process.alarm.set(at)), old_period)
}

fn duration(seconds: i64, microseconds: i64) -> Result<Duration, Errno> {
    match (u64::try_from(seconds), microseconds) {
        (Ok(seconds), 0..MICROSECONDS) => Ok(Duration::new(seconds, microseconds as u32 * 1000)),
        _ => Err(Errno::EINVAL),
    }
}

fn itimerval(left: Duration, period: Duration) -> Itimerval {
    Itimerval {
        period_seconds: period.as_secs() as i64,
        period_microseconds: period.subsec_micros().into(),
        seconds: left.as_secs() as i64,
        microseconds: left.subsec_micros().into(),
    }
}
