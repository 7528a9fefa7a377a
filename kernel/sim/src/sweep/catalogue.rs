//! The address spaces and the operations of the sweep: every operation is tried on every address space.

use crate::op::{
    Op, PAGE, attach, brk, execute, image, madvise, mlock, mlock_on_fault, mmap, mprotect, mremap, mseal,
    munlock, munmap, read, resize, shared_image, write,
};
use crate::world::World;
use abi::mman::*;

/// Page 6 is at a border of 2 MiB: pages 0 to 12 lie in two page tables.
const BASE: u64 = 0x1000_0000 - 6 * PAGE;
const HEAP: u64 = 0x4000_0000;

/// Address of page `number`.
pub fn page(number: u64) -> u64 {
    BASE + number * PAGE
}

/// Maps `pages` pages from page `first` on, and writes to each on one of two CPUs.
pub fn map_and_write(world: &mut World<'_>, first: u64, pages: u64) {
    world.apply(mmap(pages * PAGE).fixed(page(first)));
    for number in first..first + pages {
        world.apply(write(number as u32 % 2, page(number)));
    }
}

/// Maps `pages` areas of a page from page `first` on that differ from their neighbours, and touches each.
fn single_pages(world: &mut World<'_>, first: u64, pages: u64) {
    for number in first..first + pages {
        let prot = if number % 2 == 0 { Prot::READ_WRITE } else { Prot::READ };
        world.apply(mmap(PAGE).fixed(page(number)).prot(prot));
        world.apply(read(0, page(number)));
    }
}

/// Written pages, some of them read-only by now, and a shared object.
fn private_and_shared(world: &mut World<'_>) {
    map_and_write(world, 0, 9);
    world.apply(mprotect(page(3), 2 * PAGE, Prot::READ));
    world.apply(mmap(3 * PAGE).fixed(page(9)).shared());
    world.apply(write(1, page(10)));
}

/// Makes an address space.
pub type Shape = fn(&mut World<'_>);

/// Address spaces that differ in what lies in pages 0 to 12.
pub const SHAPES: &[(&str, Shape)] = &[
    ("nothing", |_| {}),
    ("one area, untouched", |world| {
        world.apply(mmap(12 * PAGE).fixed(page(0)));
    }),
    ("one area, written", |world| map_and_write(world, 0, 12)),
    ("one area, read", |world| {
        world.apply(mmap(12 * PAGE).fixed(page(0)));
        for number in 0..12 {
            world.apply(read(number % 2, page(number.into())));
        }
    }),
    ("three areas side by side", |world| {
        map_and_write(world, 0, 12);
        world.apply(mprotect(page(4), 4 * PAGE, Prot::READ));
    }),
    ("areas with holes between", |world| {
        for first in [0, 4, 8] {
            map_and_write(world, first, 3);
        }
    }),
    ("locked and shared", |world| {
        world.apply(mmap(6 * PAGE).fixed(page(0)).with(Map::LOCKED));
        world.apply(mmap(6 * PAGE).fixed(page(6)).shared());
        world.apply(write(0, page(7)));
    }),
    ("shared areas side by side", |world| {
        for first in [0, 4, 8] {
            world.apply(mmap(4 * PAGE).fixed(page(first)).shared());
            world.apply(write(0, page(first + 1)));
        }
    }),
    ("image, data and what follows", |world| {
        world.apply(image(page(0) / PAGE, 4, Prot::READ | Prot::EXEC, 0));
        world.apply(image(page(4) / PAGE, 4, Prot::READ_WRITE, 4));
        map_and_write(world, 8, 4);
        world.apply(write(0, page(5)));
    }),
    ("the file, shared and private", |world| {
        world.apply(shared_image(page(0) / PAGE, 6, Prot::READ_WRITE, 0));
        world.apply(image(page(6) / PAGE, 4, Prot::READ_WRITE, 1));
        for number in [0, 2, 7] {
            world.apply(write(0, page(number)));
        }
        world.apply(read(1, page(8)));
    }),
    ("no memory committed for some", |world| {
        map_and_write(world, 0, 6);
        world.apply(mmap(6 * PAGE).fixed(page(6)).with(Map::NORESERVE));
        world.apply(write(1, page(8)));
    }),
    ("a sealed area between others", |world| {
        map_and_write(world, 0, 12);
        world.apply(mseal(page(4), 4 * PAGE));
    }),
    ("guards and holes", |world| {
        map_and_write(world, 0, 5);
        map_and_write(world, 7, 5);
        world.apply(madvise(page(3), 6 * PAGE, MADV_GUARD_INSTALL));
        world.apply(madvise(page(0), 2 * PAGE, MADV_WIPEONFORK));
        world.apply(madvise(page(10), PAGE, MADV_DONTFORK));
    }),
    ("memory that nobody may touch", |world| {
        map_and_write(world, 0, 12);
        world.apply(mprotect(page(3), 6 * PAGE, Prot::NONE));
    }),
    ("a stack", |world| {
        world.apply(mmap(4 * PAGE).fixed(page(8)).with(Map::GROWSDOWN));
        world.apply(write(0, page(9)));
    }),
    ("a stack beside another area", |world| {
        world.apply(mmap(4 * PAGE).fixed(page(4)).with(Map::GROWSDOWN));
        map_and_write(world, 8, 4);
        world.apply(write(0, page(5)));
    }),
    ("twelve areas of a page", |world| single_pages(world, 0, 12)),
    // The tree has several levels.
    ("areas of a page far around", |world| {
        single_pages(world, 0, 12);
        single_pages(world, 30, 30);
    }),
    ("a parent, its pages shared with the child", |world| {
        private_and_shared(world);
        world.apply(Op::Fork);
        world.apply_in(1, write(1, page(1)));
    }),
    ("a child whose parent has ended", |world| {
        private_and_shared(world);
        world.apply(Op::Fork);
        world.apply(write(0, page(5)));
        world.apply(Op::Exit);
    }),
    ("a heap", |world| {
        world.apply(brk(HEAP + 4 * PAGE));
        world.apply(write(0, HEAP + PAGE));
        map_and_write(world, 2, 8);
    }),
    ("a heap that others join", |world| {
        world.apply(brk(HEAP + 4 * PAGE));
        world.apply(mmap(2 * PAGE).fixed(HEAP + 4 * PAGE));
        world.apply(mmap(2 * PAGE).fixed(HEAP - 2 * PAGE));
        map_and_write(world, 0, 12);
        world.apply(write(0, HEAP + 3 * PAGE));
    }),
];

/// As many pages as a huge leaf maps.
const HUGE: u64 = 512;

/// Maps two huge leaves, or room for them, that meet at page 6, and some pages around.
fn room_for_huge(world: &mut World<'_>) {
    world.apply(mmap((2 * HUGE + 2) * PAGE).fixed(page(6) - (HUGE + 1) * PAGE));
}

/// The same, with the huge leaves.
fn two_huge_leaves(world: &mut World<'_>) {
    room_for_huge(world);
    world.apply(write(0, page(5)));
    world.apply(write(1, page(6)));
}

/// Address spaces with huge leaves where they can be, over more than pages 0 to 12.
pub const HUGE_SHAPES: &[(&str, Shape)] = &[
    ("room for huge leaves", room_for_huge),
    ("two huge leaves", two_huge_leaves),
    ("a huge leaf and small ones", |world| {
        room_for_huge(world);
        world.apply(read(0, page(4)));
        world.apply(write(1, page(6)));
    }),
    ("a huge leaf over several areas", |world| {
        two_huge_leaves(world);
        world.apply(madvise(page(4), 4 * PAGE, MADV_RANDOM));
        world.apply(madvise(page(10), PAGE, MADV_WIPEONFORK));
    }),
    ("huge leaves of a parent and its child", |world| {
        two_huge_leaves(world);
        world.apply(Op::Fork);
        world.apply_in(1, write(1, page(1)));
    }),
];

/// Operations on these address spaces, by system call. A new system call gets a function of its own here.
pub fn operations() -> Vec<Op> {
    [
        unmappings(),
        mappings(),
        fixed_mappings(),
        protections(),
        remappings(),
        seals(),
        advice(),
        locks(),
        breaks(),
        touches(),
        forks(),
    ]
    .concat()
}

fn unmappings() -> Vec<Op> {
    vec![
        munmap(page(0), 12 * PAGE),
        munmap(page(2), 7 * PAGE),
        munmap(page(0), 5 * PAGE),
        munmap(page(5), 20 * PAGE),
        munmap(page(5), PAGE),
        munmap(page(1), 2 * PAGE),
        munmap(page(4), 4 * PAGE),
        munmap(page(9), 60 * PAGE),
    ]
}

fn mappings() -> Vec<Op> {
    vec![
        mmap(PAGE).into(),
        mmap(2 * PAGE).shared().into(),
        mmap(3 * PAGE).with(Map::POPULATE).into(),
        mmap(PAGE).hint(page(12)).prot(Prot::READ).into(),
        mmap(2 * PAGE).hint(page(3)).with(Map::NORESERVE).into(),
        mmap(2 * PAGE).fixed(page(14)).with(Map::GROWSDOWN).into(),
    ]
}

fn fixed_mappings() -> Vec<Op> {
    vec![
        mmap(7 * PAGE).fixed(page(2)).into(),
        mmap(12 * PAGE).fixed(page(0)).prot(Prot::READ).into(),
        mmap(4 * PAGE).fixed(page(12)).with(Map::POPULATE).into(),
        mmap(2 * PAGE).fixed(page(5)).shared().with(Map::LOCKED).into(),
        mmap(PAGE).fixed(page(3)).prot(Prot::NONE).into(),
        mmap(8 * PAGE).fixed(page(2)).shared().into(),
        mmap(4 * PAGE).fixed(page(4)).with(Map::POPULATE | Map::NORESERVE).into(),
        image(page(3) / PAGE, 4, Prot::READ_WRITE, 7),
        image(page(0) / PAGE, 12, Prot::READ, 0),
        shared_image(page(5) / PAGE, 3, Prot::READ_WRITE, 4),
        attach(page(5) / PAGE, 3, Prot::READ_WRITE),
        resize(3 * PAGE + 8),
    ]
}

fn protections() -> Vec<Op> {
    let prot = (Prot::READ | Prot::GROWSDOWN).bits();
    vec![
        mprotect(page(0), 12 * PAGE, Prot::READ),
        mprotect(page(2), 7 * PAGE, Prot::NONE),
        mprotect(page(5), PAGE, Prot::READ_WRITE | Prot::EXEC),
        mprotect(page(0), 4 * PAGE, Prot::READ_WRITE),
        mprotect(page(4), 4 * PAGE, Prot::READ_WRITE),
        mprotect(page(1), 4 * PAGE, Prot::READ | Prot::EXEC),
        mprotect(page(7), 5 * PAGE, Prot::READ),
        Op::Mprotect { address: page(10), length: PAGE, prot },
    ]
}

fn remappings() -> Vec<Op> {
    vec![
        // Shorter and longer.
        mremap(page(0), 12 * PAGE, 5 * PAGE).into(),
        mremap(page(8), 4 * PAGE, 7 * PAGE).into(),
        mremap(page(2), 2 * PAGE, 6 * PAGE).may_move().into(),
        mremap(page(6), 2 * PAGE, 9 * PAGE).may_move().into(),
        // Elsewhere: all, the head, the middle over two page tables, the tail; onto what is there.
        mremap(page(0), 12 * PAGE, 12 * PAGE).fixed(page(20)).into(),
        mremap(page(0), 2 * PAGE, 2 * PAGE).fixed(page(900)).into(),
        mremap(page(4), 4 * PAGE, 4 * PAGE).fixed(page(20)).into(),
        mremap(page(8), 4 * PAGE, 4 * PAGE).fixed(page(1)).into(),
        mremap(page(1), 2 * PAGE, 4 * PAGE).fixed(page(6)).into(),
        mremap(page(5), 6 * PAGE, 2 * PAGE).fixed(page(14)).into(),
        // The old range stays.
        mremap(page(0), 12 * PAGE, 12 * PAGE).fixed(page(20)).keep().into(),
        mremap(page(5), 2 * PAGE, 2 * PAGE).keep().into(),
        // A second time.
        mremap(page(6), 0, 2 * PAGE).may_move().into(),
        mremap(page(8), 0, 2 * PAGE).fixed(page(2)).into(),
    ]
}

fn seals() -> Vec<Op> {
    vec![mseal(page(0), 12 * PAGE), mseal(page(2), 7 * PAGE), mseal(page(5), PAGE)]
}

fn advice() -> Vec<Op> {
    vec![
        madvise(page(0), 12 * PAGE, MADV_DONTNEED),
        madvise(page(0), 12 * PAGE, MADV_REMOVE),
        madvise(page(3), 6 * PAGE, MADV_DONTNEED_LOCKED),
        madvise(page(2), 7 * PAGE, MADV_SEQUENTIAL),
        madvise(page(5), PAGE, MADV_DONTFORK),
        madvise(page(0), 12 * PAGE, MADV_WIPEONFORK),
        madvise(page(0), 6 * PAGE, MADV_POPULATE_READ),
        madvise(page(3), 9 * PAGE, MADV_POPULATE_WRITE),
        madvise(page(2), 8 * PAGE, MADV_GUARD_INSTALL),
        madvise(page(0), 12 * PAGE, MADV_GUARD_REMOVE),
    ]
}

fn locks() -> Vec<Op> {
    vec![
        mlock(page(0), 12 * PAGE),
        mlock(page(2), 7 * PAGE),
        mlock_on_fault(page(5), PAGE),
        munlock(page(3), 6 * PAGE),
        Op::Mlockall { flags: MCL_CURRENT | MCL_FUTURE },
        Op::Munlockall,
    ]
}

fn breaks() -> Vec<Op> {
    [9, 2, 0, 5].map(|pages| brk(HEAP + pages * PAGE)).to_vec()
}

fn touches() -> Vec<Op> {
    vec![
        write(0, page(1)),
        write(1, page(5)),
        write(0, page(6)),
        read(2, page(6)),
        read(0, page(11)),
        execute(1, page(2)),
        write(0, HEAP + 3 * PAGE),
    ]
}

fn forks() -> Vec<Op> {
    vec![Op::Fork]
}
