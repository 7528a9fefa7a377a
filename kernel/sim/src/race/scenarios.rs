//! The scenarios: the smallest races that can show what has gone wrong in kernels before.

use abi::mman::*;

use super::scenario::{Act, Scenario};
use crate::op::{Op, PAGE, brk, madvise, mmap, mprotect, mremap, munmap, read, write};
pub(super) use crate::scenario::page;

/// Where the heap begins.
const HEAP: u64 = 0x4000_0000;

/// Memory in pages `first..end`.
pub(super) fn map(first: u64, end: u64) -> Op {
    mmap((end - first) * PAGE).fixed(page(first)).into()
}

/// Memory that nothing can be written to.
fn map_read_only(first: u64, end: u64) -> Op {
    mmap((end - first) * PAGE).fixed(page(first)).prot(Prot::READ).into()
}

pub(super) fn unmap(first: u64, end: u64) -> Op {
    munmap(page(first), (end - first) * PAGE)
}

pub(super) fn protect(first: u64, end: u64, prot: Prot) -> Op {
    mprotect(page(first), (end - first) * PAGE, prot)
}

/// `madvise` of pages `first..end`.
pub(super) fn advise(first: u64, end: u64, advice: u64) -> Op {
    madvise(page(first), (end - first) * PAGE, advice)
}

/// Moves pages `first..end` to where `to` is, onto what is there.
pub(super) fn relocate(first: u64, end: u64, to: u64) -> Op {
    let length = (end - first) * PAGE;
    mremap(page(first), length, length).fixed(page(to)).into()
}

/// A store to a page. (The CPU is that of the thread.)
pub(super) fn store(number: u64) -> Op {
    write(0, page(number))
}

/// A load from a page.
pub(super) fn load(number: u64) -> Op {
    read(0, page(number))
}

/// A look without a lock at pages `first..end`.
fn look(first: u64, end: u64) -> Act {
    Act::Look { first: page(first) / PAGE, end: page(end) / PAGE }
}

/// Memory in pages `0..4`, of which 0 and 2 have been written.
fn four() -> [Op; 3] {
    [map(0, 4), store(0), store(2)]
}

/// Three VMAs side by side: 0..2, 2..4 (read-only), 4..6; all pages but 1 have been touched.
fn three_vmas() -> Vec<Op> {
    vec![map(0, 6), store(0), store(2), store(4), store(5), protect(2, 4, Prot::READ)]
}

/// All scenarios.
pub fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario::new("munmap-of-a-vma-and-accesses", four())
            .thread([unmap(0, 4)])
            .thread([load(0), store(1)]),
        Scenario::new("hole-and-accesses-beside-it", four())
            .thread([unmap(1, 3)])
            .thread([store(0), store(3)]),
        Scenario::new("hole-and-accesses-in-it", four()).thread([unmap(1, 3)]).thread([store(1), load(2)]),
        Scenario::new("hole-and-two-faults", four())
            .thread([unmap(1, 3)])
            .thread([store(3)])
            .thread([store(1)]),
        Scenario::new("munmap-of-three-vmas-and-accesses", three_vmas())
            .thread([unmap(1, 5)])
            .thread([store(4), load(3)]),
        Scenario::new("tables-shared-with-the-next-vma", [map(0, 2), store(0), store(1), map(4, 6)])
            .thread([unmap(0, 2)])
            .thread([store(4), load(5)]),
        Scenario::new("tables-shared-with-the-previous-vma", [map(0, 2), map(4, 6), store(4), store(5)])
            .thread([unmap(4, 6)])
            .thread([store(0), load(1)]),
        Scenario::new("two-faults-make-tables", [map(0, 4)]).thread([store(0)]).thread([store(1), load(0)]),
        Scenario::new("two-faults-in-one-page", [map(0, 2), store(1)])
            .thread([store(0), load(0)])
            .thread([store(0)]),
        Scenario::new("zero-page-and-its-upgrade", [map(0, 2), store(1)])
            .thread([load(0), store(0)])
            .thread([load(0), load(0)]),
        Scenario::new("upgrade-and-munmap", [map(0, 3), store(1), load(0), load(2)])
            .thread([unmap(0, 2)])
            .thread([store(0), store(2)]),
        Scenario::new("overlapping-munmaps", three_vmas()).thread([unmap(0, 4)]).thread([unmap(2, 6)]),
        Scenario::new("overlapping-munmaps-and-an-access", three_vmas())
            .thread([unmap(0, 3)])
            .thread([unmap(2, 6)])
            .thread([load(2)]),
        Scenario::new("munmap-and-a-new-mapping", four()).thread([unmap(0, 4)]).thread([map(1, 3), store(1)]),
        Scenario::new("munmap-then-mapped-again", four())
            .thread([unmap(0, 4), map(0, 4), load(0)])
            .thread([load(0), store(0)]),
        Scenario::new("fixed-mapping-and-accesses", four())
            .thread([map_read_only(0, 4)])
            .thread([load(0), load(2)]),
        Scenario::new("fixed-mapping-in-the-middle-and-accesses", four())
            .thread([map(1, 3), load(2)])
            .thread([store(2), load(2)]),
        Scenario::new("fixed-mapping-is-never-a-gap", four())
            .thread([map_read_only(0, 4)])
            .thread([look(0, 4), look(2, 3)]),
        Scenario::new("fixed-mapping-over-a-part-is-never-a-gap", three_vmas())
            .thread([map_read_only(1, 5)])
            .thread([look(0, 6), look(4, 5)]),
        Scenario::new("split-is-never-a-gap", four())
            .thread([protect(1, 2, Prot::READ)])
            .thread([look(0, 4), look(1, 2)]),
        Scenario::new("looks-beside-many-small-changes", many())
            .thread([unmap(4, 6), protect(20, 21, Prot::NONE)])
            .thread([look(8, 34), look(0, 4)]),
        Scenario::new("looks-beside-a-munmap-of-many", many())
            .thread([unmap(2, 30)])
            .thread([look(30, 34), look(0, 2)]),
        Scenario::new("looks-beside-a-fixed-mapping-over-many", many())
            .thread([map(3, 31)])
            .thread([look(0, 34)]),
        Scenario::new("mapping-that-merges-and-accesses", [map(0, 2), store(0)])
            .thread([map(2, 4)])
            .thread([store(1), load(2)]),
        Scenario::new("mapping-between-two-and-accesses", [map(0, 2), map(3, 5), store(0)])
            .thread([map(2, 3)])
            .thread([store(3), load(1)]),
        Scenario::new("mprotect-of-a-part-and-stores", four())
            .thread([protect(1, 3, Prot::READ)])
            .thread([store(1), store(2)]),
        Scenario::new("mprotect-of-a-part-and-stores-beside-it", four())
            .thread([protect(1, 3, Prot::READ)])
            .thread([store(0), store(3)]),
        Scenario::new("mprotect-of-a-vma-and-accesses", four())
            .thread([protect(0, 4, Prot::NONE)])
            .thread([store(0), load(2)]),
        Scenario::new("mprotect-of-a-vma-and-first-stores", four())
            .thread([protect(0, 4, Prot::READ)])
            .thread([store(1), store(3)]),
        Scenario::new("mprotect-that-merges-and-accesses", three_vmas())
            .thread([protect(2, 4, Prot::READ_WRITE)])
            .thread([store(3), store(5)]),
        Scenario::new("mprotect-and-munmap", three_vmas())
            .thread([protect(0, 6, Prot::READ)])
            .thread([unmap(1, 5)]),
        Scenario::new("mprotect-munmap-and-a-store", four())
            .thread([protect(0, 2, Prot::READ)])
            .thread([unmap(1, 3)])
            .thread([store(0)]),
        Scenario::new("mremap-of-a-vma-and-accesses", four())
            .thread([relocate(0, 4, 8)])
            .thread([store(0), load(10)]),
        Scenario::new("mremap-of-the-middle-and-accesses-in-it", four())
            .thread([relocate(1, 3, 8)])
            .thread([store(1), load(2)]),
        Scenario::new("mremap-of-the-middle-and-accesses-beside-it", four())
            .thread([relocate(1, 3, 8)])
            .thread([store(0), store(3)]),
        Scenario::new("mremap-of-the-middle-and-accesses-there", four())
            .thread([relocate(1, 3, 8)])
            .thread([load(9), store(8)]),
        Scenario::new("mremap-onto-what-is-there", [map(0, 2), store(0), map(8, 10), store(8)])
            .thread([relocate(0, 2, 8)])
            .thread([store(8), load(0)]),
        Scenario::new("mremap-that-merges-with-itself", [map(0, 4), load(1)])
            .thread([relocate(2, 4, 4)])
            .thread([store(1), load(4)]),
        Scenario::new("mremap-that-leaves-the-old-range", four())
            .thread([Op::from(mremap(page(0), 4 * PAGE, 4 * PAGE).fixed(page(8)).keep())])
            .thread([load(0), store(0)]),
        Scenario::new("mremap-that-grows-in-place-and-accesses", four())
            .thread([Op::from(mremap(page(0), 4 * PAGE, 6 * PAGE))])
            .thread([store(3), load(5)]),
        Scenario::new("mremap-and-munmap", four())
            .thread([relocate(1, 3, 8)])
            .thread([unmap(0, 2)])
            .thread([load(2)]),
        Scenario::new("dontneed-and-accesses", four())
            .thread([advise(0, 4, MADV_DONTNEED)])
            .thread([store(0), load(2)]),
        Scenario::new("dontneed-and-loads-after-it", four())
            .thread([advise(0, 2, MADV_DONTNEED), load(0)])
            .thread([load(0), store(1)]),
        Scenario::new("two-dontneeds-and-a-store", four())
            .thread([advise(0, 4, MADV_DONTNEED)])
            .thread([advise(2, 3, MADV_DONTNEED), store(2)]),
        Scenario::new("dontneed-and-munmap", four())
            .thread([advise(0, 4, MADV_DONTNEED)])
            .thread([unmap(1, 3), load(1)]),
        Scenario::new("dontneed-over-a-hole-and-munmap", [map(0, 2), store(0), map(3, 5), store(4)])
            .thread([advise(0, 5, MADV_DONTNEED)])
            .thread([unmap(4, 5), load(0)]),
        Scenario::new("dontneed-and-mprotect", four())
            .thread([advise(0, 4, MADV_DONTNEED)])
            .thread([protect(0, 4, Prot::READ), load(0)]),
        Scenario::new("dontneed-and-mremap", four())
            .thread([advise(0, 4, MADV_DONTNEED)])
            .thread([relocate(0, 4, 8), load(8)]),
        Scenario::new("dontneed-and-the-zero-page", [map(0, 2), store(1), load(0)])
            .thread([advise(0, 1, MADV_DONTNEED)])
            .thread([store(0), load(0)]),
        Scenario::new(
            "dontneed-of-shared-memory",
            [Op::from(mmap(2 * PAGE).fixed(page(0)).shared()), store(0)],
        )
        .thread([advise(0, 2, MADV_DONTNEED)])
        .thread([store(0), load(0)]),
        Scenario::new("guards-and-accesses", four())
            .thread([advise(0, 4, MADV_GUARD_INSTALL)])
            .thread([store(0), load(1)]),
        Scenario::new("guards-and-first-accesses", [map(0, 4)])
            .thread([advise(1, 3, MADV_GUARD_INSTALL)])
            .thread([store(1), load(2)]),
        Scenario::new("guards-come-and-go", four())
            .thread([advise(0, 2, MADV_GUARD_INSTALL), advise(0, 2, MADV_GUARD_REMOVE)])
            .thread([store(0), load(0)]),
        Scenario::new("guards-and-dontneed", four())
            .thread([advise(0, 3, MADV_GUARD_INSTALL)])
            .thread([advise(0, 4, MADV_DONTNEED), load(2)]),
        Scenario::new("guards-and-munmap", four())
            .thread([advise(0, 4, MADV_GUARD_INSTALL)])
            .thread([unmap(1, 3), load(0)]),
        Scenario::new("guards-and-fork", four())
            .thread([advise(0, 2, MADV_GUARD_INSTALL)])
            .thread([Op::Fork, store(1)]),
        Scenario::new("populating-and-dontneed", four())
            .thread([advise(0, 3, MADV_POPULATE_WRITE)])
            .thread([advise(0, 2, MADV_DONTNEED), load(0)]),
        Scenario::new("marking-a-part-and-accesses", four())
            .thread([advise(1, 3, MADV_DONTFORK)])
            .thread([store(1), load(2)]),
        Scenario::new("recycled-in-another-range", [map(0, 2), store(0)])
            .thread([unmap(0, 2), map(8, 10)])
            .thread([load(0), store(1)]),
        Scenario::new("recycled-by-another-process", [map(0, 2), store(0)])
            .thread([unmap(0, 2)])
            .thread([load(1)])
            .process([map(8, 9)])
            .thread([map(0, 2), store(1)]),
        Scenario::new("heap-shrinks-and-accesses", [brk(HEAP + 4 * PAGE), write(0, HEAP + PAGE)])
            .thread([brk(HEAP + PAGE)])
            .thread([write(0, HEAP), read(0, HEAP + PAGE)]),
        Scenario::new("heap-grows-and-accesses", [brk(HEAP + PAGE), write(0, HEAP)])
            .thread([brk(HEAP + 3 * PAGE)])
            .thread([read(0, HEAP + PAGE), write(0, HEAP)]),
        Scenario::new("two-stores-grow-a-stack", a_stack()).thread([store(5)]).thread([store(4), load(5)]),
        Scenario::new("a-stack-grows-beside-munmap", a_stack())
            .thread([store(5)])
            .thread([unmap(8, 10)])
            .thread([load(6)]),
        Scenario::new("shared-memory-and-munmap", [shared(0, 4), store(0)])
            .thread([unmap(0, 2)])
            .thread([store(1), store(2)]),
    ]
    .into_iter()
    .chain(forks())
    .chain(super::huge::scenarios())
    .chain(super::userfaults::scenarios())
    .collect()
}

/// Scenarios of processes that fork or have forked.
fn forks() -> Vec<Scenario> {
    vec![
        Scenario::new("fork-and-stores", four()).thread([Op::Fork, store(2)]).thread([store(0), store(1)]),
        // The pages are read-only, and the parent's alone.
        Scenario::new("fork-and-a-store-that-copies-nothing", [map(0, 2), store(0), store(1), Op::Fork])
            .thread([Op::Fork, store(0)])
            .thread([store(0), load(1)]),
        Scenario::new("fork-and-two-threads", [map(0, 2), store(0), Op::Fork])
            .thread([Op::Fork])
            .thread([store(0)])
            .thread([store(0), store(1)]),
        Scenario::new("fork-and-the-zero-page", [map(0, 2), store(1), load(0)])
            .thread([Op::Fork, store(0)])
            .thread([store(0), load(0)]),
        Scenario::new("fork-and-munmap", four()).thread([Op::Fork]).thread([unmap(1, 3), store(0)]),
        Scenario::new("fork-and-mprotect", four()).thread([Op::Fork, load(0)]).thread([
            protect(0, 2, Prot::READ),
            protect(0, 2, Prot::READ_WRITE),
            store(0),
        ]),
        Scenario::new("fork-and-shared-memory", [shared(0, 4), store(0)])
            .thread([Op::Fork, store(1)])
            .thread([store(1), store(0)]),
        Scenario::new("parent-and-child-copy-a-page", [map(0, 2), store(0), store(1)])
            .thread([store(0), load(0)])
            .child([])
            .thread([store(0), load(0)]),
        Scenario::new("parent-unmaps-what-the-child-copies", [map(0, 2), store(0), store(1)])
            .thread([unmap(0, 2)])
            .child([])
            .thread([store(0), store(1)]),
        Scenario::new("parent-and-child-fault-in-one-shared-page", [shared(0, 2)])
            .thread([store(0), load(1)])
            .child([])
            .thread([load(0), store(1)]),
        Scenario::new("parent-and-child-unmap-a-shared-object", [shared(0, 2), store(0)])
            .thread([unmap(0, 2)])
            .child([load(0)])
            .thread([store(1), unmap(0, 2)]),
        Scenario::new("pages-are-removed-beside-accesses", [shared(0, 4), store(0), store(2)])
            .thread([advise(0, 2, MADV_REMOVE)])
            .thread([store(0), load(0), store(1)]),
        Scenario::new("pages-are-removed-that-a-child-uses", [shared(0, 4), store(0), store(1)])
            .thread([advise(0, 2, MADV_REMOVE), load(0)])
            .child([load(0), load(1)])
            .thread([store(1), load(1)]),
        Scenario::new("pages-are-removed-while-two-processes-unmap-them", [shared(0, 2), store(0)])
            .thread([advise(0, 2, MADV_REMOVE)])
            .thread([unmap(0, 2)])
            .child([load(0)])
            .thread([unmap(0, 2)]),
        Scenario::new("pages-are-removed-that-are-not-needed-elsewhere", [shared(0, 2), store(0)])
            .thread([advise(0, 2, MADV_REMOVE)])
            .child([load(0)])
            .thread([advise(0, 2, MADV_DONTNEED), store(0)]),
        Scenario::new("fork-of-a-child-and-the-parents-stores", [map(0, 2), store(0), store(1)])
            .thread([store(0), store(1)])
            .child([store(1)])
            .thread([Op::Fork, store(0)]),
    ]
}

/// A VMA for each of the pages 0..34: more than a leaf of the tree holds.
fn many() -> Vec<Op> {
    (0..34)
        .map(
            |number| {
                if number % 2 == 0 { map(number, number + 1) } else { map_read_only(number, number + 1) }
            },
        )
        .collect()
}

fn shared(first: u64, end: u64) -> Op {
    mmap((end - first) * PAGE).fixed(page(first)).shared().into()
}

/// A stack in pages 8..12 that has been used.
fn a_stack() -> [Op; 2] {
    [mmap(4 * PAGE).fixed(page(8)).with(Map::GROWSDOWN).into(), store(9)]
}
