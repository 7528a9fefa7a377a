//! mremap: shorter, longer, elsewhere, twice; with contents, merges, limits and errors as on Linux 6.18.

use abi::Errno;
use abi::mman::{MREMAP_DONTUNMAP, MREMAP_FIXED, MREMAP_MAYMOVE, Map, Prot};
use mm::range::USER_END;
use mm::trace::Step;
use sim::model::Fault;
use sim::op::{Mremap, Op, PAGE, image, mmap, mprotect, mremap, mseal, munmap, read, write};
use sim::scenario::{areas, map_and_write, page, write_all};
use sim::world::{Answer, World};
use sim::{Attempt, in_every_order, in_every_order_with};

/// Pages that a page table spans.
const SPAN: u64 = 512;
const DONE: Answer = Answer::Returned(0);
const GONE: Answer = Answer::Killed(Fault::Unmapped);

fn at(number: u64) -> Answer {
    Answer::Returned(page(number))
}

fn failed(errno: Errno) -> Answer {
    Answer::Failed(errno)
}

/// The words of so many pages, seen on different CPUs.
fn words(world: &mut World<'_>, first: u64, pages: u64) -> Vec<Answer> {
    (first..first + pages).map(|number| world.apply(read(number as u32 % 3, page(number)))).collect()
}

/// mremap of `old` pages from page `first` on, to be `new` pages.
fn resize(first: u64, old: u64, new: u64) -> Mremap {
    mremap(page(first), old * PAGE, new * PAGE)
}

#[test]
fn a_shorter_area_loses_its_tail_and_a_part_in_the_middle_too() {
    in_every_order(|world| {
        map_and_write(world, 0, 8);
        assert_eq!(world.apply(resize(0, 8, 6)), at(0));
        assert_eq!(areas(world), [(0, 6)]);
        assert_eq!(world.apply(resize(1, 3, 1)), at(1));
        assert_eq!(areas(world), [(0, 2), (4, 6)]);
        assert_eq!(world.apply(read(0, page(2))), GONE);
        assert!(matches!(world.apply(read(0, page(4))), Answer::Word(word) if word != 0));
    });
}

#[test]
fn a_shorter_range_may_reach_over_other_areas_and_holes() {
    in_every_order(|world| {
        map_and_write(world, 0, 2);
        map_and_write(world, 3, 2);
        assert_eq!(world.apply(resize(0, 9, 1)), at(0));
        assert_eq!(areas(world), [(0, 1)]);
    });
}

#[test]
fn the_same_length_is_no_change_whatever_the_range() {
    in_every_order(|world| {
        map_and_write(world, 0, 2);
        assert_eq!(world.apply(resize(1, 9, 9).may_move()), at(1));
        assert_eq!(areas(world), [(0, 2)]);
    });
}

#[test]
fn an_area_grows_in_place_and_joins_what_it_reaches() {
    in_every_order(|world| {
        map_and_write(world, 0, 2);
        let before = words(world, 0, 2);
        assert_eq!(world.apply(resize(1, 1, 3)), at(1));
        assert_eq!(areas(world), [(0, 4)]);
        assert_eq!(world.apply(read(0, page(3))), Answer::Word(0));
        world.apply(mmap(2 * PAGE).fixed(page(6)));
        assert_eq!(world.apply(resize(0, 4, 6)), at(0));
        assert_eq!(areas(world), [(0, 8)]);
        assert_eq!(words(world, 0, 2), before);
    });
}

#[test]
fn what_cannot_grow_in_place_moves_if_it_may() {
    in_every_order(|world| {
        map_and_write(world, 0, 4);
        map_and_write(world, 5, 1);
        let before = words(world, 0, 4);
        // Something is in the way; it does not end where the area ends.
        assert_eq!(world.apply(resize(0, 4, 6)), failed(Errno::ENOMEM));
        assert_eq!(world.apply(resize(0, 2, 3)), failed(Errno::ENOMEM));
        let Answer::Returned(new) = world.apply(resize(1, 2, 6).may_move()) else { panic!("refused") };
        assert_eq!(areas(world)[..3], [(0, 1), (3, 4), (5, 6)]);
        assert_eq!(world.apply(read(0, new)), before[1]);
        assert_eq!(world.apply(read(1, new + PAGE)), before[2]);
        assert_eq!(world.apply(read(2, new + 2 * PAGE)), Answer::Word(0));
        assert_eq!(world.apply(read(0, page(1))), GONE);
    });
}

#[test]
fn what_moves_keeps_its_contents_and_is_gone_from_every_tlb() {
    in_every_order(|world| {
        map_and_write(world, 0, 8);
        let before = words(world, 0, 8);
        for (cpu, number) in (0..3).flat_map(|cpu| (0..8).map(move |number| (cpu, number))) {
            world.apply(write(cpu, page(number)));
        }
        let latest = words(world, 0, 8);
        assert_ne!(before, latest);
        // Over a border of page tables.
        assert_eq!(world.apply(resize(0, 8, 8).fixed(page(SPAN - 3))), at(SPAN - 3));
        assert_eq!(areas(world), [(SPAN - 3, SPAN + 5)]);
        assert_eq!(words(world, SPAN - 3, 8), latest);
        for cpu in 0..3 {
            assert_eq!(world.apply(read(cpu, page(5))), GONE);
            assert!(matches!(world.apply(write(cpu, page(SPAN))), Answer::Word(_)));
        }
    });
}

#[test]
fn the_middle_moves_out_and_back_and_the_parts_are_one_again() {
    in_every_order(|world| {
        map_and_write(world, 0, 8);
        let before = words(world, 0, 8);
        assert_eq!(world.apply(resize(3, 2, 2).fixed(page(20))), at(20));
        assert_eq!(areas(world), [(0, 3), (5, 8), (20, 22)]);
        // It has kept its offset, so only its old place is the right one.
        assert_eq!(world.apply(resize(20, 2, 2).fixed(page(8))), at(8));
        assert_eq!(areas(world), [(0, 3), (5, 8), (8, 10)]);
        assert_eq!(world.apply(resize(8, 2, 2).fixed(page(3))), at(3));
        assert_eq!(areas(world), [(0, 8)]);
        assert_eq!(words(world, 0, 8), before);
    });
}

#[test]
fn what_was_never_written_takes_the_offset_of_its_new_place_and_merges_there() {
    in_every_order(|world| {
        world.apply(mmap(4 * PAGE).fixed(page(0)));
        world.apply(read(0, page(1)));
        map_and_write(world, 10, 2);
        assert_eq!(world.apply(resize(0, 2, 2).fixed(page(12))), at(12));
        assert_eq!(areas(world), [(2, 4), (10, 14)]);
        // Even with itself.
        assert_eq!(world.apply(resize(2, 1, 1).fixed(page(4))), at(4));
        assert_eq!(areas(world), [(3, 5), (10, 14)]);
    });
}

#[test]
fn a_fixed_move_replaces_what_is_there() {
    in_every_order(|world| {
        map_and_write(world, 0, 4);
        map_and_write(world, 10, 8);
        world.apply(mprotect(page(12), 2 * PAGE, Prot::READ));
        let before = words(world, 0, 4);
        assert_eq!(world.apply(resize(0, 4, 4).fixed(page(11))), at(11));
        assert_eq!(areas(world), [(10, 11), (11, 15), (15, 18)]);
        assert_eq!(words(world, 11, 4), before);
        // Elsewhere in the same area.
        assert_eq!(world.apply(resize(15, 1, 1).fixed(page(17))), at(17));
        assert_eq!(areas(world), [(10, 11), (11, 15), (16, 17), (17, 18)]);
    });
}

#[test]
fn a_move_may_be_shorter_or_longer_on_the_way() {
    in_every_order(|world| {
        map_and_write(world, 0, 6);
        let before = words(world, 0, 6);
        assert_eq!(world.apply(resize(1, 4, 2).fixed(page(10))), at(10));
        assert_eq!(areas(world), [(0, 1), (5, 6), (10, 12)]);
        assert_eq!(words(world, 10, 2), before[1..3]);
        assert_eq!(world.apply(resize(10, 2, 4).fixed(page(20))), at(20));
        assert_eq!(areas(world), [(0, 1), (5, 6), (20, 24)]);
        assert_eq!(words(world, 20, 4)[..2], before[1..3]);
        assert_eq!(words(world, 22, 2), [Answer::Word(0); 2]);
    });
}

#[test]
fn whole_page_tables_move_and_come_back() {
    in_every_order(|world| {
        let (near, far, pages) = (SPAN - 2, 9 * SPAN - 2, 2 * SPAN + 4);
        // At every border of a page table, and beside it.
        let written = [0, 1, 2, 3, SPAN + 1, SPAN + 2, 2 * SPAN + 1, 2 * SPAN + 2];
        world.apply(mmap(pages * PAGE).fixed(page(near)));
        written.iter().for_each(|offset| write_all(world, near + offset, 1));
        let look = |world: &mut World<'_>, first| written.map(|offset| words(world, first + offset, 1)[0]);
        let before = look(world, near);
        for (from, to) in [(near, far), (far, near)] {
            assert_eq!(world.apply(resize(from, pages, pages).fixed(page(to))), at(to));
            let steps = world.machine().steps();
            let whole = |step: &Step| matches!(step, Step::Relocate { pages: 3, tables: 2, .. });
            assert!(steps.iter().any(whole), "{steps:?}");
            assert_eq!(look(world, from), [GONE; 8]);
            assert_eq!(look(world, to), before);
        }
    });
}

#[test]
fn the_old_range_stays_and_is_empty() {
    in_every_order(|world| {
        map_and_write(world, 0, 4);
        let before = words(world, 0, 4);
        assert_eq!(world.apply(resize(0, 4, 4).fixed(page(10)).keep()), at(10));
        assert_eq!(areas(world), [(0, 4), (10, 14)]);
        assert_eq!(words(world, 0, 4), [Answer::Word(0); 4]);
        assert_eq!(words(world, 10, 4), before);
        // It is as new: it merges with memory that was never written.
        world.apply(mmap(PAGE).fixed(page(4)));
        assert_eq!(areas(world), [(0, 5), (10, 14)]);
        // A hint.
        assert_eq!(world.apply(Mremap { new: page(20), ..resize(11, 1, 1).keep() }), at(20));
        assert_eq!(world.apply(Mremap { new: page(12), ..resize(12, 1, 1).keep() }), failed(Errno::EINVAL));
        assert_eq!(areas(world), [(0, 5), (10, 14), (20, 21)]);
        assert_eq!(words(world, 10, 4)[1], Answer::Word(0));
        assert_eq!(world.apply(read(0, page(20))), before[1]);
    });
}

#[test]
fn an_old_range_that_stays_is_not_locked_any_more() {
    in_every_order(|world| {
        world.apply(mmap(4 * PAGE).fixed(page(0)).with(Map::LOCKED));
        assert_eq!(world.space().totals().locked, 4);
        assert_eq!(world.apply(resize(1, 2, 2).fixed(page(10)).keep()), at(10));
        // All of the area, as on Linux, not only the part that moved.
        assert_eq!(world.space().totals().locked, 2);
    });
}

#[test]
fn locked_memory_that_grows_is_faulted_in() {
    in_every_order(|world| {
        world.apply(mmap(PAGE).fixed(page(0)).with(Map::LOCKED));
        let free = world.machine().free_frames();
        assert_eq!(world.apply(resize(0, 1, 4)), at(0));
        assert_eq!(world.machine().free_frames(), free - 3);
        map_and_write(world, 5, 1);
        let moved = world.apply(resize(0, 4, 6).may_move());
        assert!(matches!(moved, Answer::Returned(_)));
        assert_eq!(world.space().totals().locked, 6);
    });
}

#[test]
fn several_areas_move_with_the_holes_between_them() {
    in_every_order(|world| {
        map_and_write(world, 0, 6);
        world.apply(mprotect(page(2), PAGE, Prot::READ));
        world.apply(munmap(page(4), PAGE));
        map_and_write(world, 23, 3);
        let before = words(world, 1, 3);
        assert_eq!(world.apply(resize(1, 8, 8).fixed(page(21))), at(21));
        // What is where a hole comes to lie stays; its neighbours have other offsets.
        assert_eq!(areas(world), [(0, 1), (21, 22), (22, 23), (23, 24), (24, 25), (25, 26)]);
        assert_eq!(words(world, 21, 3), before);
        assert_eq!(world.apply(resize(2, 8, 8).fixed(page(60))), failed(Errno::EFAULT));
        assert_eq!(world.apply(resize(21, 2, 3).fixed(page(60))), failed(Errno::EFAULT));
    });
}

#[test]
fn shared_memory_is_mapped_a_second_time() {
    in_every_order(|world| {
        world.apply(mmap(4 * PAGE).fixed(page(0)).shared());
        let word = world.apply(write(0, page(1)));
        assert_eq!(world.apply(resize(1, 0, 3).fixed(page(10))), at(10));
        assert_eq!(areas(world), [(0, 4), (10, 13)]);
        assert_eq!(world.apply(read(1, page(10))), word);
        // Also where nobody had been before.
        let word = world.apply(write(2, page(12)));
        assert_eq!(world.apply(read(0, page(3))), word);
        world.apply(munmap(page(0), 4 * PAGE));
        assert_eq!(world.apply(read(0, page(12))), word);
        // The old range of shared memory that moves shows the same object.
        assert_eq!(world.apply(resize(10, 3, 3).fixed(page(20)).keep()), at(20));
        assert_eq!(world.apply(read(0, page(12))), word);
        assert_eq!(world.apply(read(0, page(22))), word);
        assert_eq!(world.apply(resize(20, 1, 1).fixed(page(30))), at(30));
        assert_eq!(world.apply(write(0, page(30))), world.apply(read(1, page(10))));
    });
}

#[test]
fn shared_memory_grows_beyond_its_object_where_accesses_are_sigbus() {
    const BUS: Answer = Answer::Killed(Fault::BeyondEnd);
    in_every_order(|world| {
        world.apply(mmap(2 * PAGE).fixed(page(0)).shared());
        let word = world.apply(write(0, page(0)));
        assert_eq!(world.apply(resize(0, 2, 3)), at(0));
        assert_eq!(world.apply(read(1, page(2))), BUS);
        // Over what was unmapped of the object before, the page is there again.
        let second = world.apply(write(1, page(1)));
        world.apply(munmap(page(1), 2 * PAGE));
        assert_eq!(world.apply(resize(0, 1, 2)), at(0));
        assert_eq!(areas(world), [(0, 2)]);
        assert_eq!(world.apply(read(0, page(1))), second);
        // A duplicate may be longer as well, and what moves may grow.
        assert_eq!(world.apply(resize(0, 0, 3).fixed(page(10))), at(10));
        assert_eq!(world.apply(resize(0, 1, 3).fixed(page(20))), at(20));
        assert_eq!(areas(world), [(1, 2), (10, 13), (20, 23)]);
        for first in [10, 20] {
            assert_eq!(world.apply(read(0, page(first))), word);
            assert_eq!(world.apply(read(0, page(first + 1))), second);
            assert_eq!(world.apply(write(0, page(first + 2))), BUS);
        }
    });
}

#[test]
fn locked_shared_memory_is_faulted_in_up_to_the_end_of_its_object() {
    in_every_order(|world| {
        world.apply(mmap(4 * PAGE).fixed(page(0)).shared().with(Map::LOCKED));
        world.apply(resize(0, 4, 1));
        assert_eq!(world.apply(resize(0, 1, 8)), at(0));
        assert_eq!(world.space().totals().locked, 8);
        assert_eq!(world.apply(read(0, page(4))), Answer::Killed(Fault::BeyondEnd));
    });
}

#[test]
fn a_mapped_file_grows_and_moves_and_shows_what_follows() {
    in_every_order(|world| {
        world.apply(image(page(4) / PAGE, 2, Prot::READ_WRITE, 7));
        let word = world.apply(write(0, page(5)));
        assert_eq!(world.apply(resize(4, 2, 3)), at(4));
        assert_eq!(world.apply(resize(4, 3, 4).fixed(page(10))), at(10));
        assert_eq!(world.apply(read(0, page(11))), word);
    });
}

#[test]
fn a_duplicate_takes_a_part_of_its_own_source_out() {
    in_every_order(|world| {
        world.apply(mmap(8 * PAGE).fixed(page(0)).shared());
        let word = world.apply(write(0, page(1)));
        assert_eq!(world.apply(resize(0, 0, 4).fixed(page(2))), at(2));
        assert_eq!(areas(world), [(0, 2), (2, 6), (6, 8)]);
        assert_eq!(world.apply(read(1, page(3))), word);
        // Nothing is left to be duplicated.
        assert_eq!(world.apply(resize(6, 0, 2).fixed(page(6))), failed(Errno::EFAULT));
        assert_eq!(areas(world), [(0, 2), (2, 6)]);
    });
}

#[test]
fn a_stack_that_has_moved_grows_at_its_new_place() {
    in_every_order(|world| {
        world.apply(mmap(2 * PAGE).fixed(page(0)).with(Map::GROWSDOWN));
        world.apply(write(0, page(1)));
        assert_eq!(world.apply(resize(0, 2, 2).fixed(page(2000))), at(2000));
        assert!(matches!(world.apply(write(1, page(1990))), Answer::Word(_)));
        assert_eq!(areas(world), [(1990, 2002)]);
    });
}

#[test]
fn sealed_memory_neither_moves_nor_is_moved_upon() {
    in_every_order(|world| {
        map_and_write(world, 0, 12);
        world.apply(mseal(page(4), 4 * PAGE));
        for op in [
            resize(4, 1, 1),
            resize(4, 4, 2),
            resize(7, 1, 2).may_move(),
            resize(4, 4, 4).fixed(page(20)),
            resize(0, 12, 2),
            resize(0, 1, 1).fixed(page(5)),
        ] {
            assert_eq!(world.apply(op), failed(Errno::EPERM), "{:?}", Op::from(op));
        }
        // Several areas: those before the sealed one have moved.
        assert_eq!(world.apply(resize(2, 6, 6).fixed(page(20))), failed(Errno::EPERM));
        assert_eq!(world.apply(read(0, page(2))), GONE);
        assert!(matches!(world.apply(read(0, page(21))), Answer::Word(word) if word != 0));
    });
}

#[test]
fn wild_arguments_get_their_errno_and_change_nothing() {
    in_every_order(|world| {
        map_and_write(world, 0, 2);
        map_and_write(world, 3, 1);
        let wild =
            |old, old_length, new_length, flags, new| Mremap { old, old_length, new_length, flags, new };
        let (fixed, keep) = (MREMAP_MAYMOVE | MREMAP_FIXED, MREMAP_MAYMOVE | MREMAP_DONTUNMAP);
        for (op, errno) in [
            (wild(page(0), PAGE, PAGE, 8, 0), Errno::EINVAL),
            (wild(page(0), PAGE, PAGE, 1 << 40, 0), Errno::EINVAL),
            (wild(page(0) + 1, PAGE, PAGE, 0, 0), Errno::EINVAL),
            (wild(page(0), PAGE, 0, 0, 0), Errno::EINVAL),
            (wild(page(0), PAGE, u64::MAX, 0, 0), Errno::EINVAL),
            (wild(page(0), PAGE, USER_END + 1, MREMAP_MAYMOVE, 0), Errno::EINVAL),
            (wild(page(0), PAGE, PAGE, MREMAP_FIXED, page(10)), Errno::EINVAL),
            (wild(page(0), PAGE, PAGE, MREMAP_DONTUNMAP, page(10)), Errno::EINVAL),
            (wild(page(0), PAGE, PAGE, fixed, page(10) + 1), Errno::EINVAL),
            (wild(page(0), PAGE, PAGE, fixed, USER_END), Errno::EINVAL),
            (wild(page(0), PAGE, PAGE, fixed, u64::MAX - PAGE + 1), Errno::EINVAL),
            (wild(page(0), PAGE, 2 * PAGE, keep, 0), Errno::EINVAL),
            (wild(page(0), 2 * PAGE, 2 * PAGE, fixed, page(1)), Errno::EINVAL),
            (wild(page(1), PAGE, 2 * PAGE, fixed, page(0)), Errno::EINVAL),
            (wild(page(0), 0, PAGE, MREMAP_MAYMOVE, 0), Errno::EINVAL),
            (wild(page(0), u64::MAX, PAGE, MREMAP_MAYMOVE, 0), Errno::EINVAL),
            (wild(page(0), 1 << 62, PAGE, 0, 0), Errno::EINVAL),
            (wild(page(2), PAGE, PAGE, 0, 0), Errno::EFAULT),
            (wild(USER_END, PAGE, PAGE, 0, 0), Errno::EFAULT),
            (wild(u64::MAX - PAGE + 1, PAGE, PAGE, 0, 0), Errno::EFAULT),
            (wild(page(2), PAGE, PAGE, fixed, page(10)), Errno::EFAULT),
            (wild(page(2), 2 * PAGE, 2 * PAGE, fixed, page(10)), Errno::EFAULT),
            (wild(page(0), 3 * PAGE, 4 * PAGE, MREMAP_MAYMOVE, 0), Errno::EFAULT),
            (wild(page(0), 2 * PAGE, USER_END, MREMAP_MAYMOVE, 0), Errno::ENOMEM),
        ] {
            assert_eq!(world.apply(op), failed(errno), "{:?}", Op::from(op));
        }
        assert_eq!(areas(world), [(0, 2), (3, 4)]);
        // The target is unmapped before anybody finds that it is too low.
        assert_eq!(world.apply(resize(0, 1, 1).fixed(PAGE)), failed(Errno::EPERM));
        assert_eq!(world.apply(Mremap { new: PAGE, ..resize(0, 1, 1).keep() }), failed(Errno::EPERM));
        assert_eq!(areas(world), [(0, 2), (3, 4)]);
    });
}

#[test]
fn limits_of_memory_hold() {
    in_every_order_with(
        |setup| setup.address_space(8 * PAGE).memlock(4 * PAGE),
        |world| {
            map_and_write(world, 0, 4);
            assert_eq!(world.apply(resize(0, 4, 9)), failed(Errno::ENOMEM));
            assert_eq!(world.apply(resize(0, 4, 9).fixed(page(20))), failed(Errno::ENOMEM));
            assert_eq!(world.apply(resize(0, 4, 4).fixed(page(20)).keep()), at(20));
            assert_eq!(world.apply(resize(20, 4, 4).fixed(page(30)).keep()), failed(Errno::ENOMEM));
            // A move takes no more than there is.
            assert_eq!(world.apply(resize(20, 4, 4).fixed(page(30))), at(30));
            world.apply(munmap(page(0), 40 * PAGE));
            world.apply(mmap(3 * PAGE).fixed(page(0)).with(Map::LOCKED));
            assert_eq!(world.apply(resize(0, 3, 5)), failed(Errno::EAGAIN));
            assert_eq!(world.apply(resize(0, 3, 4)), at(0));
        },
    );
}

#[test]
fn near_the_limit_of_areas_a_move_is_refused_before_anything_happens() {
    // M4: a fixed move needs six less than the limit, one that finds its place four less.
    for (limit, fixed, anywhere) in [(8, true, true), (7, false, true), (6, false, true), (5, false, false)] {
        in_every_order_with(
            |setup| setup.max_map_count(limit),
            |world| {
                map_and_write(world, 0, 4);
                map_and_write(world, 5, 1);
                let answer = world.apply(resize(1, 1, 1).fixed(page(5)));
                assert_eq!(answer == at(5), fixed, "{answer:?} at a limit of {limit}");
                if !fixed {
                    assert_eq!(answer, failed(Errno::ENOMEM));
                    assert_eq!(areas(world), [(0, 4), (5, 6)]);
                    let answer = world.apply(resize(1, 1, 9).may_move());
                    assert_eq!(matches!(answer, Answer::Returned(_)), anywhere, "{answer:?}, limit {limit}");
                }
            },
        );
    }
}

#[test]
fn pages_move_before_the_old_range_is_split_off_and_unmapped() {
    in_every_order(|world| {
        map_and_write(world, 0, 6);
        assert_eq!(world.apply(resize(2, 2, 2).fixed(page(20))), at(20));
        let steps = world.machine().steps();
        let position = |wanted: fn(&Step) -> bool| steps.iter().position(wanted).expect("the step");
        let relocate = position(|step| matches!(step, Step::Relocate { pages: 2, tables: 0, .. }));
        // No TLB knows the old place when the moved entries can be used.
        assert!(matches!(steps[relocate - 1], Step::Flush { pages: 2 }));
        assert!(relocate < position(|step| matches!(step, Step::SplitStart(_))));
        // Nothing is left there to be unmapped, and the lock is kept to the end.
        assert!(steps.contains(&Step::Unmap { pages: 0 }));
        assert!(!steps.contains(&Step::Downgrade));
        assert_eq!(world.apply(munmap(page(0), 30 * PAGE)), DONE);
    });
}

#[test]
fn what_moved_before_a_failure_shows_in_the_contents_where_the_areas_look_as_before() {
    in_every_order(|world| {
        world.apply(mmap(PAGE).fixed(page(4)));
        world.apply(mmap(PAGE).fixed(page(5)).with(Map::GROWSDOWN));
        map_and_write(world, 0, 3);
        let mut refused = 0;
        // The first area moves onto page 1, which looks as before then, but for its content.
        while let Attempt::Refused(_) = world.attempt(resize(4, 3, 3).fixed(page(1)).keep(), refused) {
            refused += 1;
            world.apply(mmap(3 * PAGE).fixed(page(0)));
            write_all(world, 0, 3);
        }
        assert!(refused > 8, "{refused}");
    });
}
