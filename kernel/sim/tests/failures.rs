//! The failure sweep ([`sim::sweep`]) in every order of munmap.

use abi::Errno;
use abi::mman::{MADV_GUARD_INSTALL, MADV_POPULATE_WRITE, Map, Prot};
use mm::HugePages;
use mm::platform::Fallible;
use mm::space::MunmapOrder;
use sim::op::{PAGE, madvise, mmap, mprotect, munmap, write};
use sim::setup::Setup;
use sim::sweep::{HUGE_SHAPES, SHAPES, map_and_write, operations, page, sweep_all};
use sim::world::{Answer, World};
use sim::{Attempt, figure};

/// Fewest refused points in each of the four orders, so that the catalogue does not shrink unnoticed.
const FEWEST: usize = 5000 / MunmapOrder::ALL.len();

fn every_refused_step_leaves_everything_as_it_was(order: MunmapOrder) {
    let refused = sweep_all(Setup::new(order)).unwrap_or_else(|failure| panic!("{failure}"));
    let total: usize = refused.values().sum();
    figure(format_args!(
        "failure sweep, {order} order: {total} points refused in {} operations on {} address spaces",
        operations().len(),
        SHAPES.len() + HUGE_SHAPES.len()
    ));
    for point in [
        Fallible::DataFrame,
        Fallible::HugeBlock,
        Fallible::TableFrame,
        Fallible::ObjectNode,
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

#[test]
fn guards_for_which_there_is_no_table_may_have_freed_frames_first() {
    let base = |page: u64| (2 << 20) + page * PAGE;
    let setup = Setup::new(MunmapOrder::default()).huge_pages(HugePages::Always).frames(5 * 512);
    let result = World::run(setup, |world| {
        // A huge leaf, then enough small ones that no frame is left.
        world.apply(mmap(1028 * PAGE).fixed(base(0)));
        world.apply(write(0, base(0)));
        world.apply(mmap(511 * PAGE).fixed(base(1 << 16)).with(Map::POPULATE));
        world.apply(mmap(511 * PAGE).fixed(base(2 << 16)).with(Map::POPULATE));
        world.apply(mmap(511 * PAGE).fixed(base(3 << 16)).with(Map::POPULATE));
        world.apply(mmap(511 * PAGE).fixed(base(4 << 16)));
        world.apply(madvise(base(4 << 16), 511 * PAGE, MADV_POPULATE_WRITE));
        assert_eq!(world.machine().free_frames(), 0);
        let guards = world.apply(madvise(base(0), 1024 * PAGE, MADV_GUARD_INSTALL));
        assert_eq!(guards, Answer::Failed(Errno::ENOMEM));
        assert_eq!(
            (world.machine().free_frames(), world.machine().allocated(mm::frame::FrameKind::Huge)),
            (512, 0)
        );
    });
    result.unwrap_or_else(|failure| panic!("{failure}"));
}
