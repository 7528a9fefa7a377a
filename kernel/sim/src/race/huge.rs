//! Scenarios with huge leaves: they come, go, are split and shared while others access, fault and change a part of them.

use abi::mman::*;

use super::scenario::Scenario;
use super::scenarios::{advise, load, map, protect, relocate, store, unmap};
use crate::op::Op;

/// Pages that a huge leaf maps.
const HUGE: u64 = 512;

/// Memory that a huge leaf can map, of which nothing is there.
fn untouched() -> [Op; 1] {
    [map(0, HUGE)]
}

/// The same, with the huge leaf.
fn written() -> [Op; 3] {
    [map(0, HUGE), store(0), store(2)]
}

/// All scenarios with huge leaves.
pub(super) fn scenarios() -> Vec<Scenario> {
    [coming(), going(), shared()].concat()
}

/// A fault that maps hugely meets something else.
fn coming() -> Vec<Scenario> {
    vec![
        Scenario::new("huge-fault-and-another", untouched())
            .huge(2)
            .thread([store(0), load(5)])
            .thread([store(5), load(0)]),
        Scenario::new("huge-fault-and-a-small-one-without-a-block", untouched())
            .huge(1)
            .thread([store(0)])
            .thread([store(5), load(0)]),
        Scenario::new("huge-fault-and-a-load", untouched())
            .huge(1)
            .thread([store(0), load(5)])
            .thread([load(5), store(5)]),
        Scenario::new("huge-fault-and-munmap", untouched())
            .huge(1)
            .thread([unmap(0, HUGE)])
            .thread([store(0), load(5)]),
        Scenario::new("huge-fault-and-munmap-of-a-part", untouched())
            .huge(1)
            .thread([unmap(4, 6)])
            .thread([store(0), store(5)]),
        Scenario::new("huge-fault-and-mprotect-of-a-part", untouched())
            .huge(1)
            .thread([protect(4, 6, Prot::READ)])
            .thread([store(0), store(5)]),
        Scenario::new("huge-fault-and-dontneed-of-a-part", untouched())
            .huge(1)
            .thread([advise(4, 6, MADV_DONTNEED), load(5)])
            .thread([store(5), load(5)]),
        Scenario::new("huge-fault-and-guards", untouched())
            .huge(1)
            .thread([advise(4, 6, MADV_GUARD_INSTALL)])
            .thread([store(0), load(5)]),
        Scenario::new("huge-fault-and-fork", [map(0, HUGE), map(HUGE, HUGE + 1), store(HUGE)])
            .huge(1)
            .thread([Op::Fork])
            .thread([store(0), store(5)]),
    ]
}

/// A huge leaf goes, in part or as a whole.
fn going() -> Vec<Scenario> {
    vec![
        Scenario::new("huge-munmap-and-accesses", written())
            .huge(1)
            .thread([unmap(0, HUGE)])
            .thread([load(0), store(5)]),
        Scenario::new("huge-munmap-of-a-part-and-accesses", written())
            .huge(1)
            .thread([unmap(2, 4)])
            .thread([store(0), load(2)]),
        Scenario::new("huge-mprotect-of-a-part-and-stores", written())
            .huge(1)
            .thread([protect(2, 4, Prot::READ)])
            .thread([store(2), store(0)]),
        Scenario::new("huge-mprotect-and-accesses", written())
            .huge(1)
            .thread([protect(0, HUGE, Prot::NONE)])
            .thread([store(2), load(0)]),
        Scenario::new("huge-dontneed-and-accesses", written())
            .huge(2)
            .thread([advise(0, HUGE, MADV_DONTNEED)])
            .thread([store(2), load(0)]),
        Scenario::new("huge-dontneed-of-a-part-and-accesses", written())
            .huge(1)
            .thread([advise(2, 4, MADV_DONTNEED)])
            .thread([store(2), load(0)]),
        Scenario::new("huge-dontneeds-of-two-parts", written())
            .huge(1)
            .thread([advise(0, 2, MADV_DONTNEED)])
            .thread([advise(2, 4, MADV_DONTNEED), load(2)]),
        Scenario::new("huge-dontneeds-of-all-and-a-part", written())
            .huge(2)
            .thread([advise(0, HUGE, MADV_DONTNEED)])
            .thread([advise(2, 4, MADV_DONTNEED), store(2)]),
        Scenario::new("huge-dontneed-of-a-part-and-munmap", written())
            .huge(1)
            .thread([advise(2, 4, MADV_DONTNEED)])
            .thread([unmap(0, HUGE)]),
        // The leaf is over two VMAs, of which one changes while the other one is in use.
        Scenario::new("huge-leaf-over-two-vmas", [map(0, HUGE), store(0), advise(0, 256, MADV_SEQUENTIAL)])
            .huge(1)
            .thread([unmap(256, HUGE)])
            .thread([advise(2, 4, MADV_DONTNEED), store(0)]),
        Scenario::new("huge-guards-and-accesses", written())
            .huge(1)
            .thread([advise(2, 4, MADV_GUARD_INSTALL)])
            .thread([store(0), load(2)]),
        Scenario::new("huge-mremap-and-accesses", written())
            .huge(1)
            .thread([relocate(0, HUGE, 2 * HUGE)])
            .thread([store(0), load(2 * HUGE + 2)]),
        Scenario::new("huge-mremap-of-a-part-and-accesses", written())
            .huge(1)
            .thread([relocate(2, 4, 2 * HUGE)])
            .thread([store(0), load(2)]),
    ]
}

/// Several processes have a huge leaf.
fn shared() -> Vec<Scenario> {
    vec![
        Scenario::new("huge-fork-and-stores", written())
            .huge(1)
            .thread([Op::Fork, store(2)])
            .thread([store(0), load(2)]),
        Scenario::new("huge-leaf-that-is-read-only-and-two-stores", [map(0, HUGE), store(0), Op::Fork])
            .huge(1)
            .thread([store(0)])
            .thread([store(0), store(1)]),
        Scenario::new("huge-leaf-of-parent-and-child-and-stores", written())
            .huge(1)
            .thread([store(0), load(2)])
            .child([])
            .thread([store(0), load(2)]),
        Scenario::new("huge-leaf-of-parent-and-child-and-two-stores-of-one", written())
            .huge(1)
            .thread([store(0)])
            .thread([store(2), load(0)])
            .child([])
            .thread([store(0)]),
        Scenario::new("huge-leaf-that-the-parent-unmaps-and-the-child-splits", written())
            .huge(1)
            .thread([unmap(0, HUGE)])
            .child([])
            .thread([store(0), store(2)]),
        Scenario::new("huge-leaf-that-both-unmap", written())
            .huge(1)
            .thread([unmap(0, HUGE)])
            .child([])
            .thread([unmap(2, HUGE), load(0)]),
        Scenario::new("huge-leaf-that-both-discard-a-part-of", written())
            .huge(1)
            .thread([advise(0, 1, MADV_DONTNEED)])
            .child([])
            .thread([advise(2, 3, MADV_DONTNEED), store(0)]),
        Scenario::new("huge-leaf-and-fork-of-the-child", written())
            .huge(1)
            .thread([store(0)])
            .child([store(2)])
            .thread([Op::Fork, store(0)]),
    ]
}
