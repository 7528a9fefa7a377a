//! Small programs on which Linux and this kernel once differed, as `sugarbush diff --random` found them.

use abi::Errno;
use abi::mman::{MADV_DONTDUMP, MADV_GUARD_INSTALL, Map, Prot};
use sim::in_every_order;
use sim::model::Fault;
use sim::op::{Op, PAGE, madvise, mmap, mremap, mseal, read};
use sim::scenario::{areas, map_and_write, page};
use sim::world::Answer;

const DONE: Answer = Answer::Returned(0);

#[test]
fn a_threads_stack_does_not_merge_with_other_memory() {
    in_every_order(|world| {
        world.apply(mmap(4 * PAGE).fixed(page(0)));
        world.apply(mmap(4 * PAGE).fixed(page(4)).with(Map::STACK));
        world.apply(mmap(4 * PAGE).fixed(page(8)).with(Map::STACK));
        assert_eq!(areas(world), [(0, 4), (4, 12)]);
    });
}

#[test]
fn guards_do_not_keep_shared_memory_from_merging() {
    in_every_order(|world| {
        world.apply(mmap(12 * PAGE).fixed(page(0)).shared());
        assert_eq!(world.apply(madvise(page(4), 8 * PAGE, MADV_DONTDUMP)), DONE);
        assert_eq!(world.apply(madvise(page(2), 4 * PAGE, MADV_GUARD_INSTALL)), DONE);
        assert_eq!(world.apply(madvise(page(0), 4 * PAGE, MADV_DONTDUMP)), DONE);
        assert_eq!(areas(world), [(0, 12)]);
        world.apply(Op::Fork);
        assert_eq!(world.apply_in(1, read(0, page(3))), Answer::Killed(Fault::Unmapped));
        assert_eq!(world.apply_in(1, read(0, page(6))), Answer::Word(0));
    });
}

#[test]
fn a_wrapping_range_moved_onto_itself_is_gone_before_its_tail_is_looked_at() {
    in_every_order(|world| {
        map_and_write(world, 0, 8);
        // The old range ends, after its wrap, two pages below its start, where the new one begins.
        let onto_itself = mremap(page(4), 0u64.wrapping_sub(2 * PAGE), 4 * PAGE).may_move().fixed(page(2));
        assert_eq!(world.apply(onto_itself), Answer::Failed(Errno::EFAULT));
        assert_eq!(areas(world), [(0, 2), (6, 8)]);
    });
}

#[test]
fn guards_that_are_refused_give_sealed_memory_no_identity() {
    in_every_order(|world| {
        world.apply(mmap(8 * PAGE).fixed(page(0)).prot(Prot::READ));
        assert_eq!(world.apply(mseal(page(0), 8 * PAGE)), DONE);
        assert_eq!(world.apply(madvise(page(0), 4 * PAGE, MADV_DONTDUMP)), DONE);
        for number in [1, 6] {
            let guard = world.apply(madvise(page(number), PAGE, MADV_GUARD_INSTALL));
            assert_eq!(guard, Answer::Failed(Errno::EPERM));
        }
        assert_eq!(world.apply(madvise(page(4), 4 * PAGE, MADV_DONTDUMP)), DONE);
        assert_eq!(areas(world), [(0, 8)]);
    });
}
