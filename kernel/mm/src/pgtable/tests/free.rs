use super::*;

#[test]
fn tables_shared_with_a_neighbour_stay() {
    let machine = Machine::with_frames(64);
    let space = Space::new(&machine);
    let end = Page::USER_END.number();
    // prev | range | next, all in one leaf table
    space.map_all([10, 20, 30], Read);
    assert_eq!(space.unmap(range(15, 25), 11, 30), Freed { pages: 1, tables: 0 });
    assert!(space.access(10).is_some() && space.access(30).is_some());
    // The last one with a page in them takes them all.
    assert_eq!(space.unmap(range(10, 11), 0, 30), Freed { pages: 1, tables: 0 });
    assert_eq!(space.unmap(range(30, 31), 0, end), Freed { pages: 1, tables: 3 });
    assert_eq!(space.tables.tables(), 1);
}

#[test]
fn each_level_is_freed_up_to_floor_and_ceiling() {
    let machine = Machine::with_frames(64);
    let end = Page::USER_END.number();
    let middle = 2 * GIB + 3 * MIB2;
    let cases = [
        // (neighbour below, neighbour above, tables freed with the page `middle`)
        (None, None, 3),
        (Some(middle - 1), None, 1), // the neighbour is in the leaf table below
        (None, Some(middle + MIB2), 1),
        (Some(middle - MIB2), Some(middle + MIB2), 1),
        (Some(middle - 1), Some(middle + 1), 0), // above: in the same leaf table
        (Some(GIB), None, 2),
        (None, Some(3 * GIB), 2),
        (Some(GIB), Some(3 * GIB), 2),
        (None, Some(512 * GIB), 3),
    ];
    for (below, above, tables) in cases {
        let space = Space::new(&machine);
        space.map_all([below, above].into_iter().flatten(), Read);
        space.map(middle, Read);
        let floor = below.map_or(0, |page| page + 1);
        let ceiling = above.unwrap_or(end);
        let freed = space.unmap(range(middle, middle + 1), floor, ceiling);
        assert_eq!(freed, Freed { pages: 1, tables }, "between {below:?} and {above:?}");
        for page in [below, above].into_iter().flatten() {
            assert!(space.access(page).is_some());
        }
        space.unmap(range(0, end), 0, end);
        assert_eq!(space.tables.tables(), 1);
        drop(space);
        assert_eq!(machine.allocated(FrameKind::Table), 0);
    }
}

#[test]
fn the_last_table_of_the_user_half_is_freed() {
    let machine = Machine::with_frames(16);
    let space = Space::new(&machine);
    let end = Page::USER_END.number();
    space.map(end - 1, Read);
    assert_eq!(space.unmap(range(end - 1, end), end - 1, end), Freed { pages: 1, tables: 0 });
    space.map(end - 1, Read);
    assert_eq!(space.unmap(range(end - 1, end), 5 * GIB, end), Freed { pages: 1, tables: 3 });
    let root = machine.table(space.tables.root());
    assert!((256..512).all(|index| root.get(index).bits() == machine.kernel_half()[index - 256]));
}

#[test]
fn a_freed_table_is_flushed_from_paging_structure_caches() {
    let machine = Machine::with_frames(16);
    let space = Space::new(&machine);
    space.map(7, Read);
    space.unmap(range(7, 8), 0, Page::USER_END.number());
    let flushes = machine.take_flushes();
    assert_eq!(flushes, [Flush { scope: FlushScope::Range(range(7, 8)), tables: true }]);
}

#[test]
#[cfg(debug_assertions)]
#[should_panic(expected = "is freed and not empty")]
fn a_table_that_is_freed_before_the_zap_is_caught() {
    let machine = Machine::with_frames(16);
    let space = Space::new(&machine);
    space.map(7, Read);
    let mut gather = space.gather();
    space.tables.free(range(7, 8), Page::ZERO, Page::USER_END, &mut gather);
}

#[test]
fn random_maps_and_unmaps_agree_with_a_flat_model() {
    let machine = Machine::with_frames(4096);
    let space = Space::new(&machine);
    // A few places around every kind of table boundary.
    let bases = [0, MIB2, 5 * MIB2, GIB, GIB + MIB2, 512 * GIB, Page::USER_END.number() - 40];
    let mut model = std::collections::BTreeMap::new();
    let mut random = 0x2545_f491_4f6c_dd1du64;
    let mut next = |bound: u64| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random % bound
    };
    for _ in 0..4_000 {
        let start = bases[next(bases.len() as u64) as usize].saturating_sub(next(20)) + next(20);
        if next(3) < 2 {
            if let std::collections::btree_map::Entry::Vacant(vacant) = model.entry(start) {
                vacant.insert(space.map(start, ReadWrite));
            }
        } else {
            let end = (start + 1 + next(30) * next(40)).min(Page::USER_END.number());
            let end = if next(20) == 0 { bases[6] } else { end };
            let Some(range) = PageRange::new(Page::new(start), Page::new(end)) else { continue };
            let floor = model.range(..start).next_back().map_or(0, |(&page, _)| page + 1);
            let ceiling = model.range(end..).next().map_or(Page::USER_END.number(), |(&page, _)| page);
            let before = model.len();
            model.retain(|&page, _| !range.contains(Page::new(page)));
            let freed = space.unmap(range, floor, ceiling);
            assert_eq!(freed.pages, (before - model.len()) as u64);
        }
        let spans =
            |span: u64| model.keys().map(|page| page / span).collect::<std::collections::BTreeSet<_>>().len();
        assert_eq!(space.tables.tables(), 1 + (spans(MIB2) + spans(GIB) + spans(512 * GIB)) as u64);
        assert_eq!(machine.allocated(FrameKind::Anonymous), model.len() as u64);
    }
    let mut found = std::collections::BTreeMap::new();
    space.tables.survey(|leaf| found.extend([(leaf.pages.start().number(), leaf.frame)]));
    assert_eq!(found, model);
    space.check();
}
