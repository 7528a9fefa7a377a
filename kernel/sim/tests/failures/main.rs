//! The sweep: every fallible step of every operation is refused in turn, over a catalogue of address spaces. The
//! operation must fail with the errno of Linux and leave every page as it was (E1, E7-E14, M1); afterwards it must
//! succeed. All sums, contents, locks, frames and tables are compared with the model after both.

mod catalogue;

use std::collections::BTreeMap;

use abi::Errno;
use abi::mman::Prot;
use mm::platform::Fallible;
use mm::space::MunmapOrder;
use sim::op::{Op, PAGE, mprotect, munmap};
use sim::setup::Setup;
use sim::world::{Answer, World};
use sim::{Attempt, figure};

use catalogue::{SHAPES, Shape, map_and_write, operations, page};

/// Memory enough for every shape and operation here; less of it makes the sweep quicker.
const FRAMES: u32 = 128;

/// Fewest refused points in each of the four orders, so that the catalogue does not shrink unnoticed.
const FEWEST: usize = 5000 / MunmapOrder::ALL.len();

/// How often a kind of fallible point was refused, by its name.
type Refused = BTreeMap<String, usize>;

/// Refuses step after step of `op` on `shape` until there are no more, and counts them.
fn sweep(order: MunmapOrder, shape: Shape, op: Op, refused: &mut Refused) -> Result<(), String> {
    for step in 0.. {
        let mut done = false;
        World::run(Setup::new(order).frames(FRAMES), |world| {
            shape(world);
            match world.attempt(op, step) {
                Attempt::Completed(_) => done = true,
                Attempt::Refused(_) => {
                    *refused.entry(format!("{:?}", world.machine().points()[step])).or_default() += 1;
                    // Once memory is there again, it works, or fails as it would have.
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
    let (mut refused, operations) = (Refused::new(), operations());
    for (name, shape) in SHAPES {
        for op in &operations {
            if let Err(failure) = sweep(order, *shape, *op, &mut refused) {
                panic!("in {order} order, {name}: {failure}");
            }
        }
    }
    let total: usize = refused.values().sum();
    figure(format_args!(
        "failure sweep, {order} order: {total} points refused in {} operations on {} address spaces",
        operations.len(),
        SHAPES.len()
    ));
    for point in [
        Fallible::DataFrame,
        Fallible::TableFrame,
        Fallible::Vma,
        Fallible::TreeNodes,
        Fallible::MmapLock,
        Fallible::VmaLock,
    ] {
        assert!(refused.contains_key(&format!("{point:?}")), "{point:?} is never refused: {refused:?}");
    }
    assert!(total >= FEWEST, "{total} points: {refused:?}");
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
