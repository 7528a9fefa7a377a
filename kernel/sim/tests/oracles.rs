//! The checkers are checked: what a broken memory manager would do is done by hand, and must be found.

use mm::Platform;
use mm::frame::{Frame, FrameKind};
use mm::platform::Cpu;
use mm::space::MunmapOrder;
use mm::tlb::{Flush, FlushScope};
use sim::op::{PAGE, mmap, read, write};
use sim::scenario::BASE;
use sim::setup::Setup;
use sim::world::World;

/// Maps and writes four pages, then lets `mischief` happen, and expects a failure that says `message`.
fn is_found(mischief: impl FnOnce(&mut World<'_>), message: &str) {
    let result = World::run(Setup::new(MunmapOrder::default()), |world| {
        world.apply(mmap(4 * PAGE).fixed(BASE));
        for number in 0..4 {
            world.apply(write(number % 2, BASE + u64::from(number) * PAGE));
        }
        mischief(world);
        world.check("the mischief");
    });
    let failure = result.expect_err("nothing was found");
    assert!(failure.contains(message), "found something else: {failure}");
}

/// The first allocated frame of a kind, but not the root of the page tables, which a processor has in a register.
fn frame_of(world: &World<'_>, kind: FrameKind) -> Frame {
    let (frames, root) = (world.machine().frames(), world.space().root());
    (1..1024)
        .map(Frame::new)
        .find(|frame| frames.kind(*frame) == kind && *frame != root)
        .expect("there is one")
}

#[test]
fn a_frame_that_is_freed_while_a_tlb_knows_it_is_found() {
    is_found(
        |world| world.machine().frames().put(frame_of(world, FrameKind::Anonymous)),
        "still translates page",
    );
}

#[test]
fn a_page_table_that_is_freed_while_it_is_cached_is_found() {
    is_found(|world| world.machine().frames().put(frame_of(world, FrameKind::Table)), "cached as the level");
}

#[test]
fn a_mapped_frame_that_is_freed_is_found_when_no_tlb_knows_it() {
    is_found(
        |world| {
            world.machine().flush(world.space().tlb(), Flush { scope: FlushScope::All, tables: true });
            world.machine().frames().put(frame_of(world, FrameKind::Anonymous));
        },
        "is mapped to frame",
    );
}

#[test]
fn a_frame_with_a_reference_too_many_is_found() {
    is_found(
        |world| world.machine().frames().get(frame_of(world, FrameKind::Anonymous)),
        "2 references, but 1 entries",
    );
}

#[test]
fn a_frame_that_nobody_maps_is_found() {
    is_found(
        |world| {
            world.machine().frames().alloc_frame(FrameKind::Anonymous).expect("memory");
        },
        "1 references, but 0 entries",
    );
}

#[test]
fn a_page_table_that_nobody_uses_is_found() {
    is_found(
        |world| {
            world.machine().frames().alloc_frame(FrameKind::Table).expect("memory");
        },
        "is allocated as a page table, but is in none",
    );
}

#[test]
fn content_that_changes_behind_the_program_is_found() {
    is_found(
        |world| {
            let frame = frame_of(world, FrameKind::Zero);
            world.machine().table(frame).set(5, mm::pgtable::Pte::from_bits(7));
        },
        "is used as a page table, but is Zero",
    );
}

#[test]
fn a_write_to_a_free_frame_is_found() {
    is_found(
        |world| {
            let frame = world.machine().frames().alloc_frame(FrameKind::Table).expect("memory");
            let table = world.machine().table(frame);
            (0..512).for_each(|index| table.set(index, mm::pgtable::Pte::from_bits(7)));
            world.machine().frames().put(frame);
        },
        "is free, and somebody wrote to it",
    );
}

#[test]
fn a_cpu_that_a_flush_leaves_out_is_found() {
    let result = World::run(Setup::new(MunmapOrder::default()), |world| {
        world.apply(mmap(PAGE).fixed(BASE));
        for _ in 0..8 {
            world.apply(read(1, BASE));
        }
        // Flushes do not reach this CPU any more, though it goes on.
        world.space().tlb().unload(Cpu(1));
        world.apply(write(0, BASE));
    });
    let failure = result.expect_err("nothing was found");
    assert!(failure.contains("the TLB of Cpu(1) is stale"), "found something else: {failure}");
}

#[test]
fn a_failing_program_prints_as_the_test_that_repeats_it() {
    use sim::op::{Op, munmap};
    use sim::strategy::Program;
    let program = Program {
        setup: Setup::new(MunmapOrder::Vms).max_map_count(3),
        ops: vec![
            (0, mmap(2 * PAGE).fixed(BASE).into(), None),
            (0, write(1, BASE + 8), None),
            (0, Op::Fork, None),
            (0, munmap(BASE, 1), Some(2)),
            (1, write(0, BASE), None),
            (1, Op::Fork, Some(1)),
        ],
    };
    let expected = "World::run(Setup::new(MunmapOrder::Vms).max_map_count(0x3), |world| {
    world.apply(Mmap { address: 0x10000000, length: 2 * PAGE, prot: 0x3, flags: 0x32 });
    world.apply(write(1, 0x10000008));
    world.apply(Op::Fork);
    world.attempt(munmap(0x10000000, 0x1), 2);
    world.apply_in(1, write(0, 0x10000000));
    world.attempt_in(1, Op::Fork, 1);
})";
    assert_eq!(format!("{program:?}"), expected);
    // And so it is one.
    use sim::op::Mmap;
    let printed = World::run(Setup::new(MunmapOrder::Vms).max_map_count(0x3), |world| {
        world.apply(Mmap { address: 0x10000000, length: 2 * PAGE, prot: 0x3, flags: 0x32 });
        world.apply(write(1, 0x10000008));
        world.apply(Op::Fork);
        world.attempt(munmap(0x10000000, 0x1), 2);
        world.apply_in(1, write(0, 0x10000000));
        world.attempt_in(1, Op::Fork, 1);
    });
    assert_eq!((program.run(), printed), (Ok(()), Ok(())));
}
