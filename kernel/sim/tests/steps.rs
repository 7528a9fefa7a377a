//! The steps of a munmap, in the order of each order, and what other CPUs do between them once the mmap lock is
//! downgraded: neighbours fault pages into tables that the munmap is about to look at, and the range is gone for good.

use abi::mman::Prot;
use mm::space::MunmapOrder;
use mm::trace::Step;
use sim::in_every_order;
use sim::model::{Fault, Touch};
use sim::op::{PAGE, mmap, mprotect, munmap, read, write};
use sim::scenario::page;
use sim::setup::Setup;
use sim::world::{Answer, World};

const GONE: Answer = Answer::Killed(Fault::Unmapped);

/// The steps after the downgrade, one by one.
const STEPS: [fn(&Step) -> bool; 6] = [
    |step| matches!(step, Step::Downgrade),
    |step| matches!(step, Step::Neighbours { .. }),
    |step| matches!(step, Step::Unmap { .. }),
    |step| matches!(step, Step::FreeTables { .. }),
    |step| matches!(step, Step::Flush { .. }),
    |step| matches!(step, Step::Free { .. }),
];

/// Three areas of two pages, at pages 0, 4 and 8; only the middle one is touched.
fn three_areas(world: &mut World<'_>) {
    for first in [0, 4, 8] {
        world.apply(mmap(2 * PAGE).fixed(page(first)));
    }
    for cpu in 0..2 {
        world.apply(write(cpu, page(4)));
        world.apply(write(cpu, page(5)));
    }
}

#[test]
fn faults_of_neighbours_between_the_steps_find_their_tables() {
    for at in STEPS {
        in_every_order(|world| {
            three_areas(world);
            let op = munmap(page(4), 2 * PAGE);
            let reads = [(1, page(0), Touch::Read), (1, page(9), Touch::Read), (2, page(1), Touch::Execute)];
            let answers = world.apply_around(op, at, &reads);
            let denied = Answer::Killed(Fault::Denied);
            assert_eq!(answers, [Answer::Word(0), Answer::Word(0), denied]);
            world.check(op);
            assert_eq!(world.apply(read(0, page(4))), GONE);
        });
    }
}

#[test]
fn a_fault_in_the_range_after_the_downgrade_maps_nothing() {
    for at in STEPS {
        in_every_order(|world| {
            three_areas(world);
            // The last CPU has never seen the pages, so no TLB of it can know them.
            let op = munmap(page(4), 2 * PAGE);
            let others = [(2, page(4), Touch::Write), (2, page(5), Touch::Read)];
            for answer in world.apply_around(op, at, &others) {
                // Until the pages are unmapped a walk may still find them, as on any machine.
                assert!(answer == GONE || matches!(answer, Answer::Word(_)), "{answer:?}");
            }
            world.check(op);
        });
    }
}

#[test]
fn a_fault_in_the_range_after_the_flush_is_maperr_on_every_cpu() {
    in_every_order(|world| {
        three_areas(world);
        let op = munmap(page(4), 2 * PAGE);
        let others = [0, 1, 2].map(|cpu| (cpu, page(4), Touch::Write));
        let answers = world.apply_around(op, |step| matches!(step, Step::Flush { .. }), &others);
        assert_eq!(answers, [GONE; 3]);
        world.check(op);
    });
}

/// The names of the steps that a munmap reports.
fn steps_of(order: MunmapOrder) -> Vec<&'static str> {
    let mut names = Vec::new();
    let result = World::run(Setup::new(order), |world| {
        world.apply(mmap(12 * PAGE).fixed(page(0)));
        for number in 0..12 {
            world.apply(write(0, page(number)));
        }
        world.apply(mprotect(page(4), 4 * PAGE, Prot::READ));
        world.apply(munmap(page(2), 8 * PAGE));
        names = world.machine().steps().iter().map(name).collect();
    });
    assert_eq!(result, Ok(()));
    names
}

fn name(step: &Step) -> &'static str {
    match step {
        Step::Begin(_) => "begin",
        Step::SplitStart(_) => "split start",
        Step::SplitEnd(_) => "split end",
        Step::Gather(_) => "gather",
        Step::WalkBack { .. } => "walk back",
        Step::Reset => "reset",
        Step::Clear { .. } => "clear",
        Step::Downgrade => "downgrade",
        Step::Neighbours { .. } => "neighbours",
        Step::Unmap { .. } => "unmap",
        Step::FreeTables { .. } => "free tables",
        Step::Flush { .. } => "flush",
        Step::Free { .. } => "free",
        Step::Relocate { .. } => "relocate",
    }
}

#[test]
fn the_steps_come_in_the_order_of_the_design() {
    for order in MunmapOrder::ALL {
        let back = if order == MunmapOrder::Prepatch { "reset" } else { "walk back" };
        let expected = [
            "begin",
            "split start",
            "gather",
            "gather",
            "split end",
            "gather",
            back,
            "clear",
            "downgrade",
            "neighbours",
            "unmap",
            "free tables",
            "flush",
            "free",
        ];
        assert_eq!(steps_of(order), expected, "{order}");
    }
}

#[test]
fn the_start_split_makes_the_half_new_that_the_order_says() {
    for order in MunmapOrder::ALL {
        let result = World::run(Setup::new(order), |world| {
            world.apply(mmap(8 * PAGE).fixed(page(0)));
            world.apply(munmap(page(2), 6 * PAGE));
            let new = world.machine().steps().iter().find_map(|step| match step {
                Step::SplitStart(range) => Some(range.start().address()),
                _ => None,
            });
            let expected = if order == MunmapOrder::Prepatch { page(2) } else { page(0) };
            assert_eq!(new, Some(expected));
        });
        assert_eq!(result, Ok(()), "{order}");
    }
}
