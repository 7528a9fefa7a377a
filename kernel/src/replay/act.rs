//! What a thread does in one go, with raw arguments as a system call gets them, and what it is answered.

use core::fmt;

use abi::Errno;
use abi::mman::MADV_REMOVE;

use mm::pgtable::{Protection, Pte, PteView, walk};
use mm::space::{AddressSpace, Copies, FaultOutcome, MmapRequest, Segv};
use mm::vma::Access;
use mm::{MmError, PAGE_SIZE, Page, PageRange, Platform, USER_END};

use super::forced::Forced;

/// Faults that one access may take before the handler is found to make no progress.
const PATIENCE: usize = 8;

/// An act.
#[derive(Clone, Copy, Debug)]
pub(super) struct Act {
    /// The line of the script.
    pub(super) line: &'static str,
    pub(super) call: Call,
}

/// What is called; see `mm::space`.
#[derive(Clone, Copy, Debug)]
pub(super) enum Call {
    Mmap { address: u64, length: u64, prot: u64, flags: u64 },
    Munmap { address: u64, length: u64 },
    Mprotect { address: u64, length: u64, prot: u64 },
    Mremap { old: u64, old_length: u64, new_length: u64, flags: u64, new: u64 },
    Mseal { address: u64, length: u64, flags: u64 },
    Madvise { address: u64, length: u64, advice: u64 },
    Mlock { address: u64, length: u64, flags: u64 },
    Munlock { address: u64, length: u64 },
    Mlockall { flags: u64 },
    Munlockall,
    Msync { address: u64, length: u64, flags: u64 },
    Brk { address: u64 },
    Fork,
    Look { first: u64, end: u64 },
    Touch { address: u64, access: Access, value: u64 },
}

/// What it is answered. Prints as the simulation's answers do.
#[derive(Clone, Copy, Debug)]
pub(super) enum Answer {
    Returned(u64),
    Failed(MmError),
    Word(u64),
    Killed(&'static str),
    OutOfMemory,
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Answer::Returned(value) => write!(f, "returned {value:#x}"),
            Answer::Failed(error) => write!(f, "failed: {}", Errno::from(error).name()),
            Answer::Word(word) => write!(f, "word {word:#x}"),
            Answer::Killed(why) => write!(f, "killed: {why}"),
            Answer::OutOfMemory => f.write_str("out of memory"),
        }
    }
}

impl From<Result<u64, MmError>> for Answer {
    fn from(result: Result<u64, MmError>) -> Self {
        result.map_or_else(Answer::Failed, Answer::Returned)
    }
}

impl Act {
    /// The act that `line` of a script is, if it is one.
    pub(super) fn parse(line: &'static str, verb: &str, arguments: &[u64]) -> Option<Self> {
        let touch = |address, access, value| Call::Touch { address, access, value };
        let call = match (verb, arguments) {
            ("mmap", &[address, length, prot, flags]) => Call::Mmap { address, length, prot, flags },
            ("munmap", &[address, length]) => Call::Munmap { address, length },
            ("mprotect", &[address, length, prot]) => Call::Mprotect { address, length, prot },
            ("mremap", &[old, old_length, new_length, flags, new]) => {
                Call::Mremap { old, old_length, new_length, flags, new }
            }
            ("mseal", &[address, length, flags]) => Call::Mseal { address, length, flags },
            ("madvise", &[address, length, advice]) => Call::Madvise { address, length, advice },
            ("mlock", &[address, length, flags]) => Call::Mlock { address, length, flags },
            ("munlock", &[address, length]) => Call::Munlock { address, length },
            ("mlockall", &[flags]) => Call::Mlockall { flags },
            ("munlockall", []) => Call::Munlockall,
            ("msync", &[address, length, flags]) => Call::Msync { address, length, flags },
            ("brk", &[address]) => Call::Brk { address },
            ("fork", []) => Call::Fork,
            ("look", &[first, end]) => Call::Look { first, end },
            ("read", &[address]) => touch(address, Access::Read, 0),
            ("write", &[address, value]) => touch(address, Access::Write, value),
            ("execute", &[address]) => touch(address, Access::Execute, 0),
            _ => return None,
        };
        Some(Act { line, call })
    }

    /// Does it in `space` of `machine`, one of `all`; `fork` does a fork.
    pub(super) fn perform<'m>(
        &self,
        space: &AddressSpace<'m, Forced>,
        all: &[&AddressSpace<'m, Forced>],
        machine: &'m Forced,
        fork: impl FnOnce(&AddressSpace<'m, Forced>) -> Result<u64, MmError>,
    ) -> Answer {
        let done = |()| 0;
        let result = match self.call {
            Call::Mmap { address, length, prot, flags } => {
                MmapRequest::decode(address, length, prot, flags).and_then(|request| space.mmap(request))
            }
            Call::Munmap { address, length } => space.munmap(address, length).map(done),
            Call::Mprotect { address, length, prot } => space.mprotect(address, length, prot).map(done),
            Call::Mremap { old, old_length, new_length, flags, new } => {
                space.mremap(old, old_length, new_length, flags, new)
            }
            Call::Mseal { address, length, flags } => space.mseal(address, length, flags).map(done),
            Call::Madvise { address, length, advice } if u64::from(advice as u32) == MADV_REMOVE => {
                remove(space, all, address, length).map(done)
            }
            Call::Madvise { address, length, advice } => space.madvise(address, length, advice).map(done),
            Call::Mlock { address, length, flags } => space.mlock(address, length, flags).map(done),
            Call::Munlock { address, length } => space.munlock(address, length).map(done),
            Call::Mlockall { flags } => space.mlockall(flags).map(done),
            Call::Munlockall => space.munlockall().map(done),
            Call::Msync { address, length, flags } => space.msync(address, length, flags).map(done),
            Call::Brk { address } => Ok(space.brk(address)),
            Call::Fork => fork(space),
            Call::Look { first, end } => {
                let range = PageRange::new(Page::new(first), Page::new(end)).ok_or(MmError::Invalid);
                range.map(|range| space.peek(range).into())
            }
            Call::Touch { address, access, value } => return touch(space, machine, address, access, value),
        };
        result.into()
    }
}

/// madvise with `MADV_REMOVE`: `all` lose the pages.
fn remove<'m>(
    space: &AddressSpace<'m, Forced>,
    all: &[&AddressSpace<'m, Forced>],
    address: u64,
    length: u64,
) -> Result<(), MmError> {
    space.remove(address, length, |hole| {
        let object = &hole.object;
        object.punch(hole.offsets.clone(), |offsets| {
            for space in all {
                space.unmap_object(object.object_id(), offsets.clone(), Copies::Stay);
            }
        })
    })
}

/// The access of a program to the word at `address`, a multiple of 8; a store stores `value`.
fn touch(
    space: &AddressSpace<'_, Forced>,
    machine: &Forced,
    address: u64,
    access: Access,
    value: u64,
) -> Answer {
    for _ in 0..PATIENCE {
        if let Some(frame) = translate(space, machine, address, access) {
            let (content, index) = (machine.table(frame), (address % PAGE_SIZE / 8) as usize);
            if access == Access::Write {
                content.set(index, Pte::from_bits(value));
            }
            return Answer::Word(content.get(index).bits());
        }
        match space.fault(address, access) {
            FaultOutcome::Resolved => {}
            FaultOutcome::Signal(Segv::NotMapped) => return Answer::Killed("not mapped"),
            FaultOutcome::Signal(Segv::NotPermitted) => return Answer::Killed("not permitted"),
            FaultOutcome::Userfault(_) => return Answer::Killed("for the program"),
            FaultOutcome::BeyondEnd => return Answer::Killed("beyond the end"),
            FaultOutcome::OutOfMemory => return Answer::OutOfMemory,
        }
    }
    Answer::Killed("the fault handler makes no progress")
}

/// The frame behind `address`, if the page tables permit the access.
fn translate(
    space: &AddressSpace<'_, Forced>,
    machine: &Forced,
    address: u64,
    access: Access,
) -> Option<mm::frame::Frame> {
    if address >= USER_END {
        return None;
    }
    let page = Page::containing(address);
    let pte = walk(machine, space.root(), page);
    let PteView::Leaf { protection, .. } = pte.view() else { return None };
    let permitted = match access {
        Access::Read => protection != Protection::None,
        Access::Write => protection.is_writable(),
        Access::Execute => protection.is_executable(),
    };
    permitted.then(|| pte.frame_of(page))
}
