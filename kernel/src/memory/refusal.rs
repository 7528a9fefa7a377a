//! Refuses fallible points of the memory manager, for the in-kernel tests: [`Platform::admit`](mm::Platform::admit) of
//! a kernel that has them.

use core::sync::atomic::{AtomicUsize, Ordering};

use mm::Fallible;
use spin::Mutex;

/// The point that is refused, as its number from now on, from 1; 0 for none.
static COUNTDOWN: AtomicUsize = AtomicUsize::new(0);
/// The point that was refused last.
static REFUSED: Mutex<Option<Fallible>> = Mutex::new(None);

/// Whether `point` may succeed.
#[inline]
pub(super) fn admit(point: Fallible) -> bool {
    COUNTDOWN.load(Ordering::Relaxed) == 0 || count_down(point)
}

#[cold]
fn count_down(point: Fallible) -> bool {
    let refuse = COUNTDOWN.fetch_sub(1, Ordering::Relaxed) == 1;
    if refuse {
        *REFUSED.lock() = Some(point);
    }
    !refuse
}

/// Runs `operation`, the only one that uses the memory manager meanwhile, while its fallible point `number` (from 0) is
/// refused. Its result, and the point if it came to that.
pub(super) fn refusing<R>(number: usize, operation: impl FnOnce() -> R) -> (R, Option<Fallible>) {
    *REFUSED.lock() = None;
    COUNTDOWN.store(number + 1, Ordering::Relaxed);
    let result = operation();
    COUNTDOWN.store(0, Ordering::Relaxed);
    (result, REFUSED.lock().take())
}
