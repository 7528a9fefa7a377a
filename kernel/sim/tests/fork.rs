//! fork: who sees which store, what a child inherits, and what is left when processes end, in every order of munmap.

use abi::mman::{Map, Prot};
use mm::frame::FrameKind;
use sim::model::Fault;
use sim::op::{Op, PAGE, brk, mmap, mprotect, munmap, read, write};
use sim::scenario::{BASE, map_and_write, page};
use sim::world::{Answer, World};
use sim::{Attempt, in_every_order, in_every_order_with};

const HEAP: u64 = 0x4000_0000;
const DONE: Answer = Answer::Returned(0);
const GONE: Answer = Answer::Killed(Fault::Unmapped);
const DENIED: Answer = Answer::Killed(Fault::Denied);

/// Process `parent` forks; the number of the child.
fn fork(world: &mut World<'_>, parent: usize) -> usize {
    match world.apply_in(parent, Op::Fork) {
        Answer::Returned(child) => child as usize,
        answer => panic!("{answer:?}"),
    }
}

fn word(world: &mut World<'_>, process: usize, address: u64) -> u64 {
    match world.apply_in(process, read(process as u32 % 2, address)) {
        Answer::Word(word) => word,
        answer => panic!("{answer:?}"),
    }
}

/// The areas of a process, in pages from [`BASE`] on.
fn areas(world: &World<'_>, process: usize) -> Vec<(u64, u64)> {
    world.areas_of(process).iter().map(|(start, end)| (start - BASE / PAGE, end - BASE / PAGE)).collect()
}

#[test]
fn a_child_has_what_the_parent_had_and_each_sees_only_its_own_stores() {
    in_every_order(|world| {
        map_and_write(world, 0, 4);
        let before: Vec<u64> = (0..4).map(|number| word(world, 0, page(number))).collect();
        let child = fork(world, 0);
        world.apply(write(0, page(0)));
        world.apply_in(child, write(1, page(1)));
        world.apply(write(0, page(2)));
        world.apply_in(child, write(1, page(2)));
        let words =
            |world: &mut World<'_>, process| [0, 1, 2, 3].map(|number| word(world, process, page(number)));
        let (parent, child) = (words(world, 0), words(world, child));
        assert_eq!((child[0], parent[1]), (before[0], before[1]));
        assert_eq!((parent[3], child[3]), (before[3], before[3]));
        assert_ne!(parent[0], before[0]);
        assert_ne!(child[1], before[1]);
        assert!(parent[2] != child[2] && parent[2] != before[2] && child[2] != before[2]);
    });
}

#[test]
fn written_pages_are_shared_until_one_of_both_writes() {
    in_every_order_with(
        |setup| setup.samples(0),
        |world| {
            map_and_write(world, 0, 4);
            let child = fork(world, 0);
            let anonymous = |world: &World<'_>| world.machine().allocated(FrameKind::Anonymous);
            assert_eq!(anonymous(world), 4);
            world.apply_in(child, read(0, page(0)));
            assert_eq!(anonymous(world), 4);
            world.apply_in(child, write(0, page(0)));
            world.apply(write(0, page(1)));
            assert_eq!(anonymous(world), 6);
            world.apply(write(1, page(0)));
            world.apply_in(child, write(1, page(1)));
            assert_eq!(anonymous(world), 6, "the other one finds the frame its own");
        },
    );
}

#[test]
fn a_cpu_that_runs_the_parent_cannot_write_to_the_childs_pages() {
    in_every_order(|world| {
        // Both CPUs have the right to write in their TLBs.
        map_and_write(world, 0, 3);
        for number in 0..3 {
            world.apply(write(1, page(number)));
            world.apply(write(0, page(number)));
        }
        let before = word(world, 0, page(1));
        let child = fork(world, 0);
        world.apply(write(0, page(1)));
        world.apply(write(1, page(1)));
        assert_eq!(word(world, child, page(1)), before);
    });
}

#[test]
fn pages_of_zeroes_stay_pages_of_zeroes_for_the_other() {
    in_every_order(|world| {
        map_and_write(world, 0, 1);
        world.apply(mmap(3 * PAGE).fixed(page(1)));
        // A page of zeroes in written memory, one in memory that nobody wrote to, and nothing at all.
        world.apply(mmap(2 * PAGE).fixed(page(8)));
        for address in [page(1), page(2), page(8)] {
            world.apply(read(0, address));
        }
        let child = fork(world, 0);
        for address in [page(1), page(3), page(8), page(9)] {
            world.apply_in(child, write(0, address));
            assert_eq!(word(world, 0, address), 0);
        }
        world.apply(write(1, page(2)));
        assert_eq!(word(world, child, page(2)), 0);
    });
}

#[test]
fn shared_memory_is_seen_by_both_whoever_touches_a_page_first() {
    in_every_order(|world| {
        world.apply(mmap(4 * PAGE).fixed(page(0)).shared());
        world.apply(write(0, page(0)));
        let child = fork(world, 0);
        world.apply_in(child, write(1, page(0)));
        world.apply_in(child, write(0, page(1)));
        world.apply(write(1, page(2)));
        world.apply_in(child, read(0, page(3)));
        world.apply(write(0, page(3)));
        for number in 0..4 {
            let words = [0, child].map(|process| word(world, process, page(number)));
            assert!(words[0] == words[1] && words[0] != 0, "page {number}");
        }
    });
}

#[test]
fn a_shared_object_lives_until_the_last_mapping_goes() {
    in_every_order_with(
        |setup| setup.samples(0),
        |world| {
            world.apply(mmap(6 * PAGE).fixed(page(0)).shared());
            for number in 0..6 {
                world.apply(write(0, page(number)));
            }
            let shared = |world: &World<'_>| world.machine().allocated(FrameKind::Shared);
            let child = fork(world, 0);
            let grandchild = fork(world, child);
            world.apply(munmap(page(0), 6 * PAGE));
            world.apply_in(child, munmap(page(1), 2 * PAGE));
            world.apply_in(child, Op::Exit);
            assert_eq!(shared(world), 6);
            assert!((0..6).all(|number| word(world, grandchild, page(number)) != 0));
            world.apply_in(grandchild, munmap(page(2), PAGE));
            assert_eq!(shared(world), 6, "an unmap leaves pages in the object");
            world.apply_in(grandchild, munmap(page(0), 6 * PAGE));
            assert_eq!((shared(world), world.machine().allocated(FrameKind::Object)), (0, 0));
        },
    );
}

#[test]
fn splits_and_merges_keep_the_place_in_a_shared_object() {
    in_every_order(|world| {
        world.apply(mmap(8 * PAGE).fixed(page(0)).shared());
        let child = fork(world, 0);
        world.apply(mprotect(page(2), 2 * PAGE, Prot::READ));
        world.apply(munmap(page(5), PAGE));
        for number in [0, 3, 7] {
            world.apply_in(child, write(0, page(number)));
        }
        world.apply(mprotect(page(2), 2 * PAGE, Prot::READ_WRITE));
        assert_eq!(areas(world, 0), [(0, 5), (6, 8)]);
        for number in [0, 3, 7] {
            assert_eq!(word(world, 0, page(number)), word(world, child, page(number)));
        }
    });
}

#[test]
fn a_large_shared_object_is_shared_at_both_ends() {
    in_every_order(|world| {
        // Two, three and four levels.
        for (first, pages) in [(0, 257), (1 << 18, 200_000), (1 << 30, 1 << 33)] {
            world.apply(mmap(pages * PAGE).fixed(page(first)).shared());
        }
        let ends = [0, 256, 1 << 18, (1 << 18) + 199_999, 1 << 30, (1 << 30) + (1 << 33) - 1];
        let child = fork(world, 0);
        for number in ends {
            world.apply_in(child, write(0, page(number)));
        }
        for number in ends {
            assert_eq!(word(world, 0, page(number)), word(world, child, page(number)));
        }
    });
}

#[test]
fn a_child_inherits_rights_and_loses_locks() {
    in_every_order(|world| {
        map_and_write(world, 0, 2);
        world.apply(mprotect(page(1), PAGE, Prot::READ));
        world.apply(mmap(2 * PAGE).fixed(page(4)).with(Map::LOCKED));
        world.apply(mmap(2 * PAGE).fixed(page(8)));
        world.apply(write(0, page(8)));
        world.apply(mprotect(page(8), 2 * PAGE, Prot::NONE));
        let child = fork(world, 0);
        assert_eq!(world.space().totals().locked, 2);
        assert_eq!(world.space_of(child).totals().locked, 0);
        assert_eq!(world.apply_in(child, write(0, page(1))), DENIED);
        assert_eq!(world.apply_in(child, read(0, page(8))), DENIED);
        // What nobody may touch is there when somebody may again, and is still two pages.
        let before = word(world, child, page(1));
        world.apply_in(child, mprotect(page(0), 2 * PAGE, Prot::READ_WRITE));
        world.apply_in(child, mprotect(page(8), 2 * PAGE, Prot::READ_WRITE));
        assert_ne!(word(world, child, page(8)), 0);
        world.apply_in(child, write(1, page(1)));
        world.apply_in(child, write(1, page(8)));
        assert_eq!(word(world, 0, page(1)), before);
        world.apply(mprotect(page(8), 2 * PAGE, Prot::READ));
        assert_ne!(word(world, 0, page(8)), word(world, child, page(8)));
    });
}

#[test]
fn heap_and_stack_go_on_in_both() {
    in_every_order(|world| {
        world.apply(brk(HEAP + 3 * PAGE));
        world.apply(write(0, HEAP + PAGE));
        world.apply(mmap(2 * PAGE).fixed(page(100)).with(Map::GROWSDOWN));
        world.apply(write(0, page(101)));
        let child = fork(world, 0);
        assert_eq!(world.apply_in(child, brk(HEAP + 6 * PAGE)), Answer::Returned(HEAP + 6 * PAGE));
        assert_eq!(world.apply(brk(HEAP + PAGE)), Answer::Returned(HEAP + PAGE));
        world.apply_in(child, write(0, page(98)));
        world.apply(write(0, page(99)));
        assert_eq!(world.apply_in(child, brk(0)), Answer::Returned(HEAP + 6 * PAGE));
        assert_ne!(word(world, child, HEAP + PAGE), 0);
    });
}

#[test]
fn memory_of_a_parent_does_not_merge_with_new_memory() {
    in_every_order(|world| {
        map_and_write(world, 2, 2);
        let child = fork(world, 0);
        for process in [0, child] {
            world.apply_in(process, mmap(2 * PAGE).fixed(page(0)));
            world.apply_in(process, mmap(2 * PAGE).fixed(page(4)));
        }
        assert_eq!(areas(world, 0), [(0, 6)]);
        assert_eq!(areas(world, child), [(0, 2), (2, 4), (4, 6)]);
        // Nor when that is written to: it does not take over the identity.
        world.apply_in(child, write(0, page(1)));
        world.apply_in(child, mprotect(page(0), 6 * PAGE, Prot::READ));
        assert_eq!(areas(world, child), [(0, 2), (2, 4), (4, 6)]);
    });
}

#[test]
fn parts_of_one_area_of_the_parent_merge_again_in_the_child() {
    in_every_order(|world| {
        map_and_write(world, 0, 6);
        let child = fork(world, 0);
        world.apply_in(child, mprotect(page(2), 2 * PAGE, Prot::READ));
        assert_eq!(areas(world, child), [(0, 2), (2, 4), (4, 6)]);
        world.apply_in(child, mprotect(page(2), 2 * PAGE, Prot::READ_WRITE));
        assert_eq!(areas(world, child), [(0, 6)]);
        // What was parted before the fork stays so.
        world.apply(mprotect(page(3), 3 * PAGE, Prot::READ));
        let other = fork(world, 0);
        world.apply_in(other, mprotect(page(3), 3 * PAGE, Prot::READ_WRITE));
        assert_eq!(areas(world, other), [(0, 3), (3, 6)]);
    });
}

#[test]
fn a_heap_grows_as_a_second_area_after_a_fork() {
    in_every_order(|world| {
        world.apply(brk(HEAP + 2 * PAGE));
        world.apply(write(0, HEAP));
        let child = fork(world, 0);
        world.apply_in(child, brk(HEAP + 4 * PAGE));
        world.apply(brk(HEAP + 4 * PAGE));
        let heap = |number: u64| HEAP / PAGE + number;
        assert_eq!(world.areas_of(child), [(heap(0), heap(2)), (heap(2), heap(4))]);
        assert_eq!(world.areas(), [(heap(0), heap(4))]);
    });
}

#[test]
fn unmapping_in_one_process_leaves_the_other_alone() {
    in_every_order(|world| {
        map_and_write(world, 0, 8);
        let child = fork(world, 0);
        assert_eq!(world.apply(munmap(page(2), 4 * PAGE)), DONE);
        assert_eq!(world.apply_in(child, munmap(page(0), 3 * PAGE)), DONE);
        assert_eq!(areas(world, 0), [(0, 2), (6, 8)]);
        assert_eq!(areas(world, child), [(3, 8)]);
        for number in 0..8 {
            let gone = [0, child].map(|process| world.apply_in(process, read(0, page(number))) == GONE);
            assert_eq!(gone, [(2..6).contains(&number), number < 3], "page {number}");
        }
    });
}

#[test]
fn generations_end_in_any_order() {
    const ORDERS: [[usize; 3]; 6] = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
    for order in ORDERS {
        in_every_order(|world| {
            map_and_write(world, 0, 5);
            world.apply(mmap(2 * PAGE).fixed(page(5)).shared());
            let child = fork(world, 0);
            world.apply_in(child, write(0, page(1)));
            let grandchild = fork(world, child);
            world.apply_in(grandchild, write(1, page(2)));
            world.apply(write(0, page(3)));
            assert_eq!(world.processes(), [0, child, grandchild]);
            let &[.., last] = &order;
            let before: Vec<u64> = (0..7).map(|number| word(world, last, page(number))).collect();
            for process in &order[..2] {
                world.apply_in(*process, Op::Exit);
            }
            assert_eq!(world.processes(), [last]);
            for (number, before) in (0..7).zip(before) {
                assert_eq!(word(world, last, page(number)), before);
                world.apply_in(last, write(0, page(number)));
            }
        });
    }
}

#[test]
fn a_child_that_maps_much_copies_no_more_than_is_there() {
    in_every_order_with(
        |setup| setup.samples(0),
        |world| {
            world.apply(mmap(1 << 40).fixed(page(0)));
            world.apply(write(0, page(3)));
            world.apply(write(0, page(1 << 20)));
            let tables = world.space().page_tables();
            let child = fork(world, 0);
            assert_eq!(world.space_of(child).page_tables(), tables);
            assert_eq!(world.machine().allocated(FrameKind::Anonymous), 2);
        },
    );
}

#[test]
fn a_fork_that_fails_can_be_tried_again_and_costs_the_parent_nothing() {
    in_every_order_with(
        |setup| setup.samples(0),
        |world| {
            map_and_write(world, 0, 4);
            world.apply(mmap(2 * PAGE).fixed(page(6)).shared());
            let frames = world.machine().free_frames();
            let mut steps = 0;
            while matches!(world.attempt(Op::Fork, steps), Attempt::Refused(Answer::Failed(_))) {
                assert_eq!((world.processes(), world.machine().free_frames()), (vec![0], frames));
                // The pages are the parent's alone: nothing is copied.
                for number in 0..4 {
                    world.apply(write(0, page(number)));
                }
                assert_eq!(world.machine().free_frames(), frames);
                steps += 1;
            }
            // The mmap lock, the root, the tree, two VMAs with a lock each, and the tables.
            assert_eq!((steps, world.processes()), (10, vec![0, 1]));
        },
    );
}
