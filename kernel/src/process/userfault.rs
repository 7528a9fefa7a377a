//! Threads that wait for their program to resolve their faults (`userfaultfd(2)`).
//!
//! A thread in ring 3 waits until it is woken or has a signal to look at; then the access is made again. A copy in a system call
//! waits, too, unless the descriptor is for faults in user mode only; only the end of the thread ends that. It may hold the
//! lock of a file meanwhile, as on Linux, but none of the memory manager's: whoever resolves the fault needs only those.

use mm::schedule::Sleep;
use mm::space::FaultOutcome;
use mm::userfault::{Handling, Reason, Userfault};
use mm::vma::Access;

use super::{Space, table};
use crate::arch::shared::Shared;
use crate::arch::user::Resolution;
use crate::fs::userfault::announce;
use crate::sched;

/// Waits in ring 3, on behalf of thread `tid`. The access is to be made again.
pub(super) fn wait(space: &Shared<Space>, fault: &Userfault, address: u64, access: Access, tid: i32) {
    // Whatever comes out, the access finds it.
    let _outcome = space.await_userfault(fault, address, access, tid as u32, Sleep::Interruptible, announce);
}

/// Waits in a copy of the current task.
pub(super) fn wait_in_copy(
    space: &Shared<Space>,
    reason: Reason,
    address: u64,
    access: Access,
) -> Resolution {
    let Some(fault) = space.userfault(address, reason) else { return Resolution::Resolved };
    if fault.handling != Handling::Wait || !sched::can_sleep() {
        return Resolution::Failed;
    }
    let tid = table::thread_of(&sched::current()).unwrap_or(0) as u32;
    match space.await_userfault(&fault, address, access, tid, Sleep::Killable, announce) {
        // If it is no better now, so is the copy when it is made again.
        Ok(FaultOutcome::Resolved | FaultOutcome::Userfault(_)) => Resolution::Resolved,
        Ok(_) | Err(_) => Resolution::Failed,
    }
}
