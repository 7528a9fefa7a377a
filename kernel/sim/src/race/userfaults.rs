//! Scenarios of faults that the program resolves: whoever waits is woken in the end, whatever the schedule.

use abi::mman::*;

use super::scenario::Scenario;
use super::scenarios::{advise, load, map, page, protect, relocate, store, unmap};
use crate::op::{Filling, Modes, Op, PAGE, WriteProtection};

/// Registers pages `first..end`.
fn register(first: u64, end: u64, modes: Modes) -> Op {
    Op::Register { address: page(first), length: (end - first) * PAGE, modes, context: 1 }
}

fn unregister(first: u64, end: u64) -> Op {
    Op::Unregister { address: page(first), length: (end - first) * PAGE, context: 1 }
}

fn fill(first: u64, end: u64, filling: Filling) -> Op {
    Op::Fill { address: page(first), length: (end - first) * PAGE, filling }
}

fn copy(first: u64, end: u64) -> Op {
    fill(first, end, Filling::Copies)
}

fn wake(first: u64, end: u64) -> Op {
    Op::Wake { address: page(first), length: (end - first) * PAGE, context: 1 }
}

fn write_protect(number: u64, protection: WriteProtection) -> Op {
    Op::WriteProtect { address: page(number), length: PAGE, protection }
}

/// Pages 0..2 that are missing and registered.
fn missing() -> [Op; 2] {
    [map(0, 2), register(0, 2, Modes::Missing)]
}

/// Pages 0..2, of which the first is there and write-protected.
fn protected() -> [Op; 4] {
    let protect = write_protect(0, WriteProtection::Begin);
    [map(0, 2), store(0), register(0, 2, Modes::Both), protect]
}

pub(super) fn scenarios() -> Vec<Scenario> {
    let unprotect = || write_protect(0, WriteProtection::End);
    vec![
        Scenario::new("missing-page-and-a-copy", missing())
            .thread([load(0)])
            .thread([copy(0, 1), wake(0, 1)]),
        Scenario::new("missing-page-written-and-a-copy", missing())
            .thread([store(0), load(0)])
            .thread([copy(0, 2), wake(0, 2)]),
        Scenario::new("missing-page-and-zeroes", missing())
            .thread([load(0), store(0)])
            .thread([fill(0, 1, Filling::Zeroes), wake(0, 1)]),
        Scenario::new("two-wait-for-a-page", missing())
            .thread([store(0)])
            .thread([load(0)])
            .thread([copy(0, 1), wake(0, 1)]),
        Scenario::new("two-wait-for-two-pages", missing()).thread([load(0)]).thread([load(1)]).thread([
            copy(0, 2),
            wake(1, 2),
            wake(0, 1),
        ]),
        Scenario::new("two-copies-of-a-page", missing())
            .thread([load(0)])
            .thread([copy(0, 1), wake(0, 1)])
            .thread([copy(0, 1), wake(0, 1)]),
        Scenario::new("missing-page-is-unregistered", missing())
            .thread([store(0), load(1)])
            .thread([unregister(0, 2)]),
        Scenario::new("missing-page-is-unregistered-in-part", missing())
            .thread([store(0)])
            .thread([unregister(0, 1), load(0)]),
        Scenario::new("missing-page-and-the-end-of-its-context", missing())
            .thread([load(0), store(0)])
            .thread([Op::Release { context: 1 }]),
        Scenario::new("missing-page-is-unmapped", missing())
            .thread([load(0)])
            .thread([unmap(0, 1), wake(0, 1)]),
        Scenario::new("missing-page-is-mapped-anew", missing())
            .thread([store(0)])
            .thread([map(0, 2), wake(0, 1)]),
        Scenario::new("missing-page-moves-away", missing()).thread([load(0)]).thread([
            relocate(0, 2, 8),
            wake(0, 1),
            load(8),
        ]),
        Scenario::new("missing-page-loses-its-rights", [map(0, 2), store(1), register(0, 2, Modes::Missing)])
            .thread([store(0)])
            .thread([protect(0, 2, Prot::READ), wake(0, 1)]),
        Scenario::new("copy-and-munmap", missing()).thread([copy(0, 1)]).thread([unmap(0, 2)]),
        Scenario::new("copy-and-munmap-of-a-part", missing()).thread([copy(0, 1)]).thread([unmap(1, 2)]),
        Scenario::new("copy-and-mremap", missing()).thread([copy(0, 1)]).thread([relocate(0, 2, 8), load(8)]),
        Scenario::new("copy-and-unregister", missing())
            .thread([copy(0, 1), wake(0, 1)])
            .thread([unregister(0, 2), store(0)]),
        Scenario::new("copy-and-mprotect", missing())
            .thread([copy(0, 1)])
            .thread([protect(0, 2, Prot::READ), protect(0, 2, Prot::READ_WRITE)]),
        Scenario::new("copy-and-dontneed", missing()).thread([copy(0, 1)]).thread([
            advise(0, 1, MADV_DONTNEED),
            copy(0, 1),
            load(0),
        ]),
        Scenario::new("copy-and-fork", missing()).thread([copy(0, 1)]).thread([Op::Fork]),
        Scenario::new("registering-and-accesses", [map(0, 2), store(0)])
            .thread([register(0, 2, Modes::Missing), copy(1, 2), wake(0, 2)])
            .thread([load(0), store(1)]),
        Scenario::new("write-protected-page-and-its-end", protected())
            .thread([store(0), load(0)])
            .thread([unprotect(), wake(0, 1)]),
        Scenario::new("write-protection-and-stores", [map(0, 2), store(0), register(0, 2, Modes::Protected)])
            .thread([store(0), load(0)])
            .thread([write_protect(0, WriteProtection::Begin), unprotect(), wake(0, 1)]),
        Scenario::new("write-protected-page-is-unregistered", protected())
            .thread([store(0)])
            .thread([unregister(0, 2)]),
        Scenario::new("write-protected-page-and-the-end-of-its-context", protected())
            .thread([store(0)])
            .thread([Op::Release { context: 1 }]),
        Scenario::new("write-protected-page-and-mprotect", protected())
            .thread([protect(0, 2, Prot::READ), protect(0, 2, Prot::READ_WRITE), unprotect(), wake(0, 1)])
            .thread([load(0)]),
        Scenario::new("write-protected-page-and-dontneed", protected()).thread([store(0)]).thread([
            advise(0, 1, MADV_DONTNEED),
            copy(0, 1),
            wake(0, 1),
        ]),
        Scenario::new("write-protected-copy", missing_or_protected()).thread([store(0), load(0)]).thread([
            fill(0, 1, Filling::ProtectedCopies),
            unprotect(),
            wake(0, 1),
        ]),
        Scenario::new("write-protected-page-and-fork", protected())
            .thread([Op::Fork])
            .thread([unprotect(), store(0)]),
    ]
}

/// Pages 0..2 that are missing and registered for everything.
fn missing_or_protected() -> [Op; 2] {
    [map(0, 2), register(0, 2, Modes::Both)]
}
