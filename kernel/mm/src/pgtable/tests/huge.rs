use super::*;
use crate::schedule::Point;

/// The frame number `at` of a block.
fn frame_in(block: Frame, at: u64) -> Frame {
    Frame::new(block.number() + at as u32)
}

fn huge(block: Frame, protection: Protection) -> PteView {
    PteView::Leaf { frame: block, protection, size: PageSize::Huge }
}

/// What there is: first pages, frames, protections and sizes.
fn leaves(space: &Space<'_>) -> Vec<(u64, Frame, Protection, PageSize)> {
    let mut found = Vec::new();
    space
        .tables
        .survey(|leaf| found.push((leaf.pages.start().number(), leaf.frame, leaf.protection, leaf.size)));
    found
}

#[test]
fn a_huge_leaf_maps_all_its_pages_and_takes_a_table_to_be_kept() {
    let machine = Machine::with_frames(2048);
    let space = Space::new(&machine);
    assert!(space.tables.has_room_for_huge(Page::new(MIB2 + 7)));
    let block = space.map_huge(MIB2, ReadWrite);
    for at in [0, 1, 300, 511] {
        assert_eq!(space.access(MIB2 + at), Some((frame_in(block, at), ReadWrite)));
        assert_eq!(space.tables.traverse(Page::new(MIB2 + at)).view(), huge(block, ReadWrite));
    }
    for outside in [MIB2 - 1, 2 * MIB2] {
        assert_eq!(space.access(outside), None);
        assert_eq!(space.tables.traverse(Page::new(outside)), Pte::ABSENT);
    }
    assert!(!space.tables.has_room_for_huge(Page::new(MIB2 + 7)));
    // The root, two on the way, and the one that is kept.
    assert_eq!(space.tables.tables(), 4);
    assert_eq!(machine.allocated(FrameKind::Huge), 512);
    space.check();
}

#[test]
fn a_huge_leaf_and_a_leaf_table_exclude_each_other() {
    let machine = Machine::with_frames(2048);
    let space = Space::new(&machine);
    let (small, block) = (space.map(5, Read), machine.frames().alloc_huge().unwrap());
    assert!(!space.tables.has_room_for_huge(Page::ZERO));
    let found = space.tables.install_huge(Page::ZERO, block, ReadWrite);
    assert!(matches!(found, Ok(Installed::Occupied(entry)) if !entry.is_leaf()), "{found:?}");
    assert_eq!(space.tables.install_huge(Page::new(MIB2), block, ReadWrite), Ok(Installed::New));
    let another = machine.data_frame(1);
    let found = space.tables.install(Page::new(MIB2 + 9), another, Read);
    assert_eq!(found, Ok(Installed::Occupied(Pte::huge_leaf(block, ReadWrite))));
    machine.frames().put(another);
    assert_eq!(space.access(5), Some((small, Read)));
    space.check();
}

#[test]
fn a_failed_install_of_a_huge_leaf_leaves_nothing_behind() {
    let machine = Machine::with_frames(2048);
    let space = Space::new(&machine);
    let block = machine.frames().alloc_huge().unwrap();
    for points in 0..3 {
        machine.admit_only(points);
        assert_eq!(space.tables.install_huge(Page::ZERO, block, Read), Err(MmError::NoMemory));
        assert_eq!(machine.take_refused(), [Fallible::TableFrame]);
        assert_eq!((space.tables.tables(), machine.allocated(FrameKind::Table)), (1, 1));
    }
    machine.admit_only(3);
    assert_eq!(space.tables.install_huge(Page::ZERO, block, Read), Ok(Installed::New));
    machine.admit_all();
    space.check();
}

#[test]
fn a_zap_of_all_of_it_frees_the_block_after_a_flush_of_one_translation() {
    let machine = Machine::with_frames(2048);
    let space = Space::new(&machine);
    space.map(2 * MIB2, Read);
    space.map_huge(MIB2, ReadWrite);
    let mut gather = space.gather();
    assert_eq!(space.tables.zap(range(MIB2, 2 * MIB2), &mut gather), 512);
    assert_eq!(machine.allocated(FrameKind::Huge), 512);
    assert_eq!(gather.finish(), Freed { pages: 512, tables: 0 });
    let scope = FlushScope::Huge(range(MIB2, 2 * MIB2));
    assert_eq!(machine.take_flushes(), [Flush { scope, tables: false }]);
    assert_eq!(scope.single_pages(), 1);
    assert_eq!(machine.allocated(FrameKind::Huge), 0);
    assert_eq!(space.access(MIB2 + 1), None);
    assert!(space.tables.has_room_for_huge(Page::new(MIB2)));
    space.check();
}

#[test]
fn small_and_huge_leaves_that_go_together_are_flushed_as_small_ones() {
    let machine = Machine::with_frames(2048);
    let space = Space::new(&machine);
    space.map_huge(0, ReadWrite);
    space.map(MIB2, Read);
    let freed = space.unmap(range(0, MIB2 + 1), 0, Page::USER_END.number());
    assert_eq!(freed, Freed { pages: 513, tables: 3 });
    assert_eq!(machine.take_flushes(), [Flush { scope: FlushScope::All, tables: true }]);
    let mut gather = space.gather();
    gather.touch_huge(range(0, 33 * MIB2));
    gather.finish();
    let mut gather = space.gather();
    gather.touch_huge(range(0, 34 * MIB2));
    gather.finish();
    let scopes = [FlushScope::Huge(range(0, 33 * MIB2)), FlushScope::All];
    assert_eq!(machine.take_flushes(), scopes.map(|scope| Flush { scope, tables: false }));
}

#[test]
fn a_zap_of_a_part_splits_it_and_frees_the_part_only() {
    let machine = Machine::with_frames(2048);
    for (start, end) in [(0, 1), (1, 512), (100, 200), (0, 511)] {
        let space = Space::new(&machine);
        let block = space.map_huge(MIB2, ReadWrite);
        let mut gather = space.gather();
        machine.admit_only(0);
        let zapped = space.tables.zap(range(MIB2 + start, MIB2 + end), &mut gather);
        machine.admit_all();
        assert_eq!((zapped, gather.finish()), (end - start, Freed { pages: end - start, tables: 0 }));
        assert_eq!(machine.allocated(FrameKind::Anonymous), 512 - (end - start));
        for at in 0..512 {
            let left = !(start..end).contains(&at);
            let expected = left.then_some((frame_in(block, at), ReadWrite));
            assert_eq!(space.access(MIB2 + at), expected, "page {at}");
            assert!(!left || machine.word(frame_in(block, at)) == at);
        }
        assert_eq!(space.tables.tables(), 4);
        space.check();
    }
    machine.check();
}

#[test]
fn a_split_flushes_the_huge_translation_before_small_ones_can_be_made() {
    let machine = Machine::with_frames(2048);
    let space = Space::new(&machine);
    let block = space.map_huge(0, ReadExecute);
    space.tables.split(Page::new(77), &space.tlb);
    assert_eq!(machine.take_flushes(), [Flush { scope: FlushScope::Huge(range(0, MIB2)), tables: false }]);
    assert_eq!(machine.take_events(), [crate::event::Event::ThpSplitPmd]);
    let expected: Vec<_> =
        (0..512).map(|at| (at, frame_in(block, at), ReadExecute, PageSize::Small)).collect();
    assert_eq!(leaves(&space), expected);
    assert_eq!((machine.allocated(FrameKind::Huge), machine.allocated(FrameKind::Anonymous)), (0, 512));
    // There is nothing left to be split, and nobody to be waited for.
    space.tables.split(Page::new(77), &space.tlb);
    space.tables.split(Page::new(MIB2), &space.tlb);
    space.tables.wait_for_split(Page::new(77));
    assert_eq!(machine.take_flushes(), []);
    space.check();
}

#[test]
fn protect_changes_all_of_it_as_one_and_a_part_by_a_split() {
    let machine = Machine::with_frames(2048);
    let space = Space::new(&machine);
    let block = space.map_huge(0, ReadWrite);
    let protect = |start, end, protection| {
        let mut gather = space.gather();
        space.tables.protect(range(start, end), protection, Writable::IfExclusive, &mut gather);
        gather.finish();
    };
    protect(0, MIB2, Protection::None);
    assert_eq!(leaves(&space), [(0, block, Protection::None, PageSize::Huge)]);
    assert_eq!(space.access(9), None);
    protect(0, 2 * MIB2, ReadWrite);
    assert_eq!(leaves(&space), [(0, block, ReadWrite, PageSize::Huge)]);
    assert_eq!(machine.take_flushes().len(), 1);
    assert_eq!(space.access(9), Some((frame_in(block, 9), ReadWrite)));
    protect(8, 10, Read);
    let rights = |at| space.access(at).map(|(_, protection)| protection);
    assert_eq!([7, 8, 9, 10].map(rights), [ReadWrite, Read, Read, ReadWrite].map(Some));
    space.check();
}

#[test]
fn guards_take_the_place_of_a_part() {
    let machine = Machine::with_frames(2048);
    let space = Space::new(&machine);
    space.map_huge(0, ReadWrite);
    let mut gather = space.gather();
    assert_eq!(space.tables.install_guards(range(500, 600), &mut gather), Ok(()));
    assert_eq!(gather.finish().pages, 12);
    assert_eq!(space.tables.traverse(Page::new(500)), Pte::GUARD);
    assert!(space.access(499).is_some() && space.access(500).is_none());
    space.tables.remove_guards(range(0, MIB2));
    assert_eq!(space.tables.traverse(Page::new(500)), Pte::ABSENT);
    space.check();
}

#[test]
fn a_copy_shares_the_block_until_one_of_them_splits_it() {
    let machine = Machine::with_frames(2048);
    let (parent, child) = (Space::new(&machine), Space::new(&machine));
    let block = parent.map_huge(0, ReadWrite);
    let mut gather = parent.gather();
    assert_eq!(parent.tables.copy_to(&child.tables).leaves(range(0, MIB2), &mut gather), Ok(()));
    gather.finish();
    assert_eq!(machine.take_flushes(), [Flush { scope: FlushScope::Huge(range(0, MIB2)), tables: false }]);
    for space in [&parent, &child] {
        assert_eq!(leaves(space), [(0, block, Read, PageSize::Huge)]);
        assert_eq!(space.access(300), Some((frame_in(block, 300), Read)));
    }
    assert_eq!(machine.frames().reference_count(block), 2);
    assert!(!machine.frames().is_exclusive(block, PageSize::Huge));
    child.tables.split(Page::new(4), &child.tlb);
    assert_eq!(leaves(&parent), [(0, block, Read, PageSize::Huge)]);
    assert!((0..512).all(|at| machine.frames().reference_count(frame_in(block, at)) == 2));
    child.unmap(range(0, MIB2), 0, Page::USER_END.number());
    // What is left of the block is the parent's, frame by frame.
    assert_eq!((machine.allocated(FrameKind::Huge), machine.allocated(FrameKind::Anonymous)), (0, 512));
    assert!(!machine.frames().is_exclusive(block, PageSize::Huge));
    assert_eq!(parent.unmap(range(0, MIB2), 0, Page::USER_END.number()).pages, 512);
    assert_eq!(machine.allocated(FrameKind::Anonymous), 0);
}

#[test]
fn a_copy_without_memory_for_the_table_to_be_kept_fails() {
    let machine = Machine::with_frames(2048);
    let (parent, child) = (Space::new(&machine), Space::new(&machine));
    let block = parent.map_huge(0, ReadWrite);
    for points in 0..3 {
        machine.admit_only(points);
        let mut gather = parent.gather();
        let copied = parent.tables.copy_to(&child.tables).leaves(range(0, MIB2), &mut gather);
        machine.admit_all();
        gather.finish();
        assert_eq!(copied, Err(MmError::NoMemory));
        assert!(machine.frames().is_exclusive(block, PageSize::Huge));
        child.unmap(range(0, MIB2), 0, Page::USER_END.number());
    }
}

#[test]
fn it_moves_as_a_whole_where_it_fits_and_is_split_where_it_does_not() {
    let machine = Machine::with_frames(2048);
    for (to, size) in
        [(5 * MIB2, PageSize::Huge), (GIB + 2 * MIB2, PageSize::Huge), (5 * MIB2 + 1, PageSize::Small)]
    {
        let space = Space::new(&machine);
        let block = space.map_huge(MIB2, ReadWrite);
        let from = range(MIB2, 2 * MIB2);
        assert_eq!(space.tables.make_room(from, Page::new(to), &space.tlb), Ok(true));
        let mut gather = space.gather();
        let relocated = space.tables.relocate(from, Page::new(to), &mut gather);
        gather.finish();
        let pages = if size == PageSize::Huge { 1 } else { 512 };
        assert_eq!(relocated, Relocated { pages, tables: 0 });
        let found = leaves(&space);
        assert_eq!((found.len() as u64, found[0]), (pages, (to, block, ReadWrite, size)));
        assert_eq!(space.access(MIB2 + 3), None);
        assert_eq!(space.access(to + 3), Some((frame_in(block, 3), ReadWrite)));
        space.check();
    }
}

#[test]
fn whoever_meets_a_split_under_way_waits_until_it_is_over() {
    let machine = Machine::with_frames(2048);
    let space = Space::new(&machine);
    let block = space.map_huge(0, ReadWrite);
    // As if another thread had begun to split it.
    let above = space.tables.level_one(Page::ZERO).unwrap().1;
    let leaf = above.get(0);
    above.set(0, leaf.splitting());
    assert_eq!(space.tables.traverse(Page::new(3)).view(), huge(block, Protection::None));
    assert!(space.tables.traverse(Page::new(3)).is_splitting());
    let mut gather = space.gather();
    std::thread::scope(|scope| {
        let other = scope.spawn(|| {
            std::thread::yield_now();
            above.set(0, leaf);
        });
        assert_eq!(space.tables.zap(range(0, MIB2), &mut gather), 512);
        other.join().unwrap();
    });
    assert_eq!(gather.finish().pages, 512);
    assert_eq!(Point::SplitLeaf(Page::ZERO).to_string(), "split leaf over 0x0");
}
