//! Transparent huge pages: what maps them, what splits them, and what leaves them whole.

use abi::mman::*;
use mm::HugePages;
use mm::event::Event;
use mm::frame::FrameKind;
use mm::platform::Fallible;
use mm::trace::Step;
use sim::in_every_order_with;
use sim::op::{Op, PAGE, image, madvise, mlock, mmap, mprotect, mremap, munmap, read, write};
use sim::scenario::page;
use sim::setup::Setup;
use sim::world::{Answer, World};

/// Pages of 2 MiB.
const HUGE: u64 = 512;

fn with_blocks(setup: Setup) -> Setup {
    setup.huge_pages(HugePages::Always).frames(5 * 512).samples(2)
}

/// Runs `body` in every order, with huge pages for all memory that can have them.
#[track_caller]
fn with_huge_pages(body: impl Fn(&mut World<'_>)) {
    in_every_order_with(with_blocks, body);
}

/// Pages in blocks that huge leaves map, and other pages of private memory.
fn pages(world: &World<'_>) -> (u64, u64) {
    (world.machine().allocated(FrameKind::Huge), world.machine().allocated(FrameKind::Anonymous))
}

fn events(world: &World<'_>) -> [u64; 3] {
    [Event::ThpFaultAlloc, Event::ThpFaultFallback, Event::ThpSplitPmd]
        .map(|event| world.machine().events(event))
}

/// Maps 2 MiB at page 0 and writes to one page of it.
fn map_hugely(world: &mut World<'_>) {
    world.apply(mmap(HUGE * PAGE).fixed(page(0)));
    world.apply(write(0, page(7)));
    assert_eq!(pages(world), (HUGE, 0));
}

fn word(world: &mut World<'_>, process: usize, number: u64) -> u64 {
    match world.apply_in(process, read(1, page(number))) {
        Answer::Word(word) => word,
        answer => panic!("{answer}"),
    }
}

#[test]
fn the_first_write_maps_two_mebibytes_at_once() {
    with_huge_pages(|world| {
        map_hugely(world);
        let faults = world.machine().events(Event::Fault);
        (0..HUGE).step_by(37).for_each(|number| {
            world.apply(write(0, page(number)));
        });
        assert_eq!(world.machine().events(Event::Fault), faults);
        assert_eq!((pages(world), events(world)), ((HUGE, 0), [1, 0, 0]));
    });
}

#[test]
fn a_first_read_maps_the_small_page_of_zeroes_and_what_follows_is_small() {
    with_huge_pages(|world| {
        world.apply(mmap(HUGE * PAGE).fixed(page(0)));
        world.apply(read(0, page(7)));
        assert_eq!(pages(world), (0, 0));
        world.apply(write(0, page(8)));
        assert_eq!((pages(world), events(world)), ((0, 1), [0, 0, 0]));
    });
}

#[test]
fn memory_that_cannot_have_them_or_is_advised_against_them_is_mapped_in_small_pages() {
    with_huge_pages(|world| {
        let write_small = |world: &mut World<'_>, op: Op, small: u64| {
            world.apply(op);
            world.apply(write(0, page(20)));
            assert_eq!((pages(world), events(world)), ((0, small), [0, 0, 0]), "{op}");
            world.apply(munmap(page(0), 2 * HUGE * PAGE));
        };
        // Not all of any 2 MiB, at either end.
        write_small(world, mmap((HUGE - 1) * PAGE).fixed(page(0)).into(), 1);
        write_small(world, mmap((HUGE - 1) * PAGE).fixed(page(1)).into(), 1);
        write_small(world, mmap(HUGE * PAGE).fixed(page(0)).with(Map::STACK).into(), 1);
        write_small(world, mmap(HUGE * PAGE).fixed(page(0)).shared().into(), 0);
        write_small(world, image(page(0) / PAGE, HUGE, Prot::READ_WRITE, 0), 1);
        world.apply(mmap(HUGE * PAGE).fixed(page(0)));
        write_small(world, madvise(page(0), HUGE * PAGE, MADV_NOHUGEPAGE), 1);
    });
}

#[test]
fn where_they_are_for_advised_memory_others_get_small_pages() {
    in_every_order_with(
        |setup| with_blocks(setup).huge_pages(HugePages::Advised),
        |world| {
            world.apply(mmap(3 * HUGE * PAGE).fixed(page(0)));
            world.apply(madvise(page(HUGE), 2 * HUGE * PAGE, MADV_HUGEPAGE));
            world.apply(write(0, page(1)));
            assert_eq!(pages(world), (0, 1));
            world.apply(write(0, page(HUGE)));
            assert_eq!(pages(world), (HUGE, 1));
            world.machine().set_huge_pages(HugePages::Never);
            world.apply(write(0, page(2 * HUGE)));
            assert_eq!((pages(world), events(world)), ((HUGE, 2), [1, 0, 0]));
        },
    );
}

#[test]
fn a_program_can_do_without_and_its_children_do_too() {
    with_huge_pages(|world| {
        world.apply(mmap(3 * HUGE * PAGE).fixed(page(0)));
        world.apply(madvise(page(0), HUGE * PAGE, MADV_HUGEPAGE));
        world.space().limit_huge_pages(HugePages::Advised);
        world.apply(write(0, page(HUGE)));
        assert_eq!(pages(world), (0, 1));
        world.apply(write(0, page(0)));
        assert_eq!(pages(world), (HUGE, 1));
        world.space().limit_huge_pages(HugePages::Never);
        world.apply(Op::Fork);
        assert_eq!(world.space_of(1).huge_pages(), HugePages::Never);
        world.apply_in(1, write(0, page(2 * HUGE)));
        assert_eq!(events(world), [1, 0, 0]);
    });
}

#[test]
fn without_a_block_there_is_a_small_page_and_nobody_notices() {
    in_every_order_with(
        |setup| setup.huge_pages(HugePages::Always).frames(300),
        |world| {
            world.apply(mmap(HUGE * PAGE).fixed(page(0)));
            assert!(matches!(world.apply(write(0, page(7))), Answer::Word(_)));
            world.apply(write(0, page(8)));
            // The second time there is a table, and so no block is looked for.
            assert_eq!((pages(world), events(world)), ((0, 2), [0, 1, 0]));
        },
    );
}

#[test]
fn locked_and_populated_memory_is_huge_where_it_can_be() {
    with_huge_pages(|world| {
        world.apply(mmap((2 * HUGE + 3) * PAGE).fixed(page(0)).with(Map::POPULATE));
        assert_eq!(pages(world), (2 * HUGE, 3));
        world.apply(mmap(HUGE * PAGE).fixed(page(4 * HUGE)));
        world.apply(mlock(page(4 * HUGE), HUGE * PAGE));
        assert_eq!(pages(world), (3 * HUGE, 3));
    });
}

#[test]
fn munmap_of_all_of_it_flushes_one_translation_and_frees_the_block() {
    with_huge_pages(|world| {
        map_hugely(world);
        // So that no table goes.
        world.apply(mmap(PAGE).fixed(page(HUGE)));
        world.apply(write(0, page(HUGE)));
        world.apply(munmap(page(0), HUGE * PAGE));
        assert!(world.machine().steps().contains(&Step::Flush { pages: 1 }), "{:?}", world.machine().steps());
        assert_eq!((pages(world), events(world)), ((0, 1), [1, 0, 0]));
    });
}

#[test]
fn munmap_of_a_part_splits_it_without_memory_and_frees_the_part() {
    with_huge_pages(|world| {
        map_hugely(world);
        world.apply(munmap(page(100), 200 * PAGE));
        assert!(!world.machine().points().contains(&Fallible::TableFrame), "{:?}", world.machine().points());
        assert_eq!((pages(world), events(world)), ((0, HUGE - 200), [1, 0, 1]));
        assert_ne!(word(world, 0, 7), 0);
        world.apply(munmap(page(0), HUGE * PAGE));
        assert_eq!(pages(world), (0, 0));
    });
}

#[test]
fn mprotect_of_all_of_it_leaves_it_whole_and_of_a_part_does_not() {
    with_huge_pages(|world| {
        map_hugely(world);
        for prot in [Prot::READ, Prot::NONE, Prot::READ_WRITE] {
            world.apply(mprotect(page(0), HUGE * PAGE, prot));
        }
        let faults = world.machine().events(Event::Fault);
        world.apply(write(0, page(9)));
        assert_eq!((pages(world), world.machine().events(Event::Fault)), ((HUGE, 0), faults));
        world.apply(mprotect(page(4), PAGE, Prot::READ));
        assert_eq!((pages(world), events(world)), ((0, HUGE), [1, 0, 1]));
    });
}

#[test]
fn what_is_not_needed_goes_as_a_block_and_comes_back_as_one() {
    with_huge_pages(|world| {
        map_hugely(world);
        world.apply(madvise(page(0), HUGE * PAGE, MADV_DONTNEED));
        assert_eq!((pages(world), word(world, 0, 7)), ((0, 0), 0));
        world.apply(munmap(page(0), HUGE * PAGE));
        map_hugely(world);
        world.apply(madvise(page(0), HUGE * PAGE, MADV_DONTNEED));
        world.apply(write(0, page(3)));
        assert_eq!(pages(world), (HUGE, 0));
        // Of a part only the part goes, and what comes back there is small.
        world.apply(madvise(page(5), 10 * PAGE, MADV_DONTNEED));
        assert_eq!(pages(world), (0, HUGE - 10));
        assert_ne!(word(world, 0, 3), 0);
        world.apply(write(0, page(5)));
        assert_eq!((pages(world), events(world)), ((0, HUGE - 9), [3, 0, 1]));
    });
}

#[test]
fn advice_that_changes_no_page_leaves_it_whole() {
    with_huge_pages(|world| {
        map_hugely(world);
        world.apply(madvise(page(4), 5 * PAGE, MADV_SEQUENTIAL));
        world.apply(mlock(page(100), 5 * PAGE));
        assert_eq!((pages(world), events(world)), ((HUGE, 0), [1, 0, 0]));
        // A fork leaves these pages out.
        world.apply(madvise(page(4), 5 * PAGE, MADV_DONTFORK));
        world.apply(Op::Fork);
        assert_eq!((pages(world), events(world)), ((0, HUGE), [1, 0, 1]));
    });
}

#[test]
fn a_fork_shares_the_block_and_a_write_copies_one_page() {
    with_huge_pages(|world| {
        map_hugely(world);
        world.apply(Op::Fork);
        assert_eq!(pages(world), (HUGE, 0));
        let before = word(world, 0, 7);
        world.apply_in(1, write(0, page(7)));
        // The child's leaf is split, the parent's is not, and the page that was written to is there twice.
        assert_eq!((pages(world), events(world)), ((0, HUGE + 1), [1, 0, 1]));
        assert_eq!(word(world, 0, 7), before);
        assert_ne!(word(world, 1, 7), before);
        world.apply_in(1, Op::Exit);
        assert_eq!(pages(world), (0, HUGE));
        // The block is broken: the parent's leaf is split at its next write, and nothing is copied.
        world.apply(write(0, page(9)));
        assert_eq!((pages(world), events(world)), ((0, HUGE), [1, 0, 2]));
    });
}

#[test]
fn a_block_whose_other_owner_has_gone_is_written_to_as_it_is() {
    with_huge_pages(|world| {
        map_hugely(world);
        world.apply(Op::Fork);
        assert_ne!(word(world, 1, 7), 0);
        world.apply_in(1, Op::Exit);
        world.apply(write(0, page(9)));
        assert_eq!((pages(world), events(world)), ((HUGE, 0), [1, 0, 0]));
    });
}

#[test]
fn mremap_moves_it_whole_to_a_border_and_in_pieces_elsewhere() {
    with_huge_pages(|world| {
        map_hugely(world);
        let length = HUGE * PAGE;
        world.apply(mremap(page(0), length, length).fixed(page(3 * HUGE)));
        assert_eq!(pages(world), (HUGE, 0));
        assert_ne!(word(world, 0, 3 * HUGE + 7), 0);
        world.apply(mremap(page(3 * HUGE), length, length).fixed(page(5 * HUGE + 1)));
        assert_eq!((pages(world), events(world)), ((0, HUGE), [1, 0, 1]));
        assert_ne!(word(world, 0, 5 * HUGE + 8), 0);
    });
}

#[test]
fn guards_split_it_and_can_be_removed() {
    with_huge_pages(|world| {
        map_hugely(world);
        world.apply(madvise(page(6), 3 * PAGE, MADV_GUARD_INSTALL));
        assert_eq!(pages(world), (0, HUGE - 3));
        world.apply(madvise(page(0), HUGE * PAGE, MADV_GUARD_REMOVE));
        assert_eq!(word(world, 0, 7), 0);
    });
}
