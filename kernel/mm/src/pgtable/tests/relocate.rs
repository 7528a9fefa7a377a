use super::*;

const USER_END: u64 = Page::USER_END.number();

/// Moves `from` to `to`, with a flush.
fn relocate(space: &Space<'_>, from: PageRange, to: u64) -> Relocated {
    space.tables.make_room(from, Page::new(to), &space.tlb).unwrap();
    let mut gather = space.gather();
    let relocated = space.tables.relocate(from, Page::new(to), &mut gather);
    assert_eq!(gather.finish(), Freed::default());
    space.check();
    relocated
}

#[test]
fn leaves_move_with_their_frames_and_rights() {
    let machine = Machine::with_frames(64);
    let space = Space::new(&machine);
    // Across a border at the old place, another at the new one, and holes.
    let pages = [(MIB2 - 3, ReadWrite), (MIB2 - 1, Read), (MIB2, ReadExecute), (MIB2 + 4, Protection::None)];
    let frames = pages.map(|(page, protection)| space.map(page, protection));
    let to = 5 * GIB - 6;
    assert_eq!(relocate(&space, range(MIB2 - 3, MIB2 + 5), to), Relocated { pages: 4, tables: 0 });
    for ((page, protection), frame) in pages.into_iter().zip(frames) {
        assert_eq!(space.tables.traverse(Page::new(page)), Pte::ABSENT);
        let there = space.tables.traverse(Page::new(page - (MIB2 - 3) + to));
        assert_eq!(there.view(), leaf(frame, protection));
        assert_eq!(space.access(page), None);
    }
    assert_eq!(machine.allocated(FrameKind::Anonymous), 4);
}

#[test]
fn what_moved_is_flushed_at_the_old_place() {
    let machine = Machine::with_frames(64);
    let space = Space::new(&machine);
    space.map_all([10, 14], ReadWrite);
    relocate(&space, range(8, 20), 100);
    assert_eq!(machine.take_flushes(), [Flush { scope: FlushScope::Range(range(10, 15)), tables: false }]);
    assert!(space.access(102).is_some() && space.access(106).is_some());
}

#[test]
fn where_nothing_is_nothing_is_made_moved_or_flushed() {
    let machine = Machine::with_frames(64);
    let space = Space::new(&machine);
    space.map(0, Read);
    assert_eq!(relocate(&space, range(1, 3 * GIB), 6 * GIB + 1), Relocated::default());
    assert_eq!(space.tables.tables(), 4);
    assert_eq!(machine.take_flushes(), []);
}

#[test]
fn a_table_moves_as_a_whole_where_borders_coincide() {
    let machine = Machine::with_frames(64);
    let space = Space::new(&machine);
    let frames = [MIB2 - 1, MIB2, 2 * MIB2 - 1, 2 * MIB2].map(|page| space.map(page, ReadWrite));
    let to = 3 * GIB - 1;
    let moved = relocate(&space, range(MIB2 - 1, 2 * MIB2 + 1), to);
    assert_eq!(moved, Relocated { pages: 2, tables: 1 });
    assert!(matches!(*machine.take_flushes(), [Flush { scope: FlushScope::All, tables: true }]));
    for (offset, frame) in [0, 1, MIB2, MIB2 + 1].into_iter().zip(frames) {
        assert_eq!(space.access(to + offset), Some((frame, ReadWrite)));
        assert_eq!(space.access(MIB2 - 1 + offset), None);
    }
    // Back again, into the place that the table has left.
    assert_eq!(relocate(&space, range(to, to + MIB2 + 2), MIB2 - 1), moved);
    assert_eq!(space.access(2 * MIB2 - 1), Some((frames[2], ReadWrite)));
    assert_eq!(space.access(to + MIB2), None);
}

#[test]
fn a_table_that_is_there_already_takes_the_leaves_one_by_one() {
    let machine = Machine::with_frames(64);
    let space = Space::new(&machine);
    let frame = space.map(7, Read);
    space.map(GIB + 9, Read);
    space.unmap(range(GIB + 9, GIB + 10), GIB + 1, GIB + 11);
    assert_eq!(relocate(&space, range(0, MIB2), GIB), Relocated { pages: 1, tables: 0 });
    assert_eq!(space.access(GIB + 7), Some((frame, Read)));
}

#[test]
fn without_memory_for_tables_nothing_moves_and_the_tables_made_can_be_freed() {
    let machine = Machine::with_frames(64);
    let space = Space::new(&machine);
    space.map_all([0, MIB2, MIB2 + 1, 2 * MIB2], Read);
    let (from, to) = (range(0, 2 * MIB2 + 1), 512 * GIB + MIB2 - 1);
    // Tables of levels 2 and 1, then one leaf table for each of the pages 0 to MIB2 and MIB2 + 1 to 2 * MIB2.
    for points in 0..4 {
        machine.admit_only(points);
        assert_eq!(
            space.tables.make_room(from, Page::new(to), &space.tlb),
            Err(MmError::NoMemory),
            "{points}"
        );
        machine.admit_all();
        let mut gather = space.gather();
        let there = range(to, to + from.pages());
        space.tables.free(there, Page::new(512 * GIB), Page::new(USER_END), &mut gather);
        gather.finish();
        space.check();
        assert_eq!(space.tables.tables(), 1 + 5);
        assert!([0, MIB2, 2 * MIB2].into_iter().all(|page| space.access(page).is_some()));
    }
    machine.admit_only(5);
    assert_eq!(space.tables.make_room(from, Page::new(to), &space.tlb), Ok(true));
}

#[test]
fn random_moves_agree_with_a_flat_model() {
    let machine = Machine::with_frames(4096);
    let space = Space::new(&machine);
    let mut model = std::collections::BTreeMap::new();
    let mut random = 0x2545_f491_4f6c_dd1du64;
    let mut next = |bound: u64| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random % bound
    };
    // Two worlds far apart; everything moves to and fro between them.
    let worlds = [7 * MIB2, 512 * GIB - 2 * MIB2];
    for _ in 0..600 {
        let side = next(2) as usize;
        let start = worlds[side] + next(3) * MIB2 + next(2) * next(MIB2);
        for _ in 0..next(6) {
            let page = start + next(700);
            model.entry(page).or_insert_with(|| space.map(page, ReadWrite));
        }
        let length = 1 + next(2 * MIB2);
        let from = range(start, start + length);
        let to = worlds[1 - side] + next(3) * MIB2 + next(2) * next(MIB2);
        // What is there goes before, and what is left of the old place afterwards.
        let unmap = |model: &mut std::collections::BTreeMap<u64, Frame>, gone: PageRange| {
            model.retain(|&page, _| !gone.contains(Page::new(page)));
            let floor = model.range(..gone.start().number()).next_back().map_or(0, |(&page, _)| page + 1);
            let ceiling = model.range(gone.end().number()..).next().map_or(USER_END, |(&page, _)| page);
            space.unmap(gone, floor, ceiling);
        };
        unmap(&mut model, range(to, to + length));
        relocate(&space, from, to);
        let moved: Vec<_> = model.extract_if(from.numbers(), |_, _| true).collect();
        model.extend(moved.into_iter().map(|(page, frame)| (page - start + to, frame)));
        unmap(&mut model, from);
        let mut found = std::collections::BTreeMap::new();
        space.tables.survey(|leaf| found.extend([(leaf.pages.start().number(), leaf.frame)]));
        assert_eq!(found, model);
    }
}
