//! Accesses of programs, and the faults that they resolve themselves (`userfaultfd`).

use std::num::NonZeroU32;

use abi::Errno;
use mm::MmError;
use mm::frame::Frame;
use mm::platform::Cpu;
use mm::schedule::Sleep;
use mm::space::{FaultOutcome, Fill, Segv};
use mm::userfault::{Context, Handling, Registration, Userfault};
use mm::vma::{Access, VmaFlags};

use crate::machine::{Accessed, Handled, Machine};
use crate::model::{Fault, Model, Touch};
use crate::op::{Op, PAGE};
use crate::world::{Answer, Space};

/// What a range is registered for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Modes {
    /// Pages that are missing.
    Missing,
    /// Writes to write-protected pages.
    Protected,
    /// Both.
    Both,
}

/// What missing pages are filled with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Filling {
    /// Zeroes.
    Zeroes,
    /// Pages that begin with a word of their own ([`copied_word`]).
    Copies,
    /// The same, write-protected.
    ProtectedCopies,
}

/// The first word of what [`Filling::Copies`] puts to page `page`; all others are zero.
pub fn copied_word(page: u64) -> u64 {
    0xc091_0000_0000_0000 | page
}

/// What becomes of a thread whose fault the program resolves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Patience {
    /// It is told so.
    None,
    /// It waits.
    Wait,
}

/// An access of a program in `space` on `cpu`.
pub(crate) fn user_access(
    space: &Space<'_>,
    machine: &Machine,
    cpu: Cpu,
    address: u64,
    touch: Touch,
    value: u64,
    patience: Patience,
) -> Answer {
    let wait = |fault: &Userfault, address, access: Access| {
        space.await_userfault(fault, address, access, cpu.0, Sleep::Uninterruptible, || ())
    };
    let handler = |address, access: Access| match space.fault(address, access) {
        FaultOutcome::Resolved => Handled::Retry,
        FaultOutcome::Signal(Segv::NotMapped) => Handled::Killed(Fault::Unmapped),
        FaultOutcome::Signal(Segv::NotPermitted) => Handled::Killed(Fault::Denied),
        FaultOutcome::BeyondEnd => Handled::Killed(Fault::BeyondEnd),
        FaultOutcome::OutOfMemory => Handled::OutOfMemory,
        FaultOutcome::Userfault(reason) if patience == Patience::Wait => {
            // Whatever comes out, the access finds it.
            let _outcome = space.userfault(address, reason).map(|fault| wait(&fault, address, access));
            Handled::Retry
        }
        FaultOutcome::Userfault(_) => Handled::Killed(Fault::ForProgram),
    };
    match machine.access(cpu, address, touch, value, handler) {
        Accessed::Word(word) => Answer::Word(word),
        Accessed::Killed(fault) => Answer::Killed(fault),
        Accessed::OutOfMemory => Answer::OutOfMemory,
    }
}

fn context(number: u32) -> Result<Context, MmError> {
    NonZeroU32::new(number).map(Context).ok_or(MmError::Invalid)
}

/// Does a request in `space`; `None` if `op` is none.
pub(crate) fn request(space: &Space<'_>, machine: &Machine, op: Op) -> Option<Result<u64, MmError>> {
    let done = |()| 0;
    Some(match op {
        Op::Register { address, length, modes, context: number } => context(number)
            .and_then(|context| {
                let modes = match modes {
                    Modes::Missing => VmaFlags::UFFD_MISSING,
                    Modes::Protected => VmaFlags::UFFD_WP,
                    Modes::Both => VmaFlags::UFFD_MISSING | VmaFlags::UFFD_WP,
                };
                let registration = Registration { context, modes, handling: Handling::Wait };
                space.register_userfaults(address, length, &registration)
            })
            .map(done),
        Op::Unregister { address, length, context: number } => context(number)
            .and_then(|context| space.unregister_userfaults(address, length, context))
            .map(done),
        Op::Release { context: number } => {
            context(number).map(|context| space.release_context(context)).map(done)
        }
        Op::Fill { address, length, filling } => fill(space, machine, (address, length), filling),
        Op::WriteProtect { address, length, protection } => {
            space.write_protect_userfaults(address, length, protection).map(done)
        }
        Op::Wake { address, length, context: number } => context(number)
            .and_then(|context| {
                let range = space.userfault_range(address, length)?;
                space.wake_userfaults(context, Some(range));
                Ok(())
            })
            .map(done),
        _ => return None,
    })
}

fn fill(space: &Space<'_>, machine: &Machine, range: (u64, u64), filling: Filling) -> Result<u64, MmError> {
    let (address, length) = range;
    let mut write = |number: u64, frame: Frame| {
        machine.begin_with(frame, copied_word(address / PAGE + number));
        Ok(())
    };
    let fill = match filling {
        Filling::Zeroes => Fill::Zeroes,
        Filling::Copies => Fill::Copy { write: &mut write, protected: false },
        Filling::ProtectedCopies => Fill::Copy { write: &mut write, protected: true },
    };
    match space.fill_userfaults(address, length, fill) {
        (0, result) => result.map(|()| 0),
        (pages, _) => Ok(pages),
    }
}

/// What the model answers to a request; `None` if `op` is none.
pub(crate) fn predict(model: &mut Model, op: Op) -> Option<Result<u64, Errno>> {
    let done = |()| 0;
    Some(match op {
        Op::Register { address, length, modes, context } => {
            model.register(address, length, modes, context).map(done)
        }
        Op::Unregister { address, length, context } => model.unregister(address, length, context).map(done),
        Op::Release { context } => {
            model.release(context);
            Ok(0)
        }
        Op::Fill { address, length, filling } => model.fill(address, length, filling),
        Op::WriteProtect { address, length, protection } => {
            model.write_protect(address, length, protection).map(done)
        }
        Op::Wake { address, length, .. } => model.wake(address, length).map(done),
        _ => return None,
    })
}
