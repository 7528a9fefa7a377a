//! The order of the steps, and failures.

use super::*;
use crate::platform::Fallible;
use crate::trace::Step;

/// Three VMAs `0..4`, `4..6` and `8..12`; pages 0..12 present where mapped.
fn three_vmas(world: &World<'_>) {
    world.map(0, 4);
    world.mmap(4, 6, Prot::READ, Flags::PRIVATE).unwrap();
    world.map(8, 12);
    world.write_all(0, 4);
    world.write_all(8, 12);
    world.machine.take_steps();
}

/// Names of the steps of a munmap of `2..10` over [`three_vmas`], and the range of the new VMA at the start split.
fn steps_in(order: MunmapOrder) -> (Vec<&'static str>, PageRange) {
    let machine = Machine::with_frames(64);
    let world = World::in_order(&machine, order);
    three_vmas(&world);
    world.munmap(2, 10).unwrap();
    world.check();
    assert_eq!(world.vmas(), ["0..2 rw-p", "10..12 rw-p"], "{order}");
    let steps = machine.take_steps();
    let new = steps.iter().find_map(|step| if let Step::SplitStart(new) = step { Some(*new) } else { None });
    let names = steps.iter().map(|step| match step {
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
    });
    (names.collect(), new.unwrap())
}

#[test]
fn the_steps_come_in_the_order_of_the_design() {
    for order in MunmapOrder::ALL {
        let back = if order == MunmapOrder::Prepatch { "reset" } else { "walk back" };
        let (steps, _) = steps_in(order);
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
        assert_eq!(steps, expected, "{order}");
    }
}

#[test]
fn only_the_prepatch_order_makes_the_part_that_goes_the_new_vma() {
    for order in MunmapOrder::ALL {
        let new = if order == MunmapOrder::Prepatch { range(2, 4) } else { range(0, 2) };
        assert_eq!(steps_in(order).1, new, "{order}");
    }
}

#[test]
fn the_neighbours_bound_the_tables_in_every_order() {
    for order in MunmapOrder::ALL {
        let machine = Machine::with_frames(64);
        let world = World::in_order(&machine, order);
        three_vmas(&world);
        world.munmap(2, 10).unwrap();
        let neighbours = Step::Neighbours { floor: address(2), ceiling: address(10) };
        assert!(machine.take_steps().contains(&neighbours), "{order}");
        assert!(world.load(1).is_some() && world.load(10).is_some() && world.load(3).is_none());
    }
}

#[test]
fn a_munmap_of_everything_frees_every_frame_and_table() {
    for order in MunmapOrder::ALL {
        let machine = Machine::with_frames(64);
        let world = World::in_order(&machine, order);
        let before = frames_in_use(&machine);
        three_vmas(&world);
        world.munmap(0, 512).unwrap();
        assert_eq!(frames_in_use(&machine), before, "{order}");
        assert_eq!(crate::Platform::vmas(&machine).statistics().in_use, 0);
        world.check();
    }
}

#[test]
fn a_table_that_a_neighbour_uses_stays() {
    for order in MunmapOrder::ALL {
        let machine = Machine::with_frames(64);
        let world = World::in_order(&machine, order);
        // 512 pages to a table: pages 511 and 512 are in different ones.
        world.map(500, 530);
        world.write_all(508, 516);
        let tables = world.space.page_tables();
        world.munmap(505, 512).unwrap();
        assert_eq!(world.space.page_tables(), tables, "{order}: page 500 may still need the table");
        world.munmap(500, 512).unwrap();
        assert_eq!(world.space.page_tables(), tables - 1, "{order}");
        assert!(world.load(512).is_some());
        world.check();
    }
}

#[test]
fn hole_in_one_vma_at_the_map_count_limit_is_enomem() {
    for order in MunmapOrder::ALL {
        let machine = Machine::with_frames(64);
        machine.set_max_map_count(1);
        let world = World::in_order(&machine, order);
        world.map(0, 10);
        assert_eq!(world.munmap(3, 5), Err(MmError::NoMemory));
        assert_eq!(world.vmas(), ["0..10 rw-p"], "untouched (E4)");
        world.munmap(8, 10).unwrap();
        world.munmap(0, 2).unwrap();
        assert_eq!(world.vmas(), ["2..8 rw-p"], "cutting off an end is no hole");
    }
}

#[test]
fn two_boundary_splits_may_pass_the_limit_for_a_moment() {
    for order in MunmapOrder::ALL {
        let machine = Machine::with_frames(64);
        machine.set_max_map_count(3);
        let world = World::in_order(&machine, order);
        three_vmas(&world);
        world.munmap(2, 10).unwrap();
        assert_eq!(world.vmas(), ["0..2 rw-p", "10..12 rw-p"]);
    }
}

#[test]
fn a_failure_at_any_point_leaves_the_same_pages_mapped() {
    for order in MunmapOrder::ALL {
        let machine = Machine::with_frames(64);
        let world = World::in_order(&machine, order);
        let mut failures = 0;
        loop {
            world.munmap(0, 12).unwrap();
            three_vmas(&world);
            let (totals, rights) = (world.space.totals(), rights_by_page(&world));
            machine.admit_only(failures);
            let result = world.munmap(2, 10);
            machine.admit_all();
            world.check();
            if result.is_ok() {
                break;
            }
            let refused = machine.take_refused();
            let errno = match refused[0] {
                Fallible::MmapLock | Fallible::VmaLock => MmError::Interrupted,
                _ => MmError::NoMemory,
            };
            assert_eq!(result, Err(errno), "{order} {refused:?}");
            assert_eq!(rights_by_page(&world), rights, "{order} {refused:?}");
            let now = world.space.totals();
            assert_eq!((now.pages, now.data, now.locked), (totals.pages, totals.data, totals.locked));
            assert!((totals.vmas..=totals.vmas + 2).contains(&now.vmas));
            assert!(world.load(2).is_some() && world.load(9).is_some());
            world.munmap(2, 10).unwrap();
            failures += 1;
        }
        // E1; E7, E8 and E15 for each of two splits; E15 for the one between; E14.
        assert_eq!(failures, 9, "{order}");
    }
}

/// The rights of every page, whatever VMAs they are in.
fn rights_by_page(world: &World<'_>) -> Vec<(u64, crate::vma::VmaFlags)> {
    let mut rights = Vec::new();
    world.space.for_each_vma(|view| {
        rights.extend(view.vma.range.iter().map(|page| (page.number(), view.vma.flags)));
    });
    rights
}

#[test]
fn wrong_ranges_are_refused_and_empty_ones_are_not() {
    let machine = Machine::with_frames(64);
    let world = World::in_order(&machine, MunmapOrder::default());
    for (start, length) in [
        (BASE + 1, 4096),
        (BASE, 0),
        (BASE, u64::MAX),
        (u64::MAX - 4095, 4096),
        (crate::USER_END, 4096),
        (0, crate::USER_END + 1),
    ] {
        assert_eq!(world.space.munmap(start, length), Err(MmError::Invalid), "{start:#x} {length:#x}");
    }
    assert_eq!(world.space.munmap(BASE, 4096), Ok(()), "nothing there is no error (E3)");
    assert_eq!(world.space.munmap(0, crate::USER_END), Ok(()));
}
