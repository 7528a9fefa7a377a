//! The scheduler: sched_yield, affinity, getcpu.

use abi::Errno;

use super::Arguments;
use super::user::{UserPtr, UserSlice};
use crate::arch::cpu_number;
use crate::arch::shared::Shared;
use crate::process::{Thread, table};
use crate::sched::{self, Task};

/// Size in bytes of the mask of CPUs that the kernel has.
const MASK: u64 = 8;

/// `sched_yield(2)`.
pub(super) fn sched_yield(_: &mut Thread, _: &Arguments) -> Result<u64, Errno> {
    sched::yield_now();
    Ok(0)
}

/// `getcpu(2)`: CPU and node.
pub(super) fn getcpu(_: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    if let Some(pointer) = arguments.optional(0) {
        pointer.write(&cpu_number())?;
    }
    if let Some(pointer) = arguments.optional(1) {
        pointer.write(&0u32)?;
    }
    Ok(0)
}

/// The task of a thread, 0 for the own one.
fn task(thread: &Thread, tid: i32) -> Result<Shared<Task>, Errno> {
    if tid == 0 || tid == thread.tid() {
        return Ok(sched::current());
    }
    table::with_thread(tid, |_, other| other.task().cloned()).flatten().ok_or(Errno::ESRCH)
}

/// `sched_getaffinity(2)`: the size of the mask.
pub(super) fn sched_getaffinity(thread: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    let size = u64::from(arguments.u32(1));
    if size < MASK || !size.is_multiple_of(8) {
        return Err(Errno::EINVAL);
    }
    let mask = task(thread, arguments.i32(0))?.affinity() & sched::online();
    UserPtr::<u64>::new(arguments.u64(2)).write(&mask)?;
    Ok(MASK)
}

/// `sched_setaffinity(2)`. Errors: `EINVAL` without any CPU that there is.
pub(super) fn sched_setaffinity(thread: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    let mut bytes = [0; MASK as usize];
    let size = u64::from(arguments.u32(1)).min(MASK);
    let mut slice = UserSlice::new(arguments.u64(2), size)?;
    slice.read(&mut bytes[..size as usize])?;
    let mask = u64::from_le_bytes(bytes);
    let task = task(thread, arguments.i32(0))?;
    if mask & sched::online() == 0 {
        return Err(Errno::EINVAL);
    }
    task.set_affinity(mask);
    if mask >> cpu_number() & 1 == 0 {
        sched::yield_now();
    }
    Ok(0)
}
