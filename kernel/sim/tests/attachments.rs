//! Attachments of shared memory that lives without being mapped: their pieces never become one again.

use abi::Errno;
use abi::mman::{MADV_REMOVE, Prot};
use sim::in_every_order;
use sim::op::{PAGE, attach, madvise, mprotect, mremap, munmap, read, write};
use sim::scenario::{areas, page};
use sim::world::Answer;

#[test]
fn a_piece_stays_a_vma_of_its_own_but_its_borders_move() {
    in_every_order(|world| {
        world.apply(attach(page(0) / PAGE, 8, Prot::READ_WRITE));
        world.apply(mprotect(page(2), 2 * PAGE, Prot::READ));
        world.apply(mprotect(page(2), 2 * PAGE, Prot::READ_WRITE));
        assert_eq!(areas(world), [(0, 2), (2, 4), (4, 8)]);
        world.apply(mprotect(page(4), 4 * PAGE, Prot::READ));
        world.apply(mprotect(page(4), 2 * PAGE, Prot::READ_WRITE));
        assert_eq!(areas(world), [(0, 2), (2, 6), (6, 8)]);
        world.apply(munmap(page(3), PAGE));
        assert_eq!(areas(world), [(0, 2), (2, 3), (4, 6), (6, 8)]);
    });
}

#[test]
fn a_piece_that_comes_back_joins_one_side_only() {
    in_every_order(|world| {
        world.apply(attach(page(0) / PAGE, 6, Prot::READ_WRITE));
        world.apply(mremap(page(2), 2 * PAGE, 2 * PAGE).fixed(page(20)));
        assert_eq!(areas(world), [(0, 2), (4, 6), (20, 22)]);
        world.apply(mremap(page(20), 2 * PAGE, 2 * PAGE).fixed(page(2)));
        assert_eq!(areas(world), [(0, 4), (4, 6)]);
    });
}

#[test]
fn attachments_do_not_move_with_others() {
    in_every_order(|world| {
        world.apply(attach(page(0) / PAGE, 2, Prot::READ_WRITE));
        world.apply(attach(page(2) / PAGE, 2, Prot::READ_WRITE));
        let both = mremap(page(0), 4 * PAGE, 4 * PAGE).fixed(page(20));
        assert_eq!(world.apply(both), Answer::Failed(Errno::EFAULT));
        assert_eq!(areas(world), [(0, 2), (2, 4)]);
    });
}

#[test]
fn what_is_removed_from_a_segment_is_zero() {
    in_every_order(|world| {
        world.apply(attach(page(0) / PAGE, 2, Prot::READ_WRITE));
        world.apply(write(0, page(0)));
        world.apply(write(0, page(1)));
        world.apply(madvise(page(0), PAGE, MADV_REMOVE));
        assert_eq!(world.apply(read(0, page(0))), Answer::Word(0));
        assert!(matches!(world.apply(read(0, page(1))), Answer::Word(1..)));
    });
}
