//! Page faults: zeroes on demand, the page of zeroes and its upgrade, accesses that kill, and memory that runs out.

use abi::mman::{Map, Prot};
use mm::frame::FrameKind;
use mm::range::USER_END;
use sim::model::Fault;
use sim::op::{PAGE, execute, mmap, munmap, read, write};
use sim::scenario::page;
use sim::world::Answer;
use sim::{in_every_order, in_every_order_with};

const GONE: Answer = Answer::Killed(Fault::Unmapped);
const DENIED: Answer = Answer::Killed(Fault::Denied);

#[test]
fn reads_share_the_page_of_zeroes_until_a_write() {
    in_every_order(|world| {
        world.apply(mmap(4 * PAGE).fixed(page(0)));
        for number in 0..4 {
            for cpu in 0..3 {
                assert_eq!(world.apply(read(cpu, page(number))), Answer::Word(0));
            }
        }
        assert_eq!(world.machine().allocated(FrameKind::Anonymous), 0);
        let word = world.apply(write(1, page(2)));
        assert_eq!(world.machine().allocated(FrameKind::Anonymous), 1);
        for cpu in 0..3 {
            assert_eq!(world.apply(read(cpu, page(2))), word);
            assert_eq!(world.apply(read(cpu, page(1))), Answer::Word(0));
        }
    });
}

#[test]
fn shared_memory_never_maps_the_page_of_zeroes() {
    in_every_order(|world| {
        world.apply(mmap(2 * PAGE).fixed(page(0)).shared());
        assert_eq!(world.apply(read(0, page(0))), Answer::Word(0));
        assert_eq!(world.apply(read(1, page(1))), Answer::Word(0));
        let word = world.apply(write(2, page(0)));
        assert_eq!(world.apply(read(0, page(0))), word);
    });
}

#[test]
fn accesses_outside_of_everything_are_maperr() {
    in_every_order(|world| {
        world.apply(mmap(PAGE).fixed(page(0)));
        for address in [0, 8, page(1), page(0) - 8, USER_END, 1 << 47, u64::MAX - 7, u64::MAX << 47] {
            assert_eq!(world.apply(read(0, address)), GONE, "{address:#x}");
            assert_eq!(world.apply(write(1, address)), GONE, "{address:#x}");
            assert_eq!(world.apply(execute(2, address)), GONE, "{address:#x}");
        }
    });
}

#[test]
fn accesses_that_the_mapping_forbids_are_accerr() {
    in_every_order(|world| {
        for (number, prot) in
            [Prot::NONE, Prot::READ, Prot::READ_WRITE, Prot::READ | Prot::EXEC].into_iter().enumerate()
        {
            let address = page(2 * number as u64);
            world.apply(mmap(PAGE).fixed(address).prot(prot));
            for cpu in 0..2 {
                assert_eq!(world.apply(read(cpu, address)) == DENIED, prot.is_empty());
                assert_eq!(world.apply(write(cpu, address)) == DENIED, !prot.contains(Prot::WRITE));
                assert_eq!(world.apply(execute(cpu, address)) == DENIED, !prot.contains(Prot::EXEC));
            }
        }
    });
}

#[test]
fn when_memory_runs_out_faults_say_so_and_munmap_gives_it_back() {
    // 24 frames: three tables besides the root, the rest for pages.
    in_every_order_with(
        |setup| setup.frames(24).samples(0),
        |world| {
            world.apply(mmap(64 * PAGE).fixed(page(0)));
            let free = world.machine().free_frames();
            for number in 0..free - 3 {
                assert!(matches!(world.apply(write(0, page(number))), Answer::Word(_)));
            }
            assert_eq!(world.machine().free_frames(), 0);
            assert_eq!(world.apply(write(1, page(free))), Answer::OutOfMemory);
            // What is there can still be used, and read faults need no frame.
            assert_eq!(world.apply(read(1, page(free + 1))), Answer::Word(0));
            assert!(matches!(world.apply(write(1, page(0))), Answer::Word(_)));
            assert_eq!(world.apply(munmap(page(1), PAGE)), Answer::Returned(0));
            assert!(matches!(world.apply(write(1, page(free))), Answer::Word(_)));
        },
    );
}

#[test]
fn a_populating_mmap_that_runs_out_of_memory_keeps_what_it_has() {
    in_every_order_with(
        |setup| setup.frames(24).samples(0),
        |world| {
            let answer = world.apply(mmap(64 * PAGE).fixed(page(0)).with(Map::POPULATE));
            assert_eq!(answer, Answer::Returned(page(0)));
            assert_eq!(world.machine().free_frames(), 0);
            assert!(matches!(world.apply(write(1, page(0))), Answer::Word(_)));
            assert_eq!(world.apply(munmap(page(0), 64 * PAGE)), Answer::Returned(0));
            assert_eq!(world.space().page_tables(), 1);
        },
    );
}

#[test]
fn three_tables_for_one_page_and_none_when_one_of_them_fails() {
    in_every_order_with(
        |setup| setup.frames(4).samples(0),
        |world| {
            // Root, then three frames: a page needs three tables and itself.
            world.apply(mmap(PAGE).fixed(page(0)));
            assert_eq!(world.apply(write(0, page(0))), Answer::OutOfMemory);
            assert_eq!(world.apply(munmap(page(0), PAGE)), Answer::Returned(0));
            assert_eq!(world.machine().free_frames(), 3);
        },
    );
}
