//! The loop around ring 3, and what becomes of the reasons to leave it.

use abi::Signal;
use abi::signal::{
    BUS_ADRALN, BUS_ADRERR, FPE_FLTDIV, FPE_FLTINV, FPE_FLTOVF, FPE_FLTRES, FPE_FLTUND, FPE_INTDIV,
    ILL_ILLOPN, SEGV_ACCERR, SEGV_MAPERR, SI_KERNEL, TRAP_TRACE,
};
use mm::space::{FaultOutcome, Segv};
use mm::userfault::{Handling, Userfault};
use mm::vma::Access;

use super::report::FaultReport;
use super::signals::info::{Detail, SigInfo};
use super::thread::Trap;
use super::{Restart, Thread, oom, usage, userfault};
use crate::arch::fpu;
use crate::arch::user::{Call, Event, PageFault, Resolution, TIMER, UserAccess, enter_unless};
use crate::process::signals::Next;
use crate::sched;
use crate::syscall::{self, Arguments};

/// Runs the thread, whose task this is, until it ends.
pub(super) fn run(thread: &mut Thread) {
    let task = sched::current();
    loop {
        match enter_unless(&mut thread.context, || task.has_attention()) {
            Event::Syscall(call) => system_call(thread, call),
            Event::PageFault(fault) => page_fault(thread, fault),
            Event::Exception { vector, error } => exception(thread, vector, error),
            Event::Interrupt(TIMER) => sched::end_of_slice(),
            Event::Interrupt(_) => sched::stay_or_move(),
            Event::NotEntered => {
                if thread.exiting.is_some() || thread.before_return() == Next::End {
                    return;
                }
            }
        }
    }
}

#[inline]
fn system_call(thread: &mut Thread, call: Call) {
    thread.context.rax = syscall::dispatch(thread, call.number, &Arguments(call.arguments));
    // A call that is made again may go on waiting; any other call begins anew.
    if thread.resumed_deadline.is_some() && thread.restart == Restart::No {
        thread.resumed_deadline = None;
    }
}

/// Handles a fault of the user copy routines in the current task; on failure the system call returns `EFAULT`. Without a frame it
/// fails, too, unless the task may wait for one.
pub(crate) fn resolve_fault(fault: PageFault) -> Resolution {
    let Some(space) = sched::space_for_fault() else { return Resolution::Failed };
    match space.fault(fault.address, access(fault)) {
        FaultOutcome::Resolved => Resolution::Resolved,
        FaultOutcome::OutOfMemory
            if sched::waits_for_frames() && oom::wait(format_args!("{:#x}", fault.address)) =>
        {
            Resolution::Resolved
        }
        FaultOutcome::Userfault(reason) => {
            userfault::wait_in_copy(&space, reason, fault.address, access(fault))
        }
        _ => Resolution::Failed,
    }
}

fn access(fault: PageFault) -> Access {
    match fault.access {
        UserAccess::Read => Access::Read,
        UserAccess::Write => Access::Write,
        UserAccess::Execute => Access::Execute,
    }
}

#[inline]
fn page_fault(thread: &mut Thread, fault: PageFault) {
    usage::count(&thread.handle.faults);
    let outcome = thread.space.fault(fault.address, access(fault));
    if outcome != FaultOutcome::Resolved {
        failed_fault(thread, fault.address, fault.access, fault.present, outcome);
    }
}

#[cold]
fn failed_fault(thread: &mut Thread, address: u64, access: UserAccess, present: bool, outcome: FaultOutcome) {
    let fault = PageFault { address, access, present };
    match outcome {
        FaultOutcome::Resolved => {}
        FaultOutcome::Signal(reason) => {
            let code = match reason {
                Segv::NotMapped => SEGV_MAPERR,
                Segv::NotPermitted => SEGV_ACCERR,
            };
            thread.trap = Trap { vector: 14, error: error_code(fault), address: fault.address };
            if thread.is_fatal(Signal::SIGSEGV) {
                let (rip, space) = (thread.context.rip(), &*thread.space);
                log::warn!("SIGSEGV: {}", FaultReport { fault, reason, rip, space });
            }
            thread.force(SigInfo::fault(Signal::SIGSEGV, code, fault.address));
        }
        FaultOutcome::BeyondEnd => bus_error(thread, fault, "is beyond the end of its object"),
        FaultOutcome::Userfault(reason) => match thread.space.userfault(address, reason) {
            None => {}
            Some(Userfault { handling: Handling::Signal, .. }) => {
                bus_error(thread, fault, "is for the program to resolve");
            }
            Some(userfault) => {
                userfault::wait(&thread.space, &userfault, address, self::access(fault), thread.tid());
            }
        },
        FaultOutcome::OutOfMemory => {
            // The access is tried again, unless it was this process that had to go.
            oom::relieve(thread.pid(), format_args!("{:#x}", fault.address));
        }
    }
}

/// There is nothing at the address of `fault`, which `why` explains: SIGBUS.
fn bus_error(thread: &mut Thread, fault: PageFault, why: &str) {
    thread.trap = Trap { vector: 14, error: error_code(fault), address: fault.address };
    if thread.is_fatal(Signal::SIGBUS) {
        let (address, rip) = (fault.address, thread.context.rip());
        log::warn!("SIGBUS: {address:#x}, touched at rip {rip:#x}, {why}");
    }
    thread.force(SigInfo::fault(Signal::SIGBUS, BUS_ADRERR, fault.address));
}

/// The error code of a page fault (Intel SDM volume 3, 4.7). One about the kernel half tells nothing of what is there, as on
/// Linux.
fn error_code(fault: PageFault) -> u64 {
    const PRESENT: u64 = 1;
    const WRITE: u64 = 2;
    const USER: u64 = 4;
    const FETCH: u64 = 16;
    let present = if fault.present || fault.address >= mm::USER_END { PRESENT } else { 0 };
    let access = match fault.access {
        UserAccess::Read => 0,
        UserAccess::Write => WRITE,
        UserAccess::Execute => FETCH,
    };
    present | access | USER
}

/// The signals that Linux makes of exceptions (Intel SDM volume 3, table 6-1, for the vectors).
#[cold]
fn exception(thread: &mut Thread, vector: u8, error: u64) {
    let rip = thread.context.rip();
    let (signal, code, detail, name) = match vector {
        0 => (Signal::SIGFPE, FPE_INTDIV, Detail::Fault(rip), "division by zero or overflow"),
        1 => (Signal::SIGTRAP, TRAP_TRACE, Detail::Fault(rip), "debug exception"),
        3 => (Signal::SIGTRAP, SI_KERNEL, Detail::None, "breakpoint"),
        6 => (Signal::SIGILL, ILL_ILLOPN, Detail::Fault(rip), "invalid opcode"),
        11 | 12 => (Signal::SIGBUS, SI_KERNEL, Detail::None, "bad segment or stack address"),
        13 => (
            Signal::SIGSEGV,
            SI_KERNEL,
            Detail::None,
            "general protection: a privileged instruction or a non-canonical address",
        ),
        16 => (Signal::SIGFPE, float_code(fpu::x87_exceptions()), Detail::Fault(rip), "floating-point error"),
        19 => (Signal::SIGFPE, float_code(fpu::sse_exceptions()), Detail::Fault(rip), "floating-point error"),
        17 => (Signal::SIGBUS, BUS_ADRALN, Detail::None, "misaligned access"),
        _ => (Signal::SIGSEGV, SI_KERNEL, Detail::None, "exception"),
    };
    thread.trap = Trap { vector: vector.into(), error, ..thread.trap };
    if thread.is_fatal(signal) {
        log::warn!("{signal}: {name} at rip {rip:#x} (vector {vector}, error {error:#x})");
    }
    thread.force(SigInfo { number: signal.number(), code, detail });
}

/// `si_code` for floating-point exceptions that came unmasked: invalid, denormal, division, overflow, underflow, inexact from
/// bit 0 on.
fn float_code(exceptions: u32) -> i32 {
    match exceptions {
        bits if bits & 1 != 0 => FPE_FLTINV,
        bits if bits & 4 != 0 => FPE_FLTDIV,
        bits if bits & 8 != 0 => FPE_FLTOVF,
        bits if bits & 0x12 != 0 => FPE_FLTUND,
        bits if bits & 0x20 != 0 => FPE_FLTRES,
        _ => 0,
    }
}
