use super::*;

#[test]
fn zap_clears_the_range_and_nothing_else() {
    let machine = Machine::with_frames(64);
    let space = Space::new(&machine);
    let pages = [0, 1, 510, 511, 512, 513, GIB - 1, GIB, GIB + 1];
    space.map_all(pages, ReadWrite);
    let mut gather = space.gather();
    assert_eq!(space.tables.zap(range(1, GIB), &mut gather), 6);
    assert_eq!(gather.finish(), Freed { pages: 6, tables: 0 });
    let mut left = Vec::new();
    space.tables.survey(|leaf| left.push((leaf.pages.start().number(), leaf.protection)));
    assert_eq!(left, [(0, ReadWrite), (GIB, ReadWrite), (GIB + 1, ReadWrite)]);
    assert_eq!(space.access(513), None);
    assert!(space.access(0).is_some());
    space.check();
}

#[test]
fn zap_takes_pages_without_access_as_well() {
    let machine = Machine::with_frames(16);
    let space = Space::new(&machine);
    space.map(3, Protection::None);
    assert_eq!(space.access(3), None);
    assert_eq!(space.unmap(range(3, 4), 0, Page::USER_END.number()), Freed { pages: 1, tables: 3 });
    assert_eq!(machine.allocated(FrameKind::Anonymous), 0);
}

#[test]
fn zap_of_more_shared_frames_than_a_gather_holds_flushes_in_between_and_loses_nothing() {
    let machine = Machine::with_frames(2048);
    let space = Space::new(&machine);
    let room = FrameBatch::SHARED as u64;
    let shared: Vec<_> = (0..2 * room + 7).map(|page| space.map(500 + page, ReadWrite)).collect();
    shared.iter().for_each(|&frame| machine.frames().get(frame));
    space.map_all(1000..1600, ReadWrite);
    let freed = space.unmap(range(50, 2000), 0, Page::USER_END.number());
    assert_eq!(freed, Freed { pages: 2 * room + 607, tables: 6 });
    assert_eq!(machine.take_flushes().len(), 3);
    assert_eq!(machine.allocated(FrameKind::Anonymous), 2 * room + 7);
    assert!(shared.iter().all(|&frame| machine.frames().reference_count(frame) == 1));
    shared.iter().for_each(|&frame| machine.frames().put(frame));
}

#[test]
fn a_range_of_terabytes_visits_only_the_leaf_tables_that_exist() {
    let machine = Machine::with_frames(16);
    let space = Space::new(&machine);
    space.map(0, Read);
    space.map(Page::USER_END.number() - 1, Read);
    let mut tables = 0;
    let all = range(0, Page::USER_END.number());
    space.tables.for_each_span(all, |span| {
        let Span::Leaves(_, part) = span else { panic!("there is no huge leaf") };
        tables += 1;
        assert!(part.pages() <= MIB2);
        part.end()
    });
    assert_eq!(tables, 2);
    assert_eq!(space.unmap(all, 0, Page::USER_END.number()), Freed { pages: 2, tables: 6 });
}

#[test]
fn protect_changes_the_range_and_keeps_the_frames() {
    let machine = Machine::with_frames(32);
    let space = Space::new(&machine);
    let frames: Vec<_> = (510..514).map(|page| space.map(page, ReadWrite)).collect();
    let mut gather = space.gather();
    space.tables.protect(range(511, 513), Protection::None, Writable::IfExclusive, &mut gather);
    gather.finish();
    assert_eq!(machine.take_flushes().len(), 1);
    assert_eq!([510, 511, 512, 513].map(|page| space.access(page).is_some()), [true, false, false, true]);
    assert_eq!(space.tables.traverse(Page::new(511)).view(), leaf(frames[1], Protection::None));
    let mut gather = space.gather();
    space.tables.protect(range(510, 514), ReadExecute, Writable::IfExclusive, &mut gather);
    gather.finish();
    for (page, &frame) in (510..).zip(&frames) {
        assert_eq!(space.access(page), Some((frame, ReadExecute)));
        assert_eq!(machine.word(frame), page);
    }
    space.check();
}

#[test]
fn more_rights_need_no_flush() {
    let machine = Machine::with_frames(16);
    let space = Space::new(&machine);
    space.map(1, Read);
    let mut gather = space.gather();
    space.tables.protect(range(0, 8), ReadWriteExecute, Writable::IfExclusive, &mut gather);
    gather.finish();
    assert_eq!(machine.take_flushes(), []);
    let mut gather = space.gather();
    space.tables.protect(range(0, 8), Read, Writable::IfExclusive, &mut gather);
    gather.finish();
    assert_eq!(machine.take_flushes(), [Flush { scope: FlushScope::Range(range(1, 2)), tables: false }]);
}

#[test]
fn only_frames_that_may_be_written_become_writable() {
    let machine = Machine::with_frames(32);
    let space = Space::new(&machine);
    let exclusive = space.map(0, Read);
    let shared = space.map(1, Read);
    machine.frames().get(shared);
    assert_eq!(space.tables.install(Page::new(2), machine.zero_frame(), Read), Ok(Installed::New));
    let object = machine.frames().alloc_frame(FrameKind::Shared).unwrap();
    assert_eq!(space.tables.install(Page::new(3), object, Read), Ok(Installed::New));
    let protect = |writable, protection| {
        let mut gather = space.gather();
        space.tables.protect(range(0, 4), protection, writable, &mut gather);
        gather.finish();
        let mut found = Vec::new();
        space.tables.survey(|leaf| found.push(leaf.protection));
        found
    };
    assert_eq!(protect(Writable::IfExclusive, ReadWrite), [ReadWrite, Read, Read, Read]);
    assert_eq!(protect(Writable::Never, ReadWriteExecute), [ReadExecute; 4]);
    assert_eq!(protect(Writable::Always, ReadWrite), [ReadWrite, ReadWrite, Read, ReadWrite]);
    assert_eq!(machine.frames().reference_count(exclusive), 1);
}
