//! mprotect: splits, merges, errors part of the way, and contents that survive.

use abi::Errno;
use abi::mman::{Map, Prot};
use mm::range::USER_END;
use sim::model::Fault;
use sim::op::{Op, PAGE, execute, mmap, mprotect, munmap, read, write};
use sim::scenario::{areas, map_and_write, page};
use sim::world::Answer;
use sim::{in_every_order, in_every_order_with};

const DONE: Answer = Answer::Returned(0);
const DENIED: Answer = Answer::Killed(Fault::Denied);

#[test]
fn the_middle_is_split_off_and_merges_again() {
    in_every_order(|world| {
        map_and_write(world, 0, 6);
        assert_eq!(world.apply(mprotect(page(2), 2 * PAGE, Prot::READ)), DONE);
        assert_eq!(areas(world), [(0, 2), (2, 4), (4, 6)]);
        assert_eq!(world.apply(write(0, page(2))), DENIED);
        assert_eq!(world.apply(mprotect(page(2), 2 * PAGE, Prot::READ_WRITE)), DONE);
        assert_eq!(areas(world), [(0, 6)]);
        assert!(matches!(world.apply(write(1, page(2))), Answer::Word(_)));
    });
}

#[test]
fn a_border_between_two_areas_moves_both_ways() {
    in_every_order(|world| {
        map_and_write(world, 0, 6);
        world.apply(mprotect(page(3), 3 * PAGE, Prot::READ));
        assert_eq!(world.apply(mprotect(page(2), PAGE, Prot::READ)), DONE);
        assert_eq!(areas(world), [(0, 2), (2, 6)]);
        assert_eq!(world.apply(mprotect(page(2), 2 * PAGE, Prot::READ_WRITE)), DONE);
        assert_eq!(areas(world), [(0, 4), (4, 6)]);
    });
}

#[test]
fn a_range_over_many_areas_makes_one_of_them() {
    in_every_order(|world| {
        map_and_write(world, 0, 9);
        world.apply(mprotect(page(3), 3 * PAGE, Prot::READ));
        world.apply(mprotect(page(6), 3 * PAGE, Prot::NONE));
        assert_eq!(areas(world).len(), 3);
        assert_eq!(world.apply(mprotect(page(1), 7 * PAGE, Prot::READ)), DONE);
        assert_eq!(areas(world), [(0, 1), (1, 8), (8, 9)]);
    });
}

#[test]
fn prot_none_keeps_the_contents() {
    in_every_order(|world| {
        map_and_write(world, 0, 4);
        let before = world.apply(read(0, page(1)));
        assert_eq!(world.apply(mprotect(page(0), 4 * PAGE, Prot::NONE)), DONE);
        for cpu in 0..3 {
            assert_eq!(world.apply(read(cpu, page(1))), DENIED);
            assert_eq!(world.apply(execute(cpu, page(1))), DENIED);
        }
        // Also through a munmap beside it.
        world.apply(munmap(page(0), PAGE));
        assert_eq!(world.apply(mprotect(page(1), 3 * PAGE, Prot::READ)), DONE);
        assert_eq!(world.apply(read(2, page(1))), before);
    });
}

#[test]
fn rights_that_were_taken_are_gone_from_every_tlb() {
    in_every_order(|world| {
        map_and_write(world, 0, 2);
        world.apply(mprotect(page(0), 2 * PAGE, Prot::READ | Prot::EXEC | Prot::WRITE));
        for _ in 0..4 {
            for cpu in 0..3 {
                world.apply(execute(cpu, page(0)));
                world.apply(write(cpu, page(1)));
            }
        }
        world.apply(mprotect(page(0), 2 * PAGE, Prot::READ));
        for cpu in 0..3 {
            assert_eq!(world.apply(execute(cpu, page(0))), DENIED);
            assert_eq!(world.apply(write(cpu, page(1))), DENIED);
            assert!(matches!(world.apply(read(cpu, page(1))), Answer::Word(_)));
        }
    });
}

#[test]
fn on_x86_whatever_has_a_right_can_be_read() {
    in_every_order(|world| {
        world.apply(mmap(PAGE).fixed(page(0)).prot(Prot::WRITE));
        world.apply(mmap(PAGE).fixed(page(2)).prot(Prot::EXEC));
        assert_eq!(world.apply(read(0, page(0))), Answer::Word(0));
        assert_eq!(world.apply(read(0, page(2))), Answer::Word(0));
        assert_eq!(world.apply(execute(0, page(0))), DENIED);
        assert_eq!(world.apply(write(0, page(2))), DENIED);
    });
}

#[test]
fn an_untouched_page_of_zeroes_that_becomes_writable_is_copied_when_written() {
    in_every_order(|world| {
        world.apply(mmap(2 * PAGE).fixed(page(0)).prot(Prot::READ));
        for cpu in 0..3 {
            assert_eq!(world.apply(read(cpu, page(0))), Answer::Word(0));
            assert_eq!(world.apply(read(cpu, page(1))), Answer::Word(0));
        }
        world.apply(mprotect(page(0), 2 * PAGE, Prot::READ_WRITE));
        let word = world.apply(write(0, page(0)));
        for cpu in 0..3 {
            assert_eq!(world.apply(read(cpu, page(0))), word);
            assert_eq!(world.apply(read(cpu, page(1))), Answer::Word(0));
        }
    });
}

#[test]
fn a_hole_ends_the_change_and_what_came_before_stays() {
    in_every_order(|world| {
        map_and_write(world, 0, 2);
        map_and_write(world, 4, 2);
        assert_eq!(world.apply(mprotect(page(0), 6 * PAGE, Prot::READ)), Answer::Failed(Errno::ENOMEM));
        assert_eq!(world.apply(write(0, page(0))), DENIED);
        assert!(matches!(world.apply(write(0, page(4))), Answer::Word(_)));
        // A range that begins in a hole changes nothing.
        assert_eq!(world.apply(mprotect(page(3), 3 * PAGE, Prot::READ)), Answer::Failed(Errno::ENOMEM));
        assert!(matches!(world.apply(write(0, page(4))), Answer::Word(_)));
    });
}

#[test]
fn wild_arguments_get_their_errno_and_change_nothing() {
    in_every_order(|world| {
        map_and_write(world, 0, 2);
        let wild = |address, length, prot| Op::Mprotect { address, length, prot };
        let (down, up) = (Prot::GROWSDOWN.bits(), Prot::GROWSUP.bits());
        for (op, answer) in [
            (wild(page(0) + 1, PAGE, 1), Answer::Failed(Errno::EINVAL)),
            (wild(page(0), PAGE, 0x10), Answer::Failed(Errno::EINVAL)),
            (wild(page(0), PAGE, 1 << 40), Answer::Failed(Errno::EINVAL)),
            (wild(page(0), PAGE, 1 | down | up), Answer::Failed(Errno::EINVAL)),
            (wild(page(0), PAGE, 1 | down), Answer::Failed(Errno::EINVAL)),
            (wild(page(0), PAGE, 1 | up), Answer::Failed(Errno::EINVAL)),
            (wild(page(0), 0, 0x10), DONE),
            (wild(page(9), 0, 1), DONE),
            (wild(page(0), u64::MAX, 1), Answer::Failed(Errno::ENOMEM)),
            (wild(page(0), u64::MAX - page(0) + 1, 1), Answer::Failed(Errno::ENOMEM)),
            (wild(page(0), !(PAGE - 1), 1), Answer::Failed(Errno::ENOMEM)),
            (wild(USER_END, PAGE, 1), Answer::Failed(Errno::ENOMEM)),
            (wild(!(PAGE - 1), PAGE, 1), Answer::Failed(Errno::ENOMEM)),
        ] {
            assert_eq!(world.apply(op), answer, "{op}");
        }
        assert!(matches!(world.apply(write(0, page(1))), Answer::Word(_)));
    });
}

#[test]
fn growsdown_reaches_to_the_start_of_the_stack() {
    in_every_order(|world| {
        world.apply(mmap(4 * PAGE).fixed(page(0)).with(Map::GROWSDOWN));
        let prot = (Prot::READ | Prot::GROWSDOWN).bits();
        assert_eq!(world.apply(Op::Mprotect { address: page(3), length: PAGE, prot }), DONE);
        assert_eq!(areas(world), [(0, 4)]);
        assert_eq!(world.apply(write(0, page(0))), DENIED);
    });
}

#[test]
fn a_split_at_map_count_limit_is_enomem() {
    in_every_order_with(
        |setup| setup.max_map_count(2),
        |world| {
            map_and_write(world, 0, 4);
            // Two splits are needed; the first succeeds and stays.
            assert_eq!(world.apply(mprotect(page(1), PAGE, Prot::READ)), Answer::Failed(Errno::ENOMEM));
            assert_eq!(areas(world), [(0, 1), (1, 4)]);
            assert!(matches!(world.apply(write(0, page(1))), Answer::Word(_)));
        },
    );
}

#[test]
fn committed_memory_that_was_written_stays_committed() {
    in_every_order(|world| {
        map_and_write(world, 0, 2);
        world.apply(mprotect(page(0), 2 * PAGE, Prot::READ));
        // Never writable, so never committed: not the same kind of memory.
        world.apply(mmap(2 * PAGE).fixed(page(2)).prot(Prot::READ));
        assert_eq!(areas(world), [(0, 2), (2, 4)]);
        // Made writable and read-only again without a write, it is as new.
        world.apply(mmap(PAGE).fixed(page(6)));
        world.apply(mprotect(page(6), PAGE, Prot::READ));
        world.apply(mmap(PAGE).fixed(page(7)).prot(Prot::READ));
        assert_eq!(areas(world), [(0, 2), (2, 4), (6, 8)]);
    });
}

#[test]
fn locked_memory_that_becomes_writable_is_there_at_once() {
    in_every_order(|world| {
        world.apply(mmap(2 * PAGE).fixed(page(0)).prot(Prot::READ).with(Map::LOCKED));
        world.apply(mprotect(page(0), 2 * PAGE, Prot::READ_WRITE));
        // It is as if it had been written to: it stays committed, and so different from what never was.
        world.apply(mprotect(page(0), PAGE, Prot::READ));
        world.apply(mmap(PAGE).fixed(page(4)).prot(Prot::READ).with(Map::LOCKED));
        let frames = world.machine().free_frames();
        world.apply(write(0, page(1)));
        assert_eq!(world.machine().free_frames(), frames);
    });
}

#[test]
fn parts_of_one_shared_mapping_merge_again_and_different_ones_never() {
    in_every_order(|world| {
        world.apply(mmap(4 * PAGE).fixed(page(0)).shared());
        world.apply(mmap(4 * PAGE).fixed(page(4)).shared());
        let word = world.apply(write(0, page(2)));
        world.apply(mprotect(page(2), 4 * PAGE, Prot::READ));
        assert_eq!(areas(world), [(0, 2), (2, 4), (4, 6), (6, 8)]);
        assert_eq!(world.apply(read(1, page(2))), word);
        world.apply(mprotect(page(0), 8 * PAGE, Prot::READ_WRITE));
        assert_eq!(areas(world), [(0, 4), (4, 8)]);
        assert_eq!(world.apply(read(2, page(2))), word);
    });
}
