//! Walks over the VMAs that begin at an address and end before the last.

use core::ops::ControlFlow;

use super::*;

fn world(machine: &Machine) -> World<'_> {
    World::new(machine, Config::default())
}

/// The first `count` VMAs from page `from` on: pages, offset in pages and pages in memory.
fn first(world: &World<'_>, from: u64, count: usize) -> Vec<(u64, u64, u64, u64)> {
    let number = |page: Page| page.number() - BASE / PAGE_SIZE;
    let mut found = Vec::new();
    let end = world.space.survey_vmas_from(Page::containing(address(from)), |view, residence| {
        let info = view.vma;
        let (start, end) = (number(info.range.start()), number(info.range.end()));
        found.push((start, end, info.pgoff - BASE / PAGE_SIZE, residence.pages()));
        if found.len() < count { ControlFlow::Continue(()) } else { ControlFlow::Break(end) }
    });
    // What breaks it off is handed back, and only that.
    assert_eq!(end.break_value(), found.get(count - 1).map(|&(_, end, ..)| end));
    found
}

#[test]
fn a_walk_begins_at_an_address_and_ends_when_it_is_told_to() {
    let machine = Machine::with_frames(64);
    let world = world(&machine);
    (0..8).step_by(2).for_each(|page| world.map(page, page + 1));
    world.write_all(4, 5);
    assert_eq!(first(&world, 0, 2), [(0, 1, 0, 0), (2, 3, 2, 0)]);
    assert_eq!(first(&world, 3, 2), [(4, 5, 4, 1), (6, 7, 6, 0)]);
    assert_eq!(first(&world, 4, 1), [(4, 5, 4, 1)]);
    assert_eq!(first(&world, 5, 9), [(6, 7, 6, 0)]);
    assert_eq!(first(&world, 7, 9), []);
}

#[test]
fn a_walk_that_goes_on_shows_the_rest_of_what_has_grown_over_its_place() {
    let machine = Machine::with_frames(64);
    let world = world(&machine);
    world.map(0, 2);
    world.write_all(0, 2);
    assert_eq!(first(&world, 0, 1), [(0, 2, 0, 2)]);
    world.map(2, 5);
    world.write_all(2, 3);
    assert_eq!(world.vmas().len(), 1, "they have merged");
    assert_eq!(first(&world, 2, 9), [(2, 5, 2, 1)]);
    assert_eq!(first(&world, 0, 9), [(0, 5, 0, 3)]);
}
