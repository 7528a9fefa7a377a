//! fork: what by design is copied, and what it costs. Contents over time are the business of the `sim` crate.

use super::*;
use crate::Platform;
use crate::sync::atomic::Ordering;
use crate::tlb::{Flush, FlushScope};

fn fork<'m>(world: &World<'m>) -> World<'m> {
    let child = World { machine: world.machine, space: Box::new(world.space.fork().unwrap()) };
    child.check();
    child
}

#[test]
fn a_write_after_a_fork_copies_the_page_once_and_the_other_keeps_the_frame() {
    let machine = Machine::with_frames(64);
    let parent = World::in_order(&machine, MunmapOrder::default());
    parent.map(0, 2);
    parent.write_all(0, 2);
    let frame = parent.load(0).unwrap();
    let child = fork(&parent);
    assert_eq!((parent.load(0), child.load(0)), (Some(frame), Some(frame)));
    assert_eq!(machine.frames().reference_count(frame), 2);
    machine.take_flushes();
    assert!(child.write(0).is_resolved());
    assert_ne!(child.load(0), Some(frame));
    assert_eq!(machine.frames().reference_count(frame), 1);
    assert_eq!(machine.take_flushes().len(), 1, "the child's translation of the old frame");
    assert!(parent.write(0).is_resolved());
    assert_eq!(parent.load(0), Some(frame), "the frame is the parent's alone again, and is not copied");
    assert_eq!(machine.take_flushes(), []);
    parent.check();
    child.check();
}

#[test]
fn the_parent_forgets_its_rights_to_write_before_the_fork_is_over() {
    let machine = Machine::with_frames(64);
    let parent = World::in_order(&machine, MunmapOrder::default());
    parent.map(0, 4);
    parent.write_all(1, 3);
    machine.take_flushes();
    let _child = fork(&parent);
    assert_eq!(machine.take_flushes(), [Flush { scope: FlushScope::Range(range(1, 3)), tables: false }]);
    let _other = fork(&parent);
    assert_eq!(machine.take_flushes(), [], "there is nothing more to lose");
}

#[test]
fn a_child_has_no_tables_for_what_a_fault_brings_again() {
    let machine = Machine::with_frames(64);
    let parent = World::in_order(&machine, MunmapOrder::default());
    parent.map(0, 4);
    assert!(parent.space.fault(address(1), Access::Read).is_resolved());
    parent.mmap(8, 12, Prot::READ_WRITE, Flags::SHARED).unwrap();
    parent.write_all(8, 12);
    let child = fork(&parent);
    assert_eq!(child.space.page_tables(), 1);
    assert!(child.space.fault(address(9), Access::Read).is_resolved());
    assert_eq!(child.load(9), parent.load(9), "the frame of the object");
    assert!(child.write(10).is_resolved());
    assert_eq!(child.load(10), parent.load(10));
    child.check();
}

#[test]
fn a_page_of_a_shared_mapping_that_the_child_makes_is_the_parents_as_well() {
    let machine = Machine::with_frames(64);
    let parent = World::in_order(&machine, MunmapOrder::default());
    parent.mmap(0, 4, Prot::READ_WRITE, Flags::SHARED).unwrap();
    let child = fork(&parent);
    assert!(child.write(2).is_resolved());
    assert!(parent.space.fault(address(2), Access::Read).is_resolved());
    assert_eq!(parent.load(2), child.load(2));
    let frame = child.load(2).unwrap();
    assert_eq!(machine.frames().reference_count(frame), 3, "two entries and the object");
    drop(child);
    assert_eq!(machine.frames().reference_count(frame), 2);
    parent.munmap(2, 3).unwrap();
    assert_eq!(machine.frames().reference_count(frame), 1);
    parent.munmap(0, 4).unwrap();
    assert_eq!((machine.allocated(FrameKind::Shared), machine.allocated(FrameKind::Object)), (0, 0));
    assert_eq!(machine.objects().live(), 0);
}

#[test]
fn limits_break_stack_and_order_are_inherited_and_locks_are_not() {
    let machine = Machine::with_frames(64);
    let parent = World::in_order(&machine, MunmapOrder::Adaptive);
    parent.space.set_limits(crate::space::Limits { data: 123 << 12, ..Default::default() });
    parent.space.set_brk_start(address(100));
    assert_eq!(parent.space.brk(address(102)), address(102));
    parent.space.set_stack_top(address(12));
    parent.mmap(10, 12, Prot::READ_WRITE, Flags::PRIVATE | Flags::GROWSDOWN | Flags::LOCKED).unwrap();
    assert_eq!(parent.space.totals().locked, 2);
    let child = fork(&parent);
    assert_eq!(child.space.limits(), parent.space.limits());
    assert_eq!(child.space.brk(0), address(102));
    assert_eq!(child.vmas(), parent.vmas());
    let kinds = |world: &World<'_>| {
        let mut kinds = Vec::new();
        world.space.for_each_vma(|view| kinds.push((view.kind, view.vma.flags)));
        kinds
    };
    let unlocked = |(kind, flags)| (kind, flags - crate::vma::VmaFlags::LOCKED);
    assert_eq!(kinds(&child), kinds(&parent).into_iter().map(unlocked).collect::<Vec<_>>());
    let expected = crate::space::Totals { locked: 0, ..parent.space.totals() };
    assert_eq!(child.space.totals(), expected);
    assert_eq!(child.space.order, parent.space.order);
    assert_eq!(child.space.min_page, parent.space.min_page);
}

#[test]
fn inherited_memory_does_not_merge_with_memory_that_was_never_written_to() {
    let machine = Machine::with_frames(64);
    let parent = World::in_order(&machine, MunmapOrder::default());
    parent.map(0, 4);
    parent.write_all(0, 1);
    let child = fork(&parent);
    parent.map(4, 6);
    child.map(4, 6);
    assert_eq!(parent.vmas(), ["0..6 rw-p"]);
    assert_eq!(child.vmas(), ["0..4 rw-p", "4..6 rw-p"]);
    // What was one before is one again, and what has an identity of its own stays apart.
    child.mprotect(1, 2, Prot::READ).unwrap();
    child.mprotect(1, 2, Prot::READ_WRITE).unwrap();
    child.write_all(4, 5);
    child.mprotect(4, 6, Prot::READ).unwrap();
    child.mprotect(4, 6, Prot::READ_WRITE).unwrap();
    assert_eq!(child.vmas(), ["0..4 rw-p", "4..6 rw-p"]);
}

#[test]
fn a_fork_that_fails_leaves_no_child_and_the_parent_as_it_was() {
    for order in MunmapOrder::ALL {
        let machine = Machine::with_frames(128);
        let parent = World::in_order(&machine, order);
        parent.map(0, 6);
        parent.write_all(0, 6);
        parent.mprotect(2, 4, Prot::READ).unwrap();
        parent.mmap(6, 8, Prot::READ_WRITE, Flags::SHARED).unwrap();
        parent.write_all(6, 8);
        let (vmas, totals) = (parent.vmas(), parent.space.totals());
        let (frames, objects) = (frames_in_use(&machine), machine.vmas().statistics().in_use);
        let mut failures = 0;
        loop {
            machine.admit_only(failures);
            let result = parent.space.fork();
            machine.admit_all();
            if result.is_ok() {
                break;
            }
            assert_eq!((parent.vmas(), parent.space.totals()), (vmas.clone(), totals));
            assert_eq!((frames_in_use(&machine), machine.vmas().statistics().in_use), (frames, objects));
            parent.check();
            parent.write_all(0, 2);
            failures += 1;
        }
        // E1, the root, the tree, four VMAs with a lock and an object each, three tables.
        assert_eq!(failures, 1 + 1 + 1 + 4 * 2 + 3, "{order}");
    }
}

#[test]
fn a_fork_without_memory_for_the_last_table_leaves_nothing_behind() {
    let machine = Machine::with_frames(24);
    let parent = World::in_order(&machine, MunmapOrder::default());
    parent.map(0, 2);
    parent.write_all(0, 1);
    let taken: Vec<_> = std::iter::from_fn(|| machine.frames().alloc_frame(FrameKind::Kernel)).collect();
    // A root and two of three tables, for which the frames are taken before anything is hooked.
    taken.iter().take(3).for_each(|&frame| machine.frames().put(frame));
    assert_eq!(parent.space.fork().map(drop), Err(MmError::NoMemory));
    assert_eq!(machine.frames().statistics().free, 3);
    parent.check();
    taken.iter().skip(3).for_each(|&frame| machine.frames().put(frame));
    fork(&parent);
}

#[test]
fn a_child_can_fork_when_its_parent_is_gone() {
    let machine = Machine::with_frames(64);
    let parent = World::in_order(&machine, MunmapOrder::default());
    parent.map(0, 3);
    parent.write_all(0, 3);
    let frame = parent.load(1).unwrap();
    let child = fork(&parent);
    drop(parent);
    let grandchild = fork(&child);
    drop(child);
    assert!(grandchild.write(1).is_resolved());
    assert_eq!(grandchild.load(1), Some(frame), "nobody else has it any more");
    drop(grandchild);
    assert_eq!(frames_in_use(&machine), 0);
    machine.check();
}

#[test]
fn a_child_whose_memory_cannot_be_promised_is_not_born() {
    let machine = Machine::with_frames(64);
    let world = World::new(&machine, Config::default());
    world.map(0, 30);
    machine.commitment.mode.store(2, Ordering::Relaxed);
    machine.commitment.kbytes.store(60 * 4, Ordering::Relaxed);
    assert_eq!(world.space.fork().err(), Some(MmError::NoMemory));
    assert_eq!(machine.commitment.committed(), 30);
    machine.commitment.kbytes.store(61 * 4, Ordering::Relaxed);
    let child = world.space.fork().unwrap();
    assert_eq!(machine.commitment.committed(), 60);
    drop(child);
    assert_eq!(machine.commitment.committed(), 30);
    world.check();
}
