//! madvise: what is discarded, marked, filled and guarded, and what stands in the way.

use abi::Errno;
use abi::mman::*;
use sim::model::Fault;
use sim::op::{Op, PAGE, madvise, mlock, mmap, mprotect, mremap, mseal, munmap, read, write};
use sim::scenario::{areas, map_and_write, page, write_all};
use sim::world::{Answer, World};
use sim::{in_every_order, in_every_order_with};

const DONE: Answer = Answer::Returned(0);
const ZERO: Answer = Answer::Word(0);

const fn failed(errno: Errno) -> Answer {
    Answer::Failed(errno)
}

fn advise(world: &mut World<'_>, first: u64, pages: u64, advice: u64) -> Answer {
    world.apply(madvise(page(first), pages * PAGE, advice))
}

fn guarded(world: &mut World<'_>, number: u64) -> bool {
    world.apply(read(0, page(number))) == Answer::Killed(Fault::Unmapped)
}

#[test]
fn pages_that_are_not_needed_are_zero_and_the_others_stay() {
    in_every_order(|world| {
        map_and_write(world, 0, 12);
        let frames = world.machine().free_frames();
        assert_eq!(advise(world, 2, 5, MADV_DONTNEED), DONE);
        assert_eq!(world.machine().free_frames(), frames + 5);
        assert_eq!(areas(world), [(0, 12)]);
        assert!((2..7).all(|number| world.apply(read(1, page(number))) == ZERO));
        assert!(matches!(world.apply(read(0, page(7))), Answer::Word(word) if word != 0));
    });
}

#[test]
fn what_both_have_after_a_fork_is_discarded_for_one_only() {
    in_every_order(|world| {
        map_and_write(world, 0, 4);
        world.apply(Op::Fork);
        assert_eq!(advise(world, 0, 4, MADV_DONTNEED), DONE);
        assert_eq!(world.apply(read(0, page(1))), ZERO);
        assert!(matches!(world.apply_in(1, read(0, page(1))), Answer::Word(word) if word != 0));
    });
}

#[test]
fn shared_memory_keeps_what_is_discarded() {
    in_every_order(|world| {
        world.apply(mmap(4 * PAGE).fixed(page(0)).shared());
        write_all(world, 0, 4);
        assert_eq!(advise(world, 0, 4, MADV_DONTNEED), DONE);
        assert!(matches!(world.apply(read(0, page(1))), Answer::Word(word) if word != 0));
        assert_eq!(advise(world, 0, 4, MADV_FREE), failed(Errno::EINVAL));
    });
}

#[test]
fn permissions_do_not_matter_for_what_is_not_needed() {
    in_every_order(|world| {
        map_and_write(world, 0, 4);
        world.apply(mprotect(page(0), 4 * PAGE, Prot::NONE));
        assert_eq!(advise(world, 0, 4, MADV_DONTNEED), DONE);
        world.apply(mprotect(page(0), 4 * PAGE, Prot::READ));
        assert_eq!(world.apply(read(0, page(2))), ZERO);
    });
}

#[test]
fn locked_memory_is_discarded_only_when_that_is_said() {
    in_every_order(|world| {
        world.apply(mmap(4 * PAGE).fixed(page(0)).with(Map::LOCKED));
        write_all(world, 0, 4);
        for advice in [MADV_DONTNEED, MADV_FREE, MADV_COLD, MADV_PAGEOUT, MADV_GUARD_INSTALL, MADV_REMOVE] {
            assert_eq!(advise(world, 0, 4, advice), failed(Errno::EINVAL));
        }
        assert_eq!(advise(world, 0, 4, MADV_GUARD_REMOVE), DONE);
        assert_eq!(advise(world, 0, 4, MADV_DONTNEED_LOCKED), DONE);
        assert_eq!(world.apply(read(0, page(2))), ZERO);
    });
}

#[test]
fn holes_are_passed_over_and_told_in_the_end() {
    in_every_order(|world| {
        map_and_write(world, 0, 3);
        map_and_write(world, 6, 3);
        assert_eq!(advise(world, 1, 7, MADV_DONTNEED), failed(Errno::ENOMEM));
        assert!([1, 2, 6, 7].into_iter().all(|number| world.apply(read(0, page(number))) == ZERO));
        assert!(matches!(world.apply(read(0, page(8))), Answer::Word(word) if word != 0));
        assert_eq!(advise(world, 4, 1, MADV_DONTNEED), failed(Errno::ENOMEM));
        assert_eq!(advise(world, 1, 7, MADV_SEQUENTIAL), failed(Errno::ENOMEM));
        assert_eq!(areas(world), [(0, 1), (1, 3), (6, 8), (8, 9)]);
    });
}

#[test]
fn wrong_arguments_are_refused_before_anything_else() {
    in_every_order(|world| {
        map_and_write(world, 0, 2);
        let invalid = failed(Errno::EINVAL);
        for (address, length, advice) in [
            (page(0) + 1, PAGE, MADV_DONTNEED),
            (page(0) + 1, 0, MADV_DONTNEED),
            (page(0), 0, 5),
            (page(0), PAGE, MADV_COLLAPSE),
            (page(0), PAGE, MADV_HWPOISON),
            (page(0), u64::MAX, MADV_DONTNEED),
            (page(0), u64::MAX - PAGE + 1, MADV_DONTNEED),
            (u64::MAX - PAGE + 1, PAGE, MADV_DONTNEED),
        ] {
            assert_eq!(world.apply(madvise(address, length, advice)), invalid);
        }
        assert_eq!(world.apply(madvise(page(0), 0, MADV_DONTNEED)), DONE);
        assert_eq!(world.apply(madvise(page(0), 1, 1 << 32 | MADV_DONTNEED)), DONE);
        assert_eq!(world.apply(madvise(1 << 50, PAGE, MADV_DONTNEED)), failed(Errno::ENOMEM));
    });
}

#[test]
fn what_is_noted_splits_areas_and_merges_them_again() {
    in_every_order(|world| {
        map_and_write(world, 0, 12);
        let pairs = [
            (MADV_RANDOM, MADV_NORMAL),
            (MADV_SEQUENTIAL, MADV_NORMAL),
            (MADV_DONTFORK, MADV_DOFORK),
            (MADV_WIPEONFORK, MADV_KEEPONFORK),
            (MADV_DONTDUMP, MADV_DODUMP),
            (MADV_MERGEABLE, MADV_UNMERGEABLE),
        ];
        for (note, undo) in pairs {
            assert_eq!(advise(world, 4, 4, note), DONE);
            assert_eq!(areas(world), [(0, 4), (4, 8), (8, 12)]);
            assert_eq!(advise(world, 2, 8, undo), DONE);
            assert_eq!(areas(world), [(0, 12)]);
        }
        assert_eq!(advise(world, 4, 4, MADV_HUGEPAGE), DONE);
        assert_eq!(advise(world, 8, 4, MADV_NOHUGEPAGE), DONE);
        assert_eq!(areas(world), [(0, 4), (4, 8), (8, 12)]);
    });
}

#[test]
fn at_the_limit_of_areas_a_note_may_be_tried_again() {
    in_every_order_with(
        |setup| setup.max_map_count(2),
        |world| {
            map_and_write(world, 0, 12);
            assert_eq!(advise(world, 4, 4, MADV_DONTFORK), failed(Errno::EAGAIN));
            // The split at the start remains.
            assert_eq!(areas(world), [(0, 4), (4, 12)]);
        },
    );
}

#[test]
fn a_child_has_nothing_of_what_is_not_to_be_forked() {
    in_every_order(|world| {
        map_and_write(world, 0, 12);
        advise(world, 4, 4, MADV_DONTFORK);
        world.apply(Op::Fork);
        assert_eq!(world.areas_of(1).len(), 2);
        assert_eq!(world.apply_in(1, read(0, page(5))), Answer::Killed(Fault::Unmapped));
        assert!(matches!(world.apply_in(1, read(0, page(8))), Answer::Word(word) if word != 0));
        // The mark is not an obstacle to what the child does there.
        world.apply_in(1, mmap(4 * PAGE).fixed(page(4)));
        assert_eq!(world.apply_in(1, read(0, page(5))), ZERO);
    });
}

#[test]
fn a_child_finds_zeroes_in_what_is_wiped() {
    in_every_order(|world| {
        map_and_write(world, 0, 12);
        advise(world, 4, 4, MADV_WIPEONFORK);
        world.apply(Op::Fork);
        assert_eq!(world.apply_in(1, read(0, page(5))), ZERO);
        assert!(matches!(world.apply(read(0, page(5))), Answer::Word(word) if word != 0));
        // What the child writes is wiped for its child, too.
        world.apply_in(1, write(0, page(5)));
        world.apply_in(1, Op::Fork);
        assert_eq!(world.apply_in(2, read(0, page(5))), ZERO);
        world.apply(mmap(PAGE).fixed(page(20)).shared());
        assert_eq!(advise(world, 20, 1, MADV_WIPEONFORK), failed(Errno::EINVAL));
    });
}

#[test]
fn populating_needs_permission_and_memory_throughout() {
    in_every_order(|world| {
        world.apply(mmap(8 * PAGE).fixed(page(0)));
        let frames = world.machine().free_frames();
        assert_eq!(advise(world, 0, 4, MADV_POPULATE_WRITE), DONE);
        // With the tables.
        assert!(world.machine().free_frames() <= frames - 4);
        world.apply(mprotect(page(6), 2 * PAGE, Prot::READ));
        assert_eq!(advise(world, 4, 4, MADV_POPULATE_READ), DONE);
        assert_eq!(advise(world, 4, 4, MADV_POPULATE_WRITE), failed(Errno::EINVAL));
        world.apply(mprotect(page(6), 2 * PAGE, Prot::NONE));
        assert_eq!(advise(world, 4, 4, MADV_POPULATE_READ), failed(Errno::EINVAL));
        assert_eq!(advise(world, 7, 4, MADV_POPULATE_READ), failed(Errno::EINVAL));
        world.apply(munmap(page(4), PAGE));
        assert_eq!(advise(world, 0, 6, MADV_POPULATE_READ), failed(Errno::ENOMEM));
    });
}

#[test]
fn populating_stops_at_guards_and_at_the_end_of_an_object() {
    in_every_order(|world| {
        map_and_write(world, 0, 4);
        advise(world, 2, 1, MADV_GUARD_INSTALL);
        assert_eq!(advise(world, 0, 4, MADV_POPULATE_READ), failed(Errno::EFAULT));
        assert_eq!(advise(world, 0, 4, MADV_POPULATE_WRITE), failed(Errno::EFAULT));
        world.apply(mmap(2 * PAGE).fixed(page(8)).shared());
        world.apply(mremap(page(8), 2 * PAGE, 4 * PAGE));
        assert_eq!(advise(world, 8, 2, MADV_POPULATE_WRITE), DONE);
        assert_eq!(advise(world, 8, 4, MADV_POPULATE_WRITE), failed(Errno::EFAULT));
    });
}

#[test]
fn what_is_removed_is_zero_for_all_that_map_it() {
    in_every_order(|world| {
        world.apply(mmap(6 * PAGE).fixed(page(0)).shared());
        write_all(world, 0, 6);
        world.apply(Op::Fork);
        world.apply_in(1, read(0, page(2)));
        world.apply(mremap(page(4), 0, 2 * PAGE).fixed(page(20)));
        world.apply(read(0, page(20)));
        assert_eq!(advise(world, 1, 4, MADV_REMOVE), DONE);
        assert!((1..5).all(|number| world.apply(read(1, page(number))) == ZERO));
        assert_eq!(world.apply_in(1, read(0, page(2))), ZERO);
        assert_eq!(world.apply(read(0, page(20))), ZERO);
        for number in [0, 5, 21] {
            assert!(matches!(world.apply(read(0, page(number))), Answer::Word(word) if word != 0));
        }
        assert_eq!(advise(world, 5, 2, MADV_REMOVE), failed(Errno::ENOMEM));
        assert_eq!(world.apply(read(0, page(5))), ZERO);
        world.apply(mmap(PAGE).fixed(page(8)));
        assert_eq!(advise(world, 8, 1, MADV_REMOVE), failed(Errno::EINVAL));
    });
}

#[test]
fn what_is_removed_before_an_error_stays_removed() {
    in_every_order(|world| {
        world.apply(mmap(6 * PAGE).fixed(page(0)).shared());
        write_all(world, 0, 6);
        world.apply(mlock(page(2), 2 * PAGE));
        assert_eq!(advise(world, 0, 6, MADV_REMOVE), failed(Errno::EINVAL));
        assert_eq!(world.apply(read(0, page(1))), ZERO);
        assert!(matches!(world.apply(read(0, page(4))), Answer::Word(word) if word != 0));
    });
}

#[test]
fn a_guard_stays_until_it_is_removed_or_unmapped() {
    in_every_order(|world| {
        map_and_write(world, 0, 12);
        assert_eq!(advise(world, 3, 6, MADV_GUARD_INSTALL), DONE);
        assert_eq!(areas(world), [(0, 12)]);
        assert!((3..9).all(|number| guarded(world, number)));
        advise(world, 0, 12, MADV_DONTNEED);
        world.apply(mprotect(page(4), 2 * PAGE, Prot::READ));
        world.apply(mprotect(page(4), 2 * PAGE, Prot::READ_WRITE));
        assert!((3..9).all(|number| guarded(world, number)));
        assert_eq!(world.apply(write(0, page(3))), Answer::Killed(Fault::Unmapped));
        // With no right to the page at all, that is what is told.
        world.apply(mprotect(page(4), PAGE, Prot::NONE));
        assert_eq!(world.apply(read(0, page(4))), Answer::Killed(Fault::Denied));

        assert_eq!(advise(world, 0, 4, MADV_GUARD_REMOVE), DONE);
        assert_eq!(world.apply(read(0, page(3))), ZERO);
        world.apply(munmap(page(5), 2 * PAGE));
        world.apply(mmap(2 * PAGE).fixed(page(5)));
        assert_eq!(world.apply(read(0, page(5))), ZERO);
        assert!(guarded(world, 7));
        world.apply(mmap(2 * PAGE).fixed(page(7)));
        assert_eq!(world.apply(read(0, page(7))), ZERO);
    });
}

#[test]
fn guards_move_with_their_memory_and_are_copied_by_fork() {
    in_every_order(|world| {
        world.apply(mmap(4 * PAGE).fixed(page(0)));
        advise(world, 1, 2, MADV_GUARD_INSTALL);
        world.apply(mremap(page(0), 4 * PAGE, 4 * PAGE).fixed(page(8)));
        assert!(guarded(world, 9) && guarded(world, 10));
        assert_eq!(world.apply(read(0, page(8))), ZERO);
        world.apply(Op::Fork);
        assert_eq!(world.apply_in(1, read(0, page(9))), Answer::Killed(Fault::Unmapped));
        world.apply_in(1, madvise(page(8), 4 * PAGE, MADV_GUARD_REMOVE));
        assert_eq!(world.apply_in(1, read(0, page(9))), ZERO);
        assert!(guarded(world, 9));
    });
}

#[test]
fn guards_hide_shared_memory_and_do_not_change_it() {
    in_every_order(|world| {
        world.apply(mmap(4 * PAGE).fixed(page(0)).shared());
        write_all(world, 0, 4);
        assert_eq!(advise(world, 0, 2, MADV_GUARD_INSTALL), DONE);
        assert!(guarded(world, 1));
        world.apply(Op::Fork);
        assert_eq!(world.apply_in(1, read(0, page(1))), Answer::Killed(Fault::Unmapped));
        world.apply(madvise(page(0), 2 * PAGE, MADV_GUARD_REMOVE));
        assert!(matches!(world.apply(read(0, page(1))), Answer::Word(word) if word != 0));
    });
}

#[test]
fn guarded_shared_memory_merges_whatever_its_identities() {
    in_every_order(|world| {
        world.apply(mmap(6 * PAGE).fixed(page(0)).shared());
        world.apply(mseal(page(4), PAGE));
        assert_eq!(advise(world, 0, 5, MADV_GUARD_INSTALL), DONE);
        assert_eq!(areas(world), [(0, 4), (4, 5), (5, 6)]);
        world.apply(mseal(page(1), 3 * PAGE));
        assert_eq!(areas(world), [(0, 1), (1, 5), (5, 6)]);
    });
}

#[test]
fn guards_over_many_page_tables_cost_a_table_each() {
    in_every_order(|world| {
        world.apply(mmap(1100 * PAGE).fixed(page(0)));
        assert_eq!(advise(world, 0, 1100, MADV_GUARD_INSTALL), DONE);
        assert_eq!(world.space().page_tables(), 1 + 2 + 3);
        assert!([0, 511, 512, 1099].into_iter().all(|number| guarded(world, number)));
        world.apply(munmap(page(0), 1100 * PAGE));
        assert_eq!(world.space().page_tables(), 1);
    });
}

#[test]
fn sealed_memory_that_cannot_be_written_keeps_its_contents() {
    in_every_order(|world| {
        map_and_write(world, 0, 8);
        world.apply(mprotect(page(0), 4 * PAGE, Prot::READ));
        world.apply(mseal(page(0), 8 * PAGE));
        let refused = [
            MADV_DONTNEED,
            MADV_DONTNEED_LOCKED,
            MADV_FREE,
            MADV_REMOVE,
            MADV_DONTFORK,
            MADV_WIPEONFORK,
            MADV_GUARD_INSTALL,
        ];
        for advice in refused {
            assert_eq!(advise(world, 0, 4, advice), failed(Errno::EPERM));
        }
        for advice in [MADV_GUARD_REMOVE, MADV_COLD, MADV_WILLNEED, MADV_RANDOM, MADV_DONTDUMP] {
            assert_eq!(advise(world, 0, 4, advice), DONE);
        }
        // What can be written can be emptied by writing.
        assert_eq!(advise(world, 4, 4, MADV_DONTNEED), DONE);
    });
}
