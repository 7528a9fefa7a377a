//! Mapped files: what programs see while the file grows and shrinks.

use abi::Errno;
use abi::mman::{MADV_POPULATE_WRITE, MADV_REMOVE, Prot};
use mm::space::MunmapOrder;
use sim::Attempt;
use sim::model::Fault;
use sim::op::{Op, PAGE, image, madvise, mlock, mprotect, munmap, read, resize, shared_image, write};
use sim::setup::Setup;
use sim::world::{Answer, World};

const BASE: u64 = 0x1000_0000;

fn page(number: u64) -> u64 {
    BASE + number * PAGE
}

fn in_every_order(body: impl Fn(&mut World<'_>)) {
    for order in MunmapOrder::ALL {
        World::run(Setup::new(order), &body).unwrap_or_else(|error| panic!("in {order} order: {error}"));
    }
}

fn private(first_page: u64, pages: u64, first: u64) -> Op {
    image(page(first_page) / PAGE, pages, Prot::READ_WRITE, first)
}

fn shared(first_page: u64, pages: u64, first: u64) -> Op {
    shared_image(page(first_page) / PAGE, pages, Prot::READ_WRITE, first)
}

const BEYOND: Answer = Answer::Killed(Fault::BeyondEnd);

#[test]
fn a_cut_takes_pages_and_copies_away_and_what_comes_again_is_zero() {
    in_every_order(|world| {
        world.apply(private(0, 8, 0));
        world.apply(shared(8, 8, 0));
        for number in [1, 6, 9, 14] {
            world.apply(write(0, page(number)));
        }
        world.apply(read(1, page(5)));
        world.apply(resize(4 * PAGE + 64));
        for number in [5, 6, 13, 14] {
            assert_eq!(world.apply(read(0, page(number))), BEYOND);
        }
        assert_eq!(world.apply(write(0, page(7))), BEYOND);
        assert!(matches!(world.apply(read(0, page(4) + 56)), Answer::Word(1..)));
        world.apply(resize(8 * PAGE));
        for address in [page(4) + 64, page(6), page(14)] {
            assert_eq!(world.apply(read(0, address)), Answer::Word(0));
        }
    });
}

#[test]
fn a_hole_that_is_refused_in_the_second_vma_is_made_in_the_first() {
    in_every_order(|world| {
        world.apply(shared(0, 4, 21));
        world.apply(mprotect(page(0), 2 * PAGE, Prot::READ));
        let refused = world.attempt(madvise(page(0), 3 * PAGE, MADV_REMOVE), 2);
        assert_eq!(refused, Attempt::Refused(Answer::Failed(Errno::ENOMEM)));
        assert_eq!(world.apply(read(0, page(1))), Answer::Word(0));
        assert!(matches!(world.apply(read(0, page(2))), Answer::Word(1..)));
    });
}

#[test]
fn a_hole_in_the_file_is_zero_for_all_but_copies() {
    in_every_order(|world| {
        world.apply(private(0, 8, 0));
        world.apply(shared(8, 8, 0));
        for number in [1, 9, 10, 13] {
            world.apply(write(0, page(number)));
        }
        world.apply(read(0, page(2)));
        world.apply(read(0, page(4)));
        assert_eq!(world.apply(madvise(page(9), 3 * PAGE, MADV_REMOVE)), Answer::Returned(0));
        for number in [2, 3, 9, 10, 11] {
            assert_eq!(world.apply(read(0, page(number))), Answer::Word(0));
        }
        for number in [1, 4, 12, 13] {
            assert!(matches!(world.apply(read(0, page(number))), Answer::Word(1..)));
        }
        assert_eq!(world.apply(madvise(page(0), PAGE, MADV_REMOVE)), Answer::Failed(Errno::EACCES));
    });
}

#[test]
fn copies_that_a_refused_populate_has_made_stay_where_the_file_is_cut() {
    let populating = [madvise(page(0), 8 * PAGE, MADV_POPULATE_WRITE), mlock(page(0), 8 * PAGE)];
    for (op, step) in populating.into_iter().flat_map(|op| (0..12).map(move |step| (op, step))) {
        in_every_order(|world| {
            world.apply(private(0, 8, 0));
            world.attempt(op, step);
            for pages in [6, 4, 2, 0] {
                world.apply(resize(pages * PAGE + 64));
                // Behind the cut: zero in the file, as before in a copy. The model must know which it is.
                world.apply(read(1, page(pages) + 2048));
            }
        });
    }
}

#[test]
fn a_child_and_its_parent_share_the_file_and_keep_their_own_copies() {
    in_every_order(|world| {
        world.apply(private(0, 4, 2));
        world.apply(shared(4, 4, 2));
        let own = world.apply(write(0, page(1)));
        let child = match world.apply(Op::Fork) {
            Answer::Returned(child) => child as usize,
            answer => panic!("{answer}"),
        };
        assert_eq!(world.apply_in(child, read(0, page(1))), own);
        let seen = world.apply_in(child, write(0, page(6)));
        assert_eq!(world.apply(read(1, page(6))), seen);
        assert_eq!(world.apply(read(1, page(2))), seen, "not written to, so it shows the file");
        world.apply_in(child, write(0, page(1)));
        assert_eq!(world.apply(read(1, page(1))), own);
        world.apply(resize(3 * PAGE));
        for process in [0, child] {
            assert_eq!(world.apply_in(process, read(0, page(1))), BEYOND);
            assert_eq!(world.apply_in(process, read(0, page(6))), BEYOND);
        }
    });
}

#[test]
fn a_split_mapping_of_a_file_merges_again_and_keeps_its_offsets() {
    in_every_order(|world| {
        world.apply(shared(0, 8, 0));
        world.apply(mprotect(page(2), 2 * PAGE, Prot::READ));
        assert_eq!(world.areas().len(), 3);
        world.apply(mprotect(page(2), 2 * PAGE, Prot::READ_WRITE));
        assert_eq!(world.areas().len(), 1);
        world.apply(munmap(page(3), PAGE));
        world.apply(shared(3, 1, 3));
        assert_eq!(world.areas().len(), 1);
        world.apply(munmap(page(3), PAGE));
        world.apply(shared(3, 1, 4));
        assert_eq!(world.areas().len(), 3);
    });
}
