//! mseal: what is sealed stays as it is, whoever asks (E5, E12, M1).

use abi::Errno;
use abi::mman::{Map, Prot};
use mm::platform::Fallible;
use mm::range::USER_END;
use sim::model::Fault;
use sim::op::{Op, PAGE, brk, mmap, mprotect, mseal, munmap, read, write};
use sim::scenario::{BASE, areas, map_and_write, page};
use sim::world::{Answer, World};
use sim::{Attempt, in_every_order, in_every_order_with};

const HEAP: u64 = 0x4000_0000;
const DONE: Answer = Answer::Returned(0);
const REFUSED: Answer = Answer::Failed(Errno::EPERM);

/// Twelve pages; those from 4 to 7 are sealed.
fn sealed_in_the_middle(world: &mut World<'_>) {
    map_and_write(world, 0, 12);
    assert_eq!(world.apply(mseal(page(4), 4 * PAGE)), DONE);
    assert_eq!(areas(world), [(0, 4), (4, 8), (8, 12)]);
}

#[test]
fn sealing_splits_at_both_ends_and_merges_with_what_is_sealed() {
    in_every_order(|world| {
        sealed_in_the_middle(world);
        assert_eq!(world.apply(mseal(page(2), 2 * PAGE)), DONE);
        assert_eq!(areas(world), [(0, 2), (2, 8), (8, 12)]);
        // What is sealed already is no obstacle.
        assert_eq!(world.apply(mseal(page(0), 12 * PAGE)), DONE);
        assert_eq!(areas(world), [(0, 12)]);
    });
}

#[test]
fn sealed_memory_is_used_as_any_other() {
    in_every_order(|world| {
        sealed_in_the_middle(world);
        assert!(matches!(world.apply(write(0, page(5))), Answer::Word(_)));
        assert!(matches!(world.apply(read(1, page(5))), Answer::Word(word) if word != 0));
        // A stack grows, sealed or not.
        world.apply(mmap(4 * PAGE).fixed(page(600)).with(Map::GROWSDOWN));
        world.apply(mseal(page(600), 4 * PAGE));
        assert!(matches!(world.apply(write(0, page(598))), Answer::Word(_)));
    });
}

#[test]
fn munmap_inside_of_a_sealed_area_leaves_it_untouched() {
    in_every_order(|world| {
        sealed_in_the_middle(world);
        for (first, pages) in [(4, 4), (4, 1), (5, 1), (5, 3), (5, 7)] {
            assert_eq!(world.apply(munmap(page(first), pages * PAGE)), REFUSED);
            // Checked before the split (E5).
            assert_eq!(areas(world), [(0, 4), (4, 8), (8, 12)]);
        }
    });
}

#[test]
fn a_sealed_area_later_in_the_range_keeps_all_mapped_and_a_split_may_stay() {
    in_every_order(|world| {
        sealed_in_the_middle(world);
        // The start is split before the seal is met (E12).
        assert_eq!(world.apply(munmap(page(2), 10 * PAGE)), REFUSED);
        assert_eq!(areas(world), [(0, 2), (2, 4), (4, 8), (8, 12)]);
        assert!((0..12).all(|number| matches!(world.apply(write(0, page(number))), Answer::Word(_))));
        assert_eq!(world.apply(munmap(page(2), 2 * PAGE)), DONE);
        assert_eq!(areas(world), [(0, 2), (4, 8), (8, 12)]);
    });
}

#[test]
fn the_limit_of_areas_is_met_before_the_seal() {
    in_every_order_with(
        |setup| setup.max_map_count(3),
        |world| {
            sealed_in_the_middle(world);
            assert_eq!(world.apply(munmap(page(5), PAGE)), Answer::Failed(Errno::ENOMEM));
            assert_eq!(world.apply(munmap(page(5), 3 * PAGE)), REFUSED);
        },
    );
}

#[test]
fn a_fixed_mapping_does_not_replace_what_is_sealed() {
    in_every_order(|world| {
        sealed_in_the_middle(world);
        assert_eq!(world.apply(mmap(PAGE).fixed(page(5))), REFUSED);
        assert_eq!(areas(world), [(0, 4), (4, 8), (8, 12)]);
        assert_eq!(world.apply(mmap(6 * PAGE).fixed(page(3))), REFUSED);
        assert_eq!(areas(world), [(0, 3), (3, 4), (4, 8), (8, 12)]);
        assert_eq!(world.apply(mmap(PAGE).fixed(page(3)).prot(Prot::READ)), Answer::Returned(page(3)));
    });
}

#[test]
fn mprotect_changes_what_lies_before_the_sealed_area_and_no_more() {
    in_every_order(|world| {
        sealed_in_the_middle(world);
        assert_eq!(world.apply(mprotect(page(0), 12 * PAGE, Prot::READ)), REFUSED);
        assert_eq!(world.apply(write(0, page(3))), Answer::Killed(Fault::Denied));
        for number in 4..12 {
            assert!(matches!(world.apply(write(1, page(number))), Answer::Word(_)));
        }
        // Not even to what they are.
        assert_eq!(world.apply(mprotect(page(4), PAGE, Prot::READ_WRITE)), REFUSED);
    });
}

#[test]
fn a_sealed_heap_does_not_shrink_and_grows_beside() {
    in_every_order(|world| {
        world.apply(brk(HEAP + 4 * PAGE));
        world.apply(mseal(HEAP, 4 * PAGE));
        assert_eq!(world.apply(brk(HEAP + 2 * PAGE)), Answer::Returned(HEAP + 4 * PAGE));
        assert_eq!(world.apply(brk(HEAP + 6 * PAGE)), Answer::Returned(HEAP + 6 * PAGE));
        assert_eq!(world.apply(brk(HEAP + 4 * PAGE)), Answer::Returned(HEAP + 4 * PAGE));
        assert_eq!(world.areas().len(), 1);
    });
}

#[test]
fn wild_arguments_get_their_errno_and_change_nothing() {
    in_every_order(|world| {
        map_and_write(world, 0, 2);
        map_and_write(world, 4, 2);
        let flagged = |flags| Op::Mseal { address: page(0), length: PAGE, flags };
        let (invalid, no_memory) = (Answer::Failed(Errno::EINVAL), Answer::Failed(Errno::ENOMEM));
        for (op, answer) in [
            (flagged(1), invalid),
            (flagged(1 << 63), invalid),
            (mseal(page(0) + 1, PAGE), invalid),
            (mseal(page(0), u64::MAX), invalid),
            (mseal(page(0), u64::MAX - page(0) + 1), invalid),
            (mseal(page(0), u64::MAX - page(1) + 1), no_memory),
            (mseal(page(0), 0), DONE),
            (mseal(page(2), 0), DONE),
            (mseal(page(0), 3 * PAGE), no_memory),
            (mseal(page(0), 6 * PAGE), no_memory),
            (mseal(page(3), 2 * PAGE), no_memory),
            (mseal(page(4), 2 * PAGE + 1), no_memory),
            (mseal(USER_END, PAGE), no_memory),
            (mseal(0, USER_END), no_memory),
        ] {
            assert_eq!(world.apply(op), answer, "{op}");
        }
        assert_eq!(areas(world), [(0, 2), (4, 6)]);
        assert_eq!(world.apply(munmap(page(0), 6 * PAGE)), DONE);
    });
}

#[test]
fn a_split_at_map_count_limit_is_enomem_and_what_was_sealed_before_stays_so() {
    in_every_order_with(
        |setup| setup.max_map_count(3),
        |world| {
            map_and_write(world, 0, 6);
            world.apply(mprotect(page(2), 4 * PAGE, Prot::READ));
            world.apply(mmap(PAGE).fixed(page(9)));
            assert_eq!(world.apply(mseal(page(0), 5 * PAGE)), Answer::Failed(Errno::ENOMEM));
            assert_eq!(world.apply(munmap(page(0), 2 * PAGE)), REFUSED);
            assert_eq!(world.apply(munmap(page(2), 4 * PAGE)), DONE);
        },
    );
}

#[test]
fn the_end_of_the_address_space_takes_sealed_memory_too() {
    // What is left after a run would be found: frames, tables, VMAs.
    in_every_order(|world| {
        sealed_in_the_middle(world);
        world.apply(mseal(page(0), 12 * PAGE));
    });
}

#[test]
fn locked_pages_that_cannot_be_faulted_in_do_not_hide_that_the_next_vma_is_sealed() {
    in_every_order(|world| {
        world.apply(mmap(5 * PAGE).fixed(BASE).prot(Prot::READ).with(Map::LOCKED));
        world.apply(mseal(BASE + 2 * PAGE, PAGE));
        // Step 0 is the mmap lock, step 1 a frame for a page that becomes writable.
        let answer = world.attempt(mprotect(BASE, 3 * PAGE, Prot::READ_WRITE), 1);
        assert_eq!(answer, Attempt::Refused(REFUSED));
        assert_eq!(world.machine().points()[1], Fallible::DataFrame);
    });
}
