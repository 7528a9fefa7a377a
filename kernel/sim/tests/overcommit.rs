//! Memory that is promised: what counts, and what is refused in the modes of `vm.overcommit_memory`.

use abi::Errno;
use abi::mman::{Map, Prot};
use sim::op::{PAGE, brk, mmap, mprotect, mremap, munmap, write};
use sim::scenario::{map_and_write, page};
use sim::world::{Answer, World};
use sim::{in_every_order, in_every_order_with};

const HEAP: u64 = 0x4000_0000;
const DONE: Answer = Answer::Returned(0);
const REFUSED: Answer = Answer::Failed(Errno::ENOMEM);

fn accounted(world: &World<'_>) -> u64 {
    world.space().totals().accounted
}

#[test]
fn private_memory_counts_once_it_can_be_written() {
    in_every_order(|world| {
        world.apply(mmap(10 * PAGE).fixed(page(0)));
        world.apply(mmap(10 * PAGE).fixed(page(20)).prot(Prot::READ));
        world.apply(mmap(10 * PAGE).fixed(page(40)).with(Map::NORESERVE));
        world.apply(mmap(10 * PAGE).fixed(page(60)).shared());
        assert_eq!(accounted(world), 10);
        world.apply(mprotect(page(20), 4 * PAGE, Prot::READ_WRITE));
        assert_eq!(accounted(world), 14);
        // What was written stays promised.
        world.apply(write(0, page(0)));
        world.apply(mprotect(page(0), 10 * PAGE, Prot::READ));
        world.apply(mprotect(page(20), 4 * PAGE, Prot::READ));
        assert_eq!(accounted(world), 10);
        world.apply(munmap(page(0), 5 * PAGE));
        assert_eq!(accounted(world), 5);
    });
}

#[test]
fn one_promise_is_not_more_than_all_memory() {
    in_every_order_with(
        |setup| setup.promise(100),
        |world| {
            assert_eq!(world.apply(mmap(101 * PAGE).fixed(page(0))), REFUSED);
            assert_eq!(world.apply(mmap(100 * PAGE).fixed(page(0))), Answer::Returned(page(0)));
            assert_eq!(world.apply(mmap(100 * PAGE).fixed(page(200))), Answer::Returned(page(200)));
            for other in [
                mmap(500 * PAGE).fixed(page(1000)).with(Map::NORESERVE),
                mmap(500 * PAGE).fixed(page(1000)).prot(Prot::READ),
                mmap(500 * PAGE).fixed(page(1000)).shared(),
            ] {
                assert_eq!(world.apply(other), Answer::Returned(page(1000)));
            }
            world.apply(mmap(500 * PAGE).fixed(page(2000)).prot(Prot::READ));
            assert_eq!(world.apply(mprotect(page(2000), 101 * PAGE, Prot::READ_WRITE)), REFUSED);
            assert_eq!(world.apply(mprotect(page(2000), 100 * PAGE, Prot::READ_WRITE)), DONE);
            assert_eq!(world.apply(brk(HEAP + 101 * PAGE)), Answer::Returned(HEAP));
            // In place of what is promised already, there is room for more.
            assert_eq!(world.apply(mmap(150 * PAGE).fixed(page(200))), Answer::Returned(page(200)));
            assert_eq!(world.apply(mremap(page(0), 100 * PAGE, 201 * PAGE).may_move()), REFUSED);
        },
    );
}

#[test]
fn all_promises_together_stay_below_the_limit() {
    in_every_order_with(
        |setup| setup.promises(100),
        |world| {
            // A part of the address space, for others: here less than a page.
            assert_eq!(world.apply(mmap(100 * PAGE).fixed(page(0))), REFUSED);
            assert_eq!(world.apply(mmap(20 * PAGE).fixed(page(0))), Answer::Returned(page(0)));
            assert_eq!(world.apply(mmap(70 * PAGE).fixed(page(100))), Answer::Returned(page(100)));
            for more in
                [mmap(10 * PAGE).fixed(page(200)), mmap(10 * PAGE).fixed(page(200)).with(Map::NORESERVE)]
            {
                assert_eq!(world.apply(more), REFUSED);
            }
            assert_eq!(world.apply(mmap(200 * PAGE).fixed(page(200)).shared()), Answer::Returned(page(200)));
            assert_eq!(
                world.apply(mmap(200 * PAGE).fixed(page(400)).prot(Prot::READ)),
                Answer::Returned(page(400))
            );
            assert_eq!(world.apply(mprotect(page(400), 10 * PAGE, Prot::READ_WRITE)), REFUSED);
            assert_eq!(world.apply(brk(HEAP + 10 * PAGE)), Answer::Returned(HEAP));
            assert_eq!(world.apply(mremap(page(0), 20 * PAGE, 30 * PAGE)), REFUSED);
            assert_eq!(world.apply(mremap(page(0), 20 * PAGE, 20 * PAGE).fixed(page(700)).keep()), REFUSED);
            assert_eq!(
                world.apply(mremap(page(0), 20 * PAGE, 20 * PAGE).fixed(page(700))),
                Answer::Returned(page(700))
            );
            world.apply(munmap(page(100), 70 * PAGE));
            assert_eq!(accounted(world), 20);
            assert_eq!(world.apply(mmap(50 * PAGE).fixed(page(100))), Answer::Returned(page(100)));
        },
    );
}

#[test]
fn a_stack_does_not_grow_beyond_what_is_promised() {
    in_every_order_with(
        |setup| setup.promises(20),
        |world| {
            world.apply(mmap(4 * PAGE).fixed(page(600)).with(Map::GROWSDOWN));
            assert!(matches!(world.apply(write(0, page(595))), Answer::Word(_)));
            assert!(matches!(world.apply(write(0, page(580))), Answer::Killed(_)));
            map_and_write(world, 0, 10);
            assert!(matches!(world.apply(write(0, page(594))), Answer::Killed(_)));
        },
    );
}
