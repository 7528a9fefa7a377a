//! The tree of a small static program, and what its system calls do to it.

#[path = "../../tests/common/maps.rs"]
mod maps;

use std::ops::Range;

use maps::MAPS;

use super::{Fixture, Random};

/// Ranges of the tree.
pub(crate) const RANGES: usize = MAPS.len();

/// The heap, which `brk` makes longer and whose middle is unmapped or protected.
const HEAP: Range<u64> = 0x1_0480..0x1_04a2;

/// Mappings come below this page.
const TOP: u64 = 0x7_fd01_b390;

/// A tree of such a program that has made some mappings and unmapped them.
pub(crate) fn program() -> Fixture {
    let mut program = Fixture::of(MAPS.to_vec(), Random::new());
    (0..5).for_each(|turn| {
        program.store(mapping(turn));
        program.erase(mapping(turn));
    });
    program
}

/// A range for a mapping, somewhere below the others.
pub(crate) fn mapping(turn: usize) -> Range<u64> {
    let start = TOP - 64 - 64 * (turn as u64 * 5 % 7);
    start..start + 16
}

/// Three pages inside the heap.
pub(crate) fn inside(turn: usize) -> Range<u64> {
    let start = HEAP.start + 4 + Random::new().below(8) as u64 + turn as u64 % 8;
    start..start + 3
}

/// The heap, and some pages behind it.
pub(crate) fn grown(turn: usize) -> Range<u64> {
    HEAP.start..HEAP.end + 1 + turn as u64
}

/// The heap as it was.
pub(crate) fn heap() -> Range<u64> {
    HEAP
}

/// Highest place for so many pages below the mappings' top, as `mmap` without an address wants it.
pub(crate) fn top() -> u64 {
    TOP + 0x1000
}
