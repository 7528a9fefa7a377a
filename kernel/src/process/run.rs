//! The loop around ring 3, and what becomes of the reasons to leave it.

use abi::Signal;
use mm::space::FaultOutcome;
use mm::vma::Access;

use super::report::FaultReport;
use super::{Ending, Process, Space};
use crate::arch::user::{Event, PageFault, Resolution, UserAccess, enter};
use crate::syscall::{self, Arguments};

/// Runs the process, whose address space is loaded, until it ends.
pub(super) fn run(process: &mut Process<'_>) -> Ending {
    loop {
        match enter(&mut process.context) {
            Event::Syscall => system_call(process),
            Event::PageFault(fault) => page_fault(process, fault),
            Event::Exception { vector, error } => exception(process, vector, error),
            Event::Interrupt(_) => process.check_deadline(),
        }
        if let Some(ending) = process.ending() {
            return ending;
        }
    }
}

#[inline]
fn system_call(process: &mut Process<'_>) {
    let number = process.context.rax;
    let arguments = Arguments(process.context.arguments());
    process.context.rax = syscall::dispatch(process, number, &arguments);
}

/// Handles a fault of the user copy routines; on failure the system call returns `EFAULT`.
pub(super) fn resolve(space: &Space, fault: PageFault) -> Resolution {
    match space.fault(fault.address, access(fault)) {
        FaultOutcome::Resolved => Resolution::Resolved,
        FaultOutcome::Signal(_) | FaultOutcome::BeyondEnd | FaultOutcome::OutOfMemory => Resolution::Failed,
    }
}

fn access(fault: PageFault) -> Access {
    match fault.access {
        UserAccess::Read => Access::Read,
        UserAccess::Write => Access::Write,
        UserAccess::Execute => Access::Execute,
    }
}

fn page_fault(process: &mut Process<'_>, fault: PageFault) {
    match process.space.fault(fault.address, access(fault)) {
        FaultOutcome::Resolved => {}
        FaultOutcome::Signal(reason) => {
            let (rip, space, exe) = (process.context.rip(), process.space, process.files.exe());
            log::warn!("SIGSEGV: {}", FaultReport { fault, reason, rip, space, exe });
            process.kill(Signal::SIGSEGV);
        }
        FaultOutcome::BeyondEnd => {
            let rip = process.context.rip();
            log::warn!(
                "SIGBUS: {:#x}, touched at rip {rip:#x}, is beyond the end of its object",
                fault.address
            );
            process.kill(Signal::SIGBUS);
        }
        FaultOutcome::OutOfMemory => {
            let rip = process.context.rip();
            log::warn!("SIGKILL: no memory for {:#x}, touched at rip {rip:#x}", fault.address);
            process.kill(Signal::SIGKILL);
        }
    }
}

/// The signals that Linux makes of exceptions (Intel SDM volume 3, table 6-1, for the vectors).
fn exception(process: &mut Process<'_>, vector: u8, error: u64) {
    let (signal, name) = match vector {
        0 => (Signal::SIGFPE, "division by zero or overflow"),
        1 => (Signal::SIGTRAP, "debug exception"),
        3 => (Signal::SIGTRAP, "breakpoint"),
        6 => (Signal::SIGILL, "invalid opcode"),
        11 | 12 => (Signal::SIGBUS, "bad segment or stack address"),
        13 => (Signal::SIGSEGV, "general protection: a privileged instruction or a non-canonical address"),
        16 | 19 => (Signal::SIGFPE, "floating-point error"),
        17 => (Signal::SIGBUS, "misaligned access"),
        _ => (Signal::SIGSEGV, "exception"),
    };
    log::warn!("{signal}: {name} at rip {:#x} (vector {vector}, error {error:#x})", process.context.rip());
    process.kill(signal);
}

impl Process<'_> {
    /// Ends the process by a signal that it cannot ignore, block or handle.
    fn kill(&mut self, signal: Signal) {
        if self.signals.has_handler(signal) {
            log::warn!("{signal} has a handler, which cannot be run yet");
        }
        self.end(Ending::Killed(signal));
    }
}
