//! brk, and stacks that grow.

use abi::mman::{Map, Prot};
use mm::range::USER_END;
use sim::model::Fault;
use sim::op::{PAGE, brk, mmap, mprotect, munmap, read, write};
use sim::world::Answer;
use sim::{in_every_order, in_every_order_with};

/// Where the heap begins.
const HEAP: u64 = 0x4000_0000;
/// End of a stack.
const TOP: u64 = 0x7000_0000;
const GONE: Answer = Answer::Killed(Fault::Unmapped);
const DENIED: Answer = Answer::Killed(Fault::Denied);

/// The word was loaded or stored.
fn is_word(answer: Answer) -> bool {
    matches!(answer, Answer::Word(_))
}

#[test]
fn the_heap_grows_and_shrinks_by_bytes_and_has_whole_pages() {
    in_every_order(|world| {
        assert_eq!(world.apply(brk(0)), Answer::Returned(HEAP));
        assert_eq!(world.apply(brk(HEAP + 1)), Answer::Returned(HEAP + 1));
        assert!(is_word(world.apply(write(0, HEAP + PAGE - 8))));
        assert_eq!(world.apply(write(0, HEAP + PAGE)), GONE);
        assert_eq!(world.apply(brk(HEAP + 3 * PAGE + 5)), Answer::Returned(HEAP + 3 * PAGE + 5));
        assert_eq!(world.areas(), [(HEAP / PAGE, HEAP / PAGE + 4)]);
        assert!(is_word(world.apply(write(1, HEAP + 3 * PAGE))));
        assert_eq!(world.apply(brk(HEAP + 2 * PAGE)), Answer::Returned(HEAP + 2 * PAGE));
        assert_eq!(world.apply(read(1, HEAP + 3 * PAGE)), GONE);
        assert_eq!(world.apply(brk(HEAP)), Answer::Returned(HEAP));
        assert_eq!(world.areas(), []);
    });
}

#[test]
fn heap_that_was_given_back_is_zero_when_it_returns() {
    in_every_order(|world| {
        world.apply(brk(HEAP + 2 * PAGE));
        world.apply(write(0, HEAP + PAGE));
        world.apply(brk(HEAP + PAGE));
        world.apply(brk(HEAP + 2 * PAGE));
        assert_eq!(world.apply(read(1, HEAP + PAGE)), Answer::Word(0));
    });
}

#[test]
fn a_break_below_the_heap_or_beyond_everything_changes_nothing() {
    in_every_order(|world| {
        world.apply(brk(HEAP + PAGE));
        for wild in [HEAP - 1, 1, USER_END + 1, u64::MAX, u64::MAX - PAGE, 1 << 63] {
            assert_eq!(world.apply(brk(wild)), Answer::Returned(HEAP + PAGE), "{wild:#x}");
        }
    });
}

#[test]
fn a_page_stays_free_between_the_heap_and_what_follows() {
    in_every_order(|world| {
        world.apply(mmap(PAGE).fixed(HEAP + 4 * PAGE).prot(Prot::NONE));
        assert_eq!(world.apply(brk(HEAP + 4 * PAGE)), Answer::Returned(HEAP));
        assert_eq!(world.apply(brk(HEAP + 3 * PAGE)), Answer::Returned(HEAP + 3 * PAGE));
    });
}

#[test]
fn the_heap_keeps_away_from_a_stack() {
    in_every_order(|world| {
        world.apply(mmap(PAGE).fixed(HEAP + 300 * PAGE).with(Map::GROWSDOWN));
        assert_eq!(world.apply(brk(HEAP + 44 * PAGE)), Answer::Returned(HEAP));
        assert_eq!(world.apply(brk(HEAP + 43 * PAGE)), Answer::Returned(HEAP + 43 * PAGE));
    });
}

#[test]
fn the_heap_goes_on_as_one_area_after_a_write() {
    in_every_order(|world| {
        world.apply(brk(HEAP + PAGE));
        world.apply(write(0, HEAP));
        world.apply(brk(HEAP + 5 * PAGE));
        assert_eq!(world.areas(), [(HEAP / PAGE, HEAP / PAGE + 5)]);
    });
}

#[test]
fn what_lies_below_the_start_of_the_heap_is_not_joined() {
    in_every_order(|world| {
        world.apply(mmap(2 * PAGE).fixed(HEAP - 2 * PAGE));
        world.apply(brk(HEAP + PAGE));
        assert_eq!(world.areas().len(), 2);
    });
}

#[test]
fn a_heap_with_a_hole_can_be_given_back() {
    in_every_order(|world| {
        world.apply(brk(HEAP + 6 * PAGE));
        for number in 0..6 {
            world.apply(write(0, HEAP + number * PAGE));
        }
        world.apply(munmap(HEAP + 2 * PAGE, 2 * PAGE));
        assert_eq!(world.apply(brk(HEAP + PAGE)), Answer::Returned(HEAP + PAGE));
        assert_eq!(world.areas(), [(HEAP / PAGE, HEAP / PAGE + 1)]);
        // Of what the program has unmapped itself there is nothing to give back.
        world.apply(munmap(HEAP, PAGE));
        assert_eq!(world.apply(brk(HEAP)), Answer::Returned(HEAP + PAGE));
    });
}

#[test]
fn the_data_limit_bounds_the_heap() {
    in_every_order_with(
        |setup| setup.data(4 * PAGE),
        |world| {
            assert_eq!(world.apply(brk(HEAP + 4 * PAGE + 1)), Answer::Returned(HEAP));
            assert_eq!(world.apply(brk(HEAP + 4 * PAGE)), Answer::Returned(HEAP + 4 * PAGE));
        },
    );
}

#[test]
fn a_stack_grows_to_the_page_that_is_touched() {
    in_every_order(|world| {
        world.apply(mmap(2 * PAGE).fixed(TOP - 2 * PAGE).with(Map::GROWSDOWN));
        assert!(is_word(world.apply(write(0, TOP - 5 * PAGE))));
        assert_eq!(world.areas(), [(TOP / PAGE - 5, TOP / PAGE)]);
        assert_eq!(world.apply(read(1, TOP - 9 * PAGE)), Answer::Word(0));
        assert_eq!(world.areas(), [(TOP / PAGE - 9, TOP / PAGE)]);
        assert_eq!(world.space().totals().stack, 9);
    });
}

#[test]
fn a_stack_does_not_grow_beyond_its_limit() {
    in_every_order_with(
        |setup| setup.stack(8 * PAGE),
        |world| {
            world.apply(mmap(2 * PAGE).fixed(TOP - 2 * PAGE).with(Map::GROWSDOWN));
            assert!(is_word(world.apply(write(0, TOP - 8 * PAGE))));
            assert_eq!(world.apply(write(0, TOP - 8 * PAGE - 8)), GONE);
            assert_eq!(world.areas(), [(TOP / PAGE - 8, TOP / PAGE)]);
        },
    );
}

#[test]
fn a_stack_keeps_its_guard_gap_to_what_lies_below() {
    in_every_order(|world| {
        world.apply(mmap(PAGE).fixed(TOP - 400 * PAGE));
        world.apply(mmap(PAGE).fixed(TOP - PAGE).with(Map::GROWSDOWN));
        let lowest = TOP - 399 * PAGE + 256 * PAGE;
        assert!(is_word(world.apply(write(0, lowest))));
        assert_eq!(world.apply(write(0, lowest - 8)), GONE);
        // Memory that nobody can touch needs no gap.
        world.apply(mprotect(TOP - 400 * PAGE, PAGE, Prot::NONE));
        assert!(is_word(world.apply(write(0, lowest - 8))));
        assert!(is_word(world.apply(write(0, TOP - 399 * PAGE))));
        assert_eq!(world.apply(write(0, TOP - 400 * PAGE)), DENIED);
    });
}

#[test]
fn a_stack_does_not_grow_below_the_lowest_address() {
    in_every_order(|world| {
        world.apply(mmap(PAGE).fixed(65536 + 2 * PAGE).with(Map::GROWSDOWN));
        assert!(is_word(world.apply(write(0, 65536))));
        assert_eq!(world.apply(write(0, 65536 - 8)), GONE);
    });
}

#[test]
fn the_rest_of_a_stack_grows_after_a_munmap_of_its_lower_part() {
    in_every_order(|world| {
        world.apply(mmap(8 * PAGE).fixed(TOP - 8 * PAGE).with(Map::GROWSDOWN | Map::POPULATE));
        world.apply(munmap(TOP - 8 * PAGE, 4 * PAGE));
        assert_eq!(world.apply(read(0, TOP - 6 * PAGE)), Answer::Word(0));
        assert_eq!(world.areas(), [(TOP / PAGE - 6, TOP / PAGE)]);
        // The hole in the middle: the upper part grows over it down to the lower part.
        world.apply(munmap(TOP - 4 * PAGE, PAGE));
        assert_eq!(world.apply(read(0, TOP - 4 * PAGE)), Answer::Word(0));
        assert_eq!(world.areas(), [(TOP / PAGE - 6, TOP / PAGE - 4), (TOP / PAGE - 4, TOP / PAGE)]);
    });
}

#[test]
fn a_protected_stack_does_not_grow_writable() {
    in_every_order(|world| {
        world.apply(mmap(2 * PAGE).fixed(TOP - 2 * PAGE).with(Map::GROWSDOWN).prot(Prot::READ));
        assert_eq!(world.apply(write(0, TOP - 4 * PAGE)), DENIED);
    });
}

#[test]
fn a_stack_that_grew_has_an_identity_before_the_first_write() {
    in_every_order(|world| {
        world.apply(mmap(2 * PAGE).fixed(TOP - 2 * PAGE).with(Map::GROWSDOWN));
        assert_eq!(world.apply(read(0, TOP - 4 * PAGE)), Answer::Word(0));
        // So it does not merge with one that was written to apart.
        world.apply(mmap(2 * PAGE).fixed(TOP - 8 * PAGE).with(Map::GROWSDOWN | Map::POPULATE));
        world.apply(mmap(2 * PAGE).fixed(TOP - 6 * PAGE).with(Map::GROWSDOWN));
        assert_eq!(world.areas(), [(TOP / PAGE - 8, TOP / PAGE - 4), (TOP / PAGE - 4, TOP / PAGE)]);
    });
}
