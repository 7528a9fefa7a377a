//! mmap: placement, replacement, limits, and when neighbours merge.

use abi::Errno;
use abi::mman::{Map, Prot};
use mm::range::USER_END;
use sim::op::{Mmap, PAGE, brk, mmap, mprotect, munmap, read, write};
use sim::scenario::{areas, page};
use sim::world::Answer;
use sim::{in_every_order, in_every_order_with};

const DONE: Answer = Answer::Returned(0);
/// Where the search from above begins: 128 MiB below the end of the user half.
const MMAP_BASE: u64 = USER_END - (128 << 20);

#[test]
fn mappings_are_placed_from_the_mmap_base_down() {
    in_every_order(|world| {
        assert_eq!(world.apply(mmap(2 * PAGE)), Answer::Returned(MMAP_BASE - 2 * PAGE));
        assert_eq!(world.apply(mmap(PAGE).shared()), Answer::Returned(MMAP_BASE - 3 * PAGE));
        // The hole is the highest that is large enough for one page, not for two.
        world.apply(munmap(MMAP_BASE - 2 * PAGE, PAGE));
        assert_eq!(world.apply(mmap(2 * PAGE)), Answer::Returned(MMAP_BASE - 5 * PAGE));
        assert_eq!(world.apply(mmap(PAGE)), Answer::Returned(MMAP_BASE - 2 * PAGE));
    });
}

#[test]
fn a_free_hint_is_taken_and_a_taken_one_is_not() {
    in_every_order(|world| {
        assert_eq!(world.apply(mmap(PAGE).hint(page(0) + 123)), Answer::Returned(page(0)));
        assert_eq!(world.apply(mmap(2 * PAGE).hint(page(0) - PAGE)), Answer::Returned(MMAP_BASE - 2 * PAGE));
        // Too low a hint is raised to the lowest address.
        assert_eq!(world.apply(mmap(PAGE).hint(PAGE)), Answer::Returned(65536));
        // A hint that does not fit below the end is none.
        assert_eq!(world.apply(mmap(2 * PAGE).hint(USER_END - PAGE)), Answer::Returned(MMAP_BASE - 4 * PAGE));
        assert_eq!(world.apply(mmap(PAGE).hint(u64::MAX)), Answer::Returned(MMAP_BASE - 5 * PAGE));
    });
}

#[test]
fn nothing_is_placed_in_the_guard_gap_of_a_stack() {
    in_every_order(|world| {
        world.apply(mmap(PAGE).fixed(MMAP_BASE - PAGE).with(Map::GROWSDOWN));
        let below_gap = MMAP_BASE - PAGE - 256 * PAGE;
        assert_eq!(world.apply(mmap(PAGE)), Answer::Returned(below_gap - PAGE));
        assert_eq!(
            world.apply(mmap(PAGE).hint(MMAP_BASE - 10 * PAGE)),
            Answer::Returned(below_gap - 2 * PAGE)
        );
        // Fixed is fixed.
        let fixed = MMAP_BASE - 2 * PAGE;
        assert_eq!(world.apply(mmap(PAGE).fixed(fixed)), Answer::Returned(fixed));
    });
}

#[test]
fn when_nothing_is_free_below_the_base_the_search_goes_up() {
    in_every_order(|world| {
        world.apply(mmap(MMAP_BASE - 65536).fixed(65536).prot(Prot::NONE));
        assert_eq!(world.apply(mmap(4 * PAGE)), Answer::Returned(MMAP_BASE));
        assert_eq!(world.apply(mmap(USER_END - MMAP_BASE)), Answer::Failed(Errno::ENOMEM));
    });
}

#[test]
fn fixed_replaces_what_is_there_and_contents_with_it() {
    in_every_order(|world| {
        world.apply(mmap(6 * PAGE).fixed(page(0)));
        for number in 0..6 {
            world.apply(write(0, page(number)));
        }
        assert_eq!(world.apply(mmap(2 * PAGE).fixed(page(2)).prot(Prot::READ)), Answer::Returned(page(2)));
        assert_eq!(areas(world), [(0, 2), (2, 4), (4, 6)]);
        assert_eq!(world.apply(read(1, page(2))), Answer::Word(0));
        assert_ne!(world.apply(read(1, page(1))), Answer::Word(0));
    });
}

#[test]
fn noreplace_refuses_what_is_taken() {
    in_every_order(|world| {
        world.apply(mmap(2 * PAGE).fixed(page(2)));
        let exact = |first, pages| mmap(pages * PAGE).hint(page(first)).with(Map::FIXED_NOREPLACE);
        assert_eq!(world.apply(exact(0, 3)), Answer::Failed(Errno::EEXIST));
        assert_eq!(world.apply(exact(3, 1)), Answer::Failed(Errno::EEXIST));
        assert_eq!(world.apply(exact(0, 2)), Answer::Returned(page(0)));
        assert_eq!(world.apply(exact(4, 1)), Answer::Returned(page(4)));
    });
}

#[test]
fn wild_arguments_get_their_errno_and_change_nothing() {
    in_every_order(|world| {
        world.apply(mmap(2 * PAGE).fixed(page(0)));
        let anonymous = Map::ANONYMOUS;
        let wild = |address, length, flags: Map| Mmap {
            address,
            length,
            prot: 3,
            flags: (flags | anonymous).bits(),
        };
        let fixed = Map::PRIVATE | Map::FIXED;
        for (request, errno) in [
            (wild(0, 0, Map::PRIVATE), Errno::EINVAL),
            (wild(0, u64::MAX, Map::PRIVATE), Errno::ENOMEM),
            (wild(0, USER_END + 1, Map::PRIVATE), Errno::ENOMEM),
            (wild(page(1), USER_END - PAGE, fixed), Errno::ENOMEM),
            (wild(page(1) + 1, PAGE, fixed), Errno::EINVAL),
            (wild(0, PAGE, fixed), Errno::EPERM),
            (wild(65536 - PAGE, PAGE, fixed), Errno::EPERM),
            (wild(USER_END, PAGE, fixed), Errno::ENOMEM),
            (wild(u64::MAX - PAGE + 1, PAGE, fixed), Errno::ENOMEM),
            (wild(page(1), PAGE, Map::FIXED), Errno::EINVAL),
            (wild(0, PAGE, Map::SHARED_VALIDATE), Errno::EINVAL),
            (wild(0, PAGE, Map::SHARED | Map::GROWSDOWN), Errno::EINVAL),
            (wild(0, PAGE, Map::empty()), Errno::EINVAL),
        ] {
            assert_eq!(
                world.apply(request),
                Answer::Failed(errno),
                "{request:?}",
                request = sim::op::Op::from(request)
            );
        }
        assert_eq!(areas(world), [(0, 2)]);
    });
}

#[test]
fn the_address_space_limit_counts_what_is_replaced() {
    in_every_order_with(
        |setup| setup.address_space(8 * PAGE),
        |world| {
            world.apply(mmap(6 * PAGE).fixed(page(0)));
            assert_eq!(world.apply(mmap(3 * PAGE)), Answer::Failed(Errno::ENOMEM));
            assert_eq!(world.apply(mmap(7 * PAGE).fixed(page(1))), Answer::Returned(page(1)));
            assert_eq!(world.apply(mmap(PAGE)), Answer::Failed(Errno::ENOMEM));
            assert_eq!(areas(world), [(0, 8)]);
        },
    );
}

#[test]
fn the_data_limit_concerns_private_writable_memory_only() {
    in_every_order_with(
        |setup| setup.data(4 * PAGE),
        |world| {
            world.apply(mmap(4 * PAGE).fixed(page(0)));
            assert_eq!(world.apply(mmap(PAGE).fixed(page(4))), Answer::Failed(Errno::ENOMEM));
            assert_eq!(world.apply(mmap(PAGE).fixed(page(4)).prot(Prot::READ)), Answer::Returned(page(4)));
            assert_eq!(world.apply(mmap(PAGE).fixed(page(5)).shared()), Answer::Returned(page(5)));
            // Replacing counts as nothing new.
            assert_eq!(world.apply(mmap(4 * PAGE).fixed(page(0))), Answer::Returned(page(0)));
            assert_eq!(world.apply(mprotect(page(4), PAGE, Prot::READ_WRITE)), Answer::Failed(Errno::ENOMEM));
        },
    );
}

#[test]
fn more_areas_than_the_limit_are_enomem() {
    in_every_order_with(
        |setup| setup.max_map_count(3),
        |world| {
            // One more than the limit: the comparison is `>` here (M3).
            for number in 0..4 {
                assert_eq!(
                    world.apply(mmap(PAGE).fixed(page(2 * number))),
                    Answer::Returned(page(2 * number))
                );
            }
            assert_eq!(world.apply(mmap(PAGE).fixed(page(8))), Answer::Failed(Errno::ENOMEM));
        },
    );
}

#[test]
fn the_lock_limit_is_eagain_and_none_at_all_eperm() {
    in_every_order_with(
        |setup| setup.memlock(4 * PAGE),
        |world| {
            world.apply(mmap(3 * PAGE).fixed(page(0)).with(Map::LOCKED));
            assert_eq!(world.apply(mmap(2 * PAGE).with(Map::LOCKED)), Answer::Failed(Errno::EAGAIN));
        },
    );
    in_every_order_with(
        |setup| setup.memlock(0),
        |world| assert_eq!(world.apply(mmap(PAGE).with(Map::LOCKED)), Answer::Failed(Errno::EPERM)),
    );
}

#[test]
fn equal_neighbours_merge_on_both_sides() {
    in_every_order(|world| {
        world.apply(mmap(2 * PAGE).fixed(page(0)));
        world.apply(mmap(2 * PAGE).fixed(page(4)));
        assert_eq!(areas(world), [(0, 2), (4, 6)]);
        world.apply(mmap(PAGE).fixed(page(2)));
        assert_eq!(areas(world), [(0, 3), (4, 6)]);
        world.apply(mmap(PAGE).fixed(page(3)));
        assert_eq!(areas(world), [(0, 6)]);
    });
}

#[test]
fn unequal_neighbours_do_not_merge() {
    in_every_order(|world| {
        world.apply(mmap(PAGE).fixed(page(0)));
        world.apply(mmap(PAGE).fixed(page(1)).prot(Prot::READ));
        world.apply(mmap(PAGE).fixed(page(2)).shared());
        world.apply(mmap(PAGE).fixed(page(3)).shared());
        world.apply(mmap(PAGE).fixed(page(4)).with(Map::NORESERVE));
        world.apply(mmap(PAGE).fixed(page(5)).with(Map::LOCKED));
        world.apply(mmap(PAGE).fixed(page(6)).with(Map::GROWSDOWN));
        assert_eq!(areas(world).len(), 7);
    });
}

#[test]
fn areas_that_were_written_apart_do_not_merge_with_each_other() {
    in_every_order(|world| {
        world.apply(mmap(PAGE).fixed(page(0)));
        world.apply(mmap(PAGE).fixed(page(2)));
        world.apply(write(0, page(0)));
        world.apply(write(0, page(2)));
        // The one between can join either, the left one is asked first; then the two disagree.
        world.apply(mmap(PAGE).fixed(page(1)));
        assert_eq!(areas(world), [(0, 2), (2, 3)]);
    });
}

#[test]
fn a_neighbour_that_was_never_written_takes_part_in_a_merge() {
    in_every_order(|world| {
        world.apply(mmap(PAGE).fixed(page(0)));
        world.apply(mmap(PAGE).fixed(page(2)));
        world.apply(write(0, page(2)));
        world.apply(read(0, page(0)));
        world.apply(mmap(PAGE).fixed(page(1)));
        assert_eq!(areas(world), [(0, 3)]);
    });
}

#[test]
fn populated_memory_is_there_at_once() {
    in_every_order_with(
        |setup| setup.samples(0),
        |world| {
            world.apply(mmap(4 * PAGE).fixed(page(0)).with(Map::POPULATE));
            assert_eq!(world.space().page_tables(), 4);
            assert_eq!(world.machine().allocated(mm::frame::FrameKind::Anonymous), 4);
            world.apply(mmap(4 * PAGE).fixed(page(4)).with(Map::LOCKED).shared());
            assert_eq!(world.machine().allocated(mm::frame::FrameKind::Shared), 4);
            world.apply(mmap(4 * PAGE).fixed(page(8)).with(Map::POPULATE).prot(Prot::READ));
            world.apply(mmap(4 * PAGE).fixed(page(12)).with(Map::POPULATE | Map::NONBLOCK));
            assert_eq!(world.machine().allocated(mm::frame::FrameKind::Anonymous), 4);
        },
    );
}

#[test]
fn a_mapping_over_a_table_border_and_the_heap_beside_it() {
    in_every_order(|world| {
        world.apply(brk(0x4000_0000 + 3 * PAGE));
        world.apply(mmap(4 * PAGE).fixed(0x4000_0000 - 2 * PAGE));
        world.apply(write(0, 0x4000_0000 - PAGE));
        world.apply(write(1, 0x4000_0000 + 2 * PAGE));
        assert_eq!(world.apply(munmap(0x4000_0000 - PAGE, 2 * PAGE)), DONE);
    });
}
