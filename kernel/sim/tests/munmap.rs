//! munmap: every shape of a range against every shape of what is mapped, in every order.

use abi::Errno;
use abi::mman::{Map, Prot};
use mm::range::USER_END;
use sim::model::Fault;
use sim::op::{PAGE, mmap, mprotect, munmap, read, write};
use sim::scenario::{areas, map_and_write, page};
use sim::world::{Answer, World};
use sim::{in_every_order, in_every_order_with};

const DONE: Answer = Answer::Returned(0);
const GONE: Answer = Answer::Killed(Fault::Unmapped);
/// Spans of a page table, a page directory and a pointer table, in pages.
const SPANS: [u64; 3] = [1 << 9, 1 << 18, 1 << 27];

/// Three areas of four pages with different rights, next to each other from page 0 on, all written to.
fn three_areas(world: &mut World<'_>) {
    map_and_write(world, 0, 12);
    world.apply(mprotect(page(4), 4 * PAGE, Prot::READ));
    assert_eq!(areas(world), [(0, 4), (4, 8), (8, 12)]);
}

#[test]
fn unmapping_where_nothing_is_mapped_is_no_error() {
    in_every_order(|world| {
        assert_eq!(world.apply(munmap(page(0), PAGE)), DONE);
        map_and_write(world, 4, 2);
        assert_eq!(world.apply(munmap(page(0), 4 * PAGE)), DONE);
        assert_eq!(world.apply(munmap(page(6), 100 * PAGE)), DONE);
        assert_eq!(areas(world), [(4, 6)]);
    });
}

#[test]
fn unmapping_a_whole_area_leaves_nothing_of_it() {
    in_every_order(|world| {
        map_and_write(world, 0, 4);
        assert_eq!(world.apply(munmap(page(0), 4 * PAGE)), DONE);
        assert_eq!(areas(world), []);
        for number in 0..4 {
            assert_eq!(world.apply(read(number % 3, page(u64::from(number)))), GONE);
        }
        assert_eq!(world.space().page_tables(), 1);
    });
}

#[test]
fn unmapping_the_head_leaves_the_tail() {
    in_every_order(|world| {
        map_and_write(world, 0, 8);
        assert_eq!(world.apply(munmap(page(0), 3 * PAGE)), DONE);
        assert_eq!(areas(world), [(3, 8)]);
        assert_eq!(world.apply(read(1, page(2))), GONE);
        assert!(matches!(world.apply(read(0, page(3))), Answer::Word(word) if word != 0));
    });
}

#[test]
fn unmapping_the_tail_leaves_the_head() {
    in_every_order(|world| {
        map_and_write(world, 0, 8);
        assert_eq!(world.apply(munmap(page(5), 3 * PAGE)), DONE);
        assert_eq!(areas(world), [(0, 5)]);
        assert!(matches!(world.apply(read(1, page(4))), Answer::Word(word) if word != 0));
        assert_eq!(world.apply(read(0, page(5))), GONE);
    });
}

#[test]
fn unmapping_the_middle_leaves_both_ends() {
    in_every_order(|world| {
        map_and_write(world, 0, 8);
        assert_eq!(world.apply(munmap(page(3), 2 * PAGE)), DONE);
        assert_eq!(areas(world), [(0, 3), (5, 8)]);
        for (number, gone) in [(2, false), (3, true), (4, true), (5, false)] {
            assert_eq!(world.apply(read(0, page(number))) == GONE, gone);
        }
    });
}

#[test]
fn unmapping_from_inside_the_first_to_inside_the_last_of_many_areas() {
    in_every_order(|world| {
        three_areas(world);
        assert_eq!(world.apply(munmap(page(2), 8 * PAGE)), DONE);
        assert_eq!(areas(world), [(0, 2), (10, 12)]);
    });
}

#[test]
fn unmapping_exactly_the_middle_one_of_many_areas() {
    in_every_order(|world| {
        three_areas(world);
        assert_eq!(world.apply(munmap(page(4), 4 * PAGE)), DONE);
        assert_eq!(areas(world), [(0, 4), (8, 12)]);
    });
}

#[test]
fn unmapping_all_areas_and_the_space_around_them() {
    in_every_order(|world| {
        three_areas(world);
        assert_eq!(world.apply(munmap(page(0) - 50 * PAGE, 100 * PAGE)), DONE);
        assert_eq!(areas(world), []);
        assert_eq!(world.space().page_tables(), 1);
    });
}

#[test]
fn unmapping_across_holes_takes_what_there_is() {
    in_every_order(|world| {
        for first in [0, 6, 12, 18] {
            map_and_write(world, first, 3);
        }
        // From the hole below the second to inside the last.
        assert_eq!(world.apply(munmap(page(4), 15 * PAGE)), DONE);
        assert_eq!(areas(world), [(0, 3), (19, 21)]);
        // From inside the first to the hole above it.
        assert_eq!(world.apply(munmap(page(1), 10 * PAGE)), DONE);
        assert_eq!(areas(world), [(0, 1), (19, 21)]);
    });
}

#[test]
fn every_range_over_two_areas_with_a_hole_between() {
    // |0 1 2| 3 4 |5 6 7|: all 28 starts and ends around them.
    for start in 0..8 {
        for end in start + 1..=8 {
            in_every_order(|world| {
                map_and_write(world, 0, 3);
                map_and_write(world, 5, 3);
                assert_eq!(world.apply(munmap(page(start), (end - start) * PAGE)), DONE);
                for number in [0, 1, 2, 5, 6, 7] {
                    let gone = (start..end).contains(&number);
                    assert_eq!(world.apply(read(number as u32 % 3, page(number))) == GONE, gone);
                }
            });
        }
    }
}

#[test]
fn hundreds_of_areas_go_in_one_call() {
    in_every_order(|world| {
        for number in 0..200 {
            world.apply(mmap(PAGE).fixed(page(2 * number)));
        }
        world.apply(write(0, page(100)));
        assert_eq!(world.apply(munmap(page(1), 397 * PAGE)), DONE);
        assert_eq!(areas(world), [(0, 1), (398, 399)]);
        assert_eq!(world.apply(munmap(page(0), 400 * PAGE)), DONE);
    });
}

#[test]
fn more_pages_than_a_gather_holds_are_flushed_before_they_are_freed() {
    in_every_order(|world| {
        world.apply(mmap(700 * PAGE).fixed(page(0)).with(Map::POPULATE));
        for number in (0..700).step_by(11) {
            world.apply(write(number as u32 % 3, page(number)));
        }
        assert_eq!(world.apply(munmap(page(0), 700 * PAGE)), DONE);
        assert_eq!(world.space().page_tables(), 1);
    });
}

#[test]
fn a_second_munmap_of_the_same_range_finds_nothing() {
    in_every_order(|world| {
        map_and_write(world, 0, 4);
        assert_eq!(world.apply(munmap(page(1), 2 * PAGE)), DONE);
        assert_eq!(world.apply(munmap(page(1), 2 * PAGE)), DONE);
        assert_eq!(areas(world), [(0, 1), (3, 4)]);
    });
}

#[test]
fn what_is_mapped_again_after_munmap_reads_as_zero() {
    in_every_order(|world| {
        map_and_write(world, 0, 4);
        world.apply(munmap(page(0), 4 * PAGE));
        world.apply(mmap(4 * PAGE).fixed(page(0)));
        for number in 0..4 {
            assert_eq!(world.apply(read(number % 3, page(u64::from(number)))), Answer::Word(0));
        }
    });
}

#[test]
fn the_length_is_rounded_up_to_pages() {
    in_every_order(|world| {
        map_and_write(world, 0, 4);
        assert_eq!(world.apply(munmap(page(1), PAGE + 1)), DONE);
        assert_eq!(areas(world), [(0, 1), (3, 4)]);
        assert_eq!(world.apply(munmap(page(3), 1)), DONE);
        assert_eq!(areas(world), [(0, 1)]);
    });
}

#[test]
fn wild_arguments_are_einval_and_change_nothing() {
    in_every_order(|world| {
        map_and_write(world, 0, 4);
        let wild = [
            (page(0) + 1, PAGE),
            (page(0), 0),
            (page(0), u64::MAX),
            (page(0), USER_END - page(0) + 1),
            (USER_END + PAGE, PAGE),
            (USER_END, PAGE),
            (u64::MAX, 1),
            (!(PAGE - 1), PAGE),
            (1 << 63, PAGE),
        ];
        for (address, length) in wild {
            assert_eq!(world.apply(munmap(address, length)), Answer::Failed(Errno::EINVAL));
        }
        assert_eq!(areas(world), [(0, 4)]);
    });
}

#[test]
fn the_last_page_of_the_user_half_and_the_first_that_can_be_mapped_can_be_unmapped() {
    in_every_order(|world| {
        for address in [USER_END - PAGE, 65536] {
            world.apply(mmap(PAGE).fixed(address));
            world.apply(write(0, address));
            assert_eq!(world.apply(munmap(address, PAGE)), DONE);
            assert_eq!(world.apply(read(0, address)), GONE);
        }
        map_and_write(world, 0, 1);
        assert_eq!(world.apply(munmap(0, USER_END)), DONE);
        assert_eq!(world.areas(), []);
    });
}

#[test]
fn hole_in_one_vma_at_map_count_limit_is_enomem() {
    in_every_order_with(
        |setup| setup.max_map_count(1),
        |world| {
            map_and_write(world, 0, 4);
            assert_eq!(world.apply(munmap(page(1), 2 * PAGE)), Answer::Failed(Errno::ENOMEM));
            assert_eq!(areas(world), [(0, 4)]);
            // Head and tail make no area more.
            assert_eq!(world.apply(munmap(page(0), PAGE)), DONE);
            assert_eq!(world.apply(munmap(page(3), PAGE)), DONE);
            assert_eq!(areas(world), [(1, 3)]);
        },
    );
}

#[test]
fn two_areas_may_be_split_at_map_count_limit() {
    in_every_order_with(
        |setup| setup.max_map_count(3),
        |world| {
            three_areas(world);
            assert_eq!(world.apply(munmap(page(2), 4 * PAGE)), DONE);
            assert_eq!(areas(world), [(0, 2), (6, 8), (8, 12)]);
        },
    );
}

#[test]
fn a_page_table_stays_for_the_neighbour_below() {
    for span in SPANS {
        in_every_order(|world| {
            let border = span * 4;
            let at = |number: u64| (border + number) * PAGE;
            for number in [0, 4] {
                world.apply(mmap(2 * PAGE).fixed(at(number)));
                world.apply(write(0, at(number)));
            }
            let tables = world.space().page_tables();
            assert_eq!(world.apply(munmap(at(4), 2 * PAGE)), DONE);
            assert_eq!(world.space().page_tables(), tables);
            assert!(matches!(world.apply(read(1, at(0))), Answer::Word(word) if word != 0));
        });
    }
}

#[test]
fn a_page_table_stays_for_the_neighbour_above() {
    for span in SPANS {
        in_every_order(|world| {
            let end = span * 4;
            let at = |number: u64| (end - 8 + number) * PAGE;
            for number in [0, 4] {
                world.apply(mmap(2 * PAGE).fixed(at(number)));
                world.apply(write(0, at(number)));
            }
            let tables = world.space().page_tables();
            assert_eq!(world.apply(munmap(at(0), 2 * PAGE)), DONE);
            assert_eq!(world.space().page_tables(), tables);
            assert!(matches!(world.apply(read(1, at(4))), Answer::Word(word) if word != 0));
        });
    }
}

#[test]
fn neighbours_on_both_sides_of_a_table_border_keep_their_tables() {
    for span in SPANS {
        in_every_order(|world| {
            let border = span * 4;
            let at = |number: u64| (border - 6 + number) * PAGE;
            world.apply(mmap(12 * PAGE).fixed(at(0)));
            for number in 0..12 {
                world.apply(write(number % 2, at(u64::from(number))));
            }
            let tables = world.space().page_tables();
            // The range crosses the border; both tables are used by what is left.
            assert_eq!(world.apply(munmap(at(2), 8 * PAGE)), DONE);
            assert_eq!(world.space().page_tables(), tables);
            // Now only the upper side is used, now nothing.
            assert_eq!(world.apply(munmap(at(0), 2 * PAGE)), DONE);
            assert!(world.space().page_tables() < tables);
            assert!(matches!(world.apply(read(2, at(10))), Answer::Word(word) if word != 0));
            assert_eq!(world.apply(munmap(at(10), 2 * PAGE)), DONE);
            assert_eq!(world.space().page_tables(), 1);
        });
    }
}

#[test]
fn an_untouched_neighbour_in_the_same_table_counts_too() {
    in_every_order(|world| {
        map_and_write(world, 0, 2);
        world.apply(mmap(2 * PAGE).fixed(page(4)));
        let tables = world.space().page_tables();
        assert_eq!(world.apply(munmap(page(0), 2 * PAGE)), DONE);
        // The table could go, but its span belongs to the neighbour: Linux lets it stay, and so do we.
        assert_eq!(world.space().page_tables(), tables);
        assert_eq!(world.apply(munmap(page(4), 2 * PAGE)), DONE);
        assert_eq!(world.space().page_tables(), 1);
    });
}

#[test]
fn areas_that_were_never_touched_have_no_tables_to_free() {
    in_every_order_with(
        |setup| setup.samples(0),
        |world| {
            world.apply(mmap(PAGE << 20).fixed(page(0)));
            assert_eq!(world.space().page_tables(), 1);
            assert_eq!(world.apply(munmap(page(5), PAGE << 19)), DONE);
            assert_eq!(world.space().page_tables(), 1);
        },
    );
}

#[test]
fn a_stale_translation_on_another_cpu_is_gone() {
    in_every_order(|world| {
        world.apply(mmap(2 * PAGE).fixed(page(0)));
        world.apply(write(0, page(0)));
        for _ in 0..10 {
            for cpu in 0..3 {
                world.apply(read(cpu, page(0)));
            }
        }
        assert_eq!(world.apply(munmap(page(0), PAGE)), DONE);
        for cpu in 0..3 {
            assert_eq!(world.apply(read(cpu, page(0))), GONE);
        }
    });
}

#[test]
fn locked_pages_are_taken_off_the_lock_count() {
    in_every_order(|world| {
        world.apply(mmap(8 * PAGE).fixed(page(0)).with(Map::LOCKED));
        assert_eq!(world.space().totals().locked, 8);
        world.apply(munmap(page(2), 3 * PAGE));
        assert_eq!(world.space().totals().locked, 5);
    });
}
