//! The sweep: every fallible step of every operation is refused in turn, over a catalogue of address spaces. The
//! operation must fail with the errno of Linux and leave every page as it was (E1, E7-E14, M1); afterwards it must
//! succeed. All sums, contents, locks, frames and tables are compared with the model after both.

use std::collections::BTreeSet;

use abi::Errno;
use abi::mman::{Map, Prot};
use mm::platform::Fallible;
use mm::space::MunmapOrder;
use sim::Attempt;
use sim::op::{Op, PAGE, brk, image, mmap, mprotect, munmap, read, write};
use sim::setup::Setup;
use sim::world::{Answer, World};

const BASE: u64 = 0x1000_0000;
const HEAP: u64 = 0x4000_0000;

/// Memory enough for every shape and operation here; less of it makes the sweep quicker.
const FRAMES: u32 = 128;

fn page(number: u64) -> u64 {
    BASE + number * PAGE
}

fn map_and_write(world: &mut World<'_>, first: u64, pages: u64) {
    world.apply(mmap(pages * PAGE).fixed(page(first)));
    for number in first..first + pages {
        world.apply(write(number as u32 % 2, page(number)));
    }
}

/// Makes an address space.
type Shape = fn(&mut World<'_>);

/// Address spaces that differ in what lies in pages 0 to 12 from [`BASE`] on.
const SHAPES: &[(&str, Shape)] = &[
    ("nothing", |_| {}),
    ("one area, untouched", |world| {
        world.apply(mmap(12 * PAGE).fixed(page(0)));
    }),
    ("one area, written", |world| map_and_write(world, 0, 12)),
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
    ("a stack", |world| {
        world.apply(mmap(4 * PAGE).fixed(page(8)).with(Map::GROWSDOWN));
        world.apply(write(0, page(9)));
    }),
    ("twelve areas of a page", |world| {
        for number in 0..12 {
            let prot = if number % 2 == 0 { Prot::READ_WRITE } else { Prot::READ };
            world.apply(mmap(PAGE).fixed(page(number)).prot(prot));
            world.apply(read(0, page(number)));
        }
    }),
    ("a heap", |world| {
        world.apply(brk(HEAP + 4 * PAGE));
        world.apply(write(0, HEAP + PAGE));
        map_and_write(world, 2, 8);
    }),
];

/// Operations on these address spaces.
fn operations() -> Vec<Op> {
    vec![
        munmap(page(0), 12 * PAGE),
        munmap(page(2), 7 * PAGE),
        munmap(page(0), 5 * PAGE),
        munmap(page(5), 20 * PAGE),
        munmap(page(5), PAGE),
        mmap(PAGE).into(),
        mmap(2 * PAGE).shared().into(),
        mmap(7 * PAGE).fixed(page(2)).into(),
        mmap(12 * PAGE).fixed(page(0)).prot(Prot::READ).into(),
        mmap(4 * PAGE).fixed(page(12)).with(Map::POPULATE).into(),
        mmap(2 * PAGE).fixed(page(5)).shared().with(Map::LOCKED).into(),
        image(page(3) / PAGE, 4, Prot::READ_WRITE, 7),
        mprotect(page(0), 12 * PAGE, Prot::READ),
        mprotect(page(2), 7 * PAGE, Prot::NONE),
        mprotect(page(5), PAGE, Prot::READ_WRITE | Prot::EXEC),
        brk(HEAP + 9 * PAGE),
        brk(HEAP + 2 * PAGE),
        brk(HEAP),
        write(0, page(1)),
        write(1, page(5)),
        read(2, page(6)),
        read(0, page(11)),
    ]
}

/// Refuses step after step of `op` on `shape` until there are no more. Notes which steps were refused.
fn sweep(order: MunmapOrder, shape: Shape, op: Op, refused: &mut BTreeSet<String>) -> Result<(), String> {
    for step in 0.. {
        let mut done = false;
        World::run(Setup::new(order).frames(FRAMES), |world| {
            shape(world);
            match world.attempt(op, step) {
                Attempt::Completed(_) => done = true,
                Attempt::Refused(_) => {
                    refused.insert(format!("{:?}", world.machine().points()[step]));
                    // Once memory is there again, it works.
                    world.apply(op);
                }
            }
        })
        .map_err(|failure| format!("{op}, step {step}: {failure}"))?;
        if done {
            return Ok(());
        }
    }
    Ok(())
}

fn every_refused_step_leaves_everything_as_it_was(order: MunmapOrder) {
    let mut refused = BTreeSet::new();
    for (name, shape) in SHAPES {
        for op in operations() {
            if let Err(failure) = sweep(order, *shape, op, &mut refused) {
                panic!("in {order} order, {name}: {failure}");
            }
        }
    }
    let points = [
        Fallible::DataFrame,
        Fallible::TableFrame,
        Fallible::Vma,
        Fallible::TreeNodes,
        Fallible::MmapLock,
        Fallible::VmaLock,
    ];
    let expected: BTreeSet<_> = points.iter().map(|point| format!("{point:?}")).collect();
    assert_eq!(refused, expected, "the sweep must reach every kind of fallible step");
}

#[test]
fn every_refused_step_leaves_everything_as_it_was_in_prepatch_order() {
    every_refused_step_leaves_everything_as_it_was(MunmapOrder::Prepatch);
}

#[test]
fn every_refused_step_leaves_everything_as_it_was_in_reordered_order() {
    every_refused_step_leaves_everything_as_it_was(MunmapOrder::Reordered);
}

#[test]
fn every_refused_step_leaves_everything_as_it_was_in_vms_order() {
    every_refused_step_leaves_everything_as_it_was(MunmapOrder::Vms);
}

#[test]
fn every_refused_step_leaves_everything_as_it_was_in_adaptive_order() {
    every_refused_step_leaves_everything_as_it_was(MunmapOrder::Adaptive);
}

#[test]
fn a_munmap_that_fails_says_so_whatever_step_fails() {
    for order in MunmapOrder::ALL {
        let mut steps = 0;
        for step in 0.. {
            let (mut answer, mut point) = (None, None);
            let result = World::run(Setup::new(order), |world| {
                map_and_write(world, 0, 12);
                world.apply(mprotect(page(4), 4 * PAGE, Prot::READ));
                answer = Some(world.attempt(munmap(page(2), 8 * PAGE), step));
                point = world.machine().points().get(step).copied();
            });
            assert_eq!(result, Ok(()), "{order}, step {step}");
            match answer {
                Some(Attempt::Refused(Answer::Failed(errno))) => {
                    let expected = match point {
                        Some(Fallible::MmapLock | Fallible::VmaLock) => Errno::EINTR,
                        _ => Errno::ENOMEM,
                    };
                    assert_eq!(errno, expected, "{order}, step {step}: {point:?}");
                    steps += 1;
                }
                Some(Attempt::Completed(Answer::Returned(0))) => break,
                other => panic!("{order}, step {step}: {other:?}"),
            }
        }
        // The mmap lock, two splits with a VMA, tree nodes and a VMA lock each, the VMA between, and the clear.
        assert_eq!(steps, 9, "{order}");
    }
}
