//! `vm.max_map_count` below, at and above the number of areas, for every operation in every order. Linux compares in two
//! ways: a new area is refused when there are more than the limit (M3), a split when there are as many (E4).

use abi::Errno;
use abi::mman::{Map, Prot};
use sim::in_every_order;
use sim::op::{Op, PAGE, brk, image, mmap, mprotect, munmap, read, write};
use sim::scenario::page;
use sim::world::{Answer, World};

const HEAP: u64 = 0x4000_0000;

/// Pages 0 to 12 as three areas, written to; a stack; a heap with an equal mapping right above, which is one area.
fn begin(world: &mut World<'_>) {
    world.apply(mmap(12 * PAGE).fixed(page(0)));
    world.apply(mprotect(page(4), 4 * PAGE, Prot::READ_WRITE | Prot::EXEC));
    for number in 0..12 {
        world.apply(write(number % 2, page(number.into())));
    }
    world.apply(mmap(2 * PAGE).fixed(page(1000)).with(Map::GROWSDOWN));
    world.apply(brk(HEAP + 4 * PAGE));
    world.apply(mmap(2 * PAGE).fixed(HEAP + 4 * PAGE));
    assert_eq!(world.areas().len(), 5);
}

/// Does `op` with the limit 2 below to 3 above the number of areas. It must succeed exactly if the limit is at least
/// `lowest` above, and after a failure once it is.
#[track_caller]
fn succeeds_from(lowest: i64, op: impl Into<Op>) {
    let op = op.into();
    in_every_order(|world| {
        begin(world);
        for above in -2..=3 {
            let count = world.areas().len() as i64;
            world.set_max_map_count((count + above) as usize);
            let answer = world.apply(op);
            if above >= lowest {
                assert!(is_success(op, answer), "{above} above: {answer:?}");
                return;
            }
            assert!(!is_success(op, answer), "{above} above: {answer:?}");
        }
        panic!("never succeeds");
    });
    for above in -2..=3 {
        in_every_order(|world| {
            begin(world);
            let count = world.areas().len() as i64;
            world.set_max_map_count((count + above) as usize);
            let answer = world.apply(op);
            assert_eq!(is_success(op, answer), above >= lowest, "{above} above: {answer:?}");
            world.set_max_map_count(100);
            let answer = world.apply(op);
            assert!(is_success(op, answer), "with another limit: {answer:?}");
        });
    }
}

/// # Panics
/// If `answer` is a failure for another reason.
fn is_success(op: Op, answer: Answer) -> bool {
    match (op, answer) {
        (Op::Brk { address }, Answer::Returned(end)) => end == address,
        (_, Answer::Returned(_) | Answer::Word(_)) => true,
        (_, Answer::Failed(Errno::ENOMEM)) => false,
        _ => panic!("{op}: {answer:?}"),
    }
}

/// At any limit.
const ALWAYS: i64 = -2;

#[test]
fn a_new_mapping_is_refused_above_the_limit() {
    succeeds_from(0, mmap(PAGE));
    succeeds_from(0, mmap(PAGE).shared());
    succeeds_from(0, mmap(PAGE).fixed(page(20)).prot(Prot::READ));
    succeeds_from(0, mmap(PAGE).fixed(page(20)).with(Map::POPULATE));
    succeeds_from(0, image(page(20) / PAGE, 2, Prot::READ, 0));
}

#[test]
fn a_new_mapping_that_joins_its_neighbour_is_refused_above_the_limit_too() {
    succeeds_from(0, mmap(PAGE).fixed(page(12)));
}

#[test]
fn a_mapping_that_replaces_others_is_refused_above_the_limit() {
    succeeds_from(0, mmap(12 * PAGE).fixed(page(0)).prot(Prot::READ));
    succeeds_from(0, mmap(4 * PAGE).fixed(page(4)));
    // Two splits, but no hole in one area.
    succeeds_from(0, mmap(8 * PAGE).fixed(page(2)).prot(Prot::READ));
    succeeds_from(0, mmap(2 * PAGE).fixed(page(0)).shared());
    succeeds_from(0, image(page(2) / PAGE, 2, Prot::READ, 0));
}

#[test]
fn a_mapping_in_the_middle_of_another_is_refused_at_the_limit() {
    succeeds_from(1, mmap(2 * PAGE).fixed(page(5)).prot(Prot::READ));
    succeeds_from(1, mmap(PAGE).fixed(page(1)).shared());
    succeeds_from(1, image(page(5) / PAGE, 2, Prot::READ, 0));
}

#[test]
fn a_hole_in_one_area_is_refused_at_the_limit() {
    succeeds_from(1, munmap(page(1), 2 * PAGE));
    succeeds_from(1, munmap(page(5), PAGE));
}

#[test]
fn a_munmap_that_makes_no_hole_in_one_area_is_never_refused() {
    succeeds_from(ALWAYS, munmap(page(0), 12 * PAGE));
    succeeds_from(ALWAYS, munmap(page(4), 4 * PAGE));
    succeeds_from(ALWAYS, munmap(page(0), 2 * PAGE));
    succeeds_from(ALWAYS, munmap(page(10), 5 * PAGE));
    succeeds_from(ALWAYS, munmap(page(2), 8 * PAGE));
    succeeds_from(ALWAYS, munmap(page(40), PAGE));
}

#[test]
fn an_mprotect_that_needs_one_split_is_refused_at_the_limit() {
    succeeds_from(1, mprotect(page(0), 2 * PAGE, Prot::READ));
    succeeds_from(1, mprotect(page(10), 2 * PAGE, Prot::READ));
}

#[test]
fn an_mprotect_that_needs_two_splits_is_refused_at_the_limit_and_one_below() {
    for above in [1, 2] {
        in_every_order(|world| {
            begin(world);
            let before = world.areas().len();
            world.set_max_map_count(before + above);
            let answer = world.apply(mprotect(page(5), PAGE, Prot::READ));
            let expected = if above == 2 { Answer::Returned(0) } else { Answer::Failed(Errno::ENOMEM) };
            assert_eq!(answer, expected);
            // The first split stays when the second is refused.
            assert_eq!(world.areas().len(), before + above);
        });
    }
    in_every_order(|world| {
        begin(world);
        world.set_max_map_count(world.areas().len());
        assert_eq!(world.apply(mprotect(page(5), PAGE, Prot::READ)), Answer::Failed(Errno::ENOMEM));
        assert_eq!(world.areas().len(), 5);
    });
}

#[test]
fn an_mprotect_of_whole_areas_or_to_what_the_neighbour_has_is_never_refused() {
    succeeds_from(ALWAYS, mprotect(page(0), 12 * PAGE, Prot::READ));
    succeeds_from(ALWAYS, mprotect(page(4), 4 * PAGE, Prot::READ));
    succeeds_from(ALWAYS, mprotect(page(4), 4 * PAGE, Prot::READ_WRITE));
    succeeds_from(ALWAYS, mprotect(page(4), PAGE, Prot::READ_WRITE));
    succeeds_from(ALWAYS, mprotect(page(0), 4 * PAGE, Prot::READ_WRITE));
}

#[test]
fn more_heap_is_refused_above_the_limit() {
    let bare = |above: i64, grows: bool| {
        in_every_order(|world| {
            begin(world);
            world.apply(munmap(HEAP + 4 * PAGE, 2 * PAGE));
            let count = world.areas().len() as i64;
            world.set_max_map_count((count + above) as usize);
            let end = if grows { HEAP + 6 * PAGE } else { HEAP + 4 * PAGE };
            assert_eq!(world.apply(brk(HEAP + 6 * PAGE)), Answer::Returned(end));
        });
    };
    bare(-1, false);
    bare(0, true);
    bare(1, true);
}

#[test]
fn less_heap_is_refused_only_where_it_makes_a_hole_in_one_area() {
    succeeds_from(1, brk(HEAP + 2 * PAGE));
    succeeds_from(ALWAYS, brk(HEAP));
}

#[test]
fn faults_are_never_refused() {
    succeeds_from(ALWAYS, write(0, page(1)));
    succeeds_from(ALWAYS, read(1, page(5)));
    // The stack grows by ten pages.
    succeeds_from(ALWAYS, write(0, page(990)));
}

#[test]
fn a_limit_of_zero_permits_one_area() {
    in_every_order(|world| {
        world.set_max_map_count(0);
        assert_eq!(world.apply(mmap(4 * PAGE).fixed(page(0))), Answer::Returned(page(0)));
        assert_eq!(world.apply(mmap(PAGE)), Answer::Failed(Errno::ENOMEM));
        assert_eq!(world.apply(munmap(page(1), PAGE)), Answer::Failed(Errno::ENOMEM));
        assert_eq!(world.apply(munmap(page(0), 4 * PAGE)), Answer::Returned(0));
    });
}
