use super::*;

#[test]
fn a_new_root_has_the_kernel_half_and_nothing_else() {
    let machine = Machine::with_frames(4);
    let tables = PageTables::new(&machine).unwrap();
    let root = machine.table(tables.root());
    assert!((0..256).all(|index| root.get(index).is_absent()));
    assert!((256..512).all(|index| root.get(index).bits() == machine.kernel_half()[index - 256]));
    assert_eq!((tables.tables(), tables.survey(|_| ())), (1, 1));
    drop(tables);
    assert_eq!(machine.allocated(FrameKind::Table), 0);
}

#[test]
fn without_a_frame_there_is_no_root() {
    let machine = Machine::with_frames(4);
    machine.admit_only(0);
    assert_eq!(PageTables::new(&machine).err(), Some(MmError::NoMemory));
    assert_eq!(machine.take_refused(), [Fallible::TableFrame]);
    machine.admit_all();
    assert!(PageTables::new(&machine).is_ok());
}

#[test]
fn an_installed_page_is_found_and_its_neighbours_are_not() {
    let machine = Machine::with_frames(16);
    let space = Space::new(&machine);
    let page = Page::new(3 * GIB + 5 * MIB2 + 7);
    assert_eq!(space.tables.traverse(page), Pte::ABSENT);
    let frame = space.map(page.number(), ReadWrite);
    assert_eq!(space.tables.traverse(page), Pte::leaf(frame, ReadWrite));
    assert_eq!(space.access(page.number()), Some((frame, ReadWrite)));
    for other in [page.down(1), page.up(1), page.up(MIB2), page.down(GIB), Page::ZERO, page.up(512 * GIB)] {
        assert_eq!(space.tables.traverse(other), Pte::ABSENT);
    }
    assert_eq!(space.tables.tables(), 4);
    space.check();
}

#[test]
fn an_occupied_entry_stays_as_it_is() {
    let machine = Machine::with_frames(16);
    let space = Space::new(&machine);
    let (first, second) = (space.map(9, Read), machine.data_frame(2));
    let occupied = Installed::Occupied(Pte::leaf(first, Read));
    assert_eq!(space.tables.install(Page::new(9), second, ReadWrite), Ok(occupied));
    assert_eq!(machine.frames().reference_count(second), 1);
    assert_eq!(space.access(9), Some((first, Read)));
}

#[test]
fn a_failed_install_leaves_no_table_behind() {
    let machine = Machine::with_frames(16);
    let space = Space::new(&machine);
    let frame = machine.data_frame(1);
    for points in 0..3 {
        machine.admit_only(points);
        assert_eq!(space.tables.install(Page::new(1), frame, Read), Err(MmError::NoMemory));
        assert_eq!(machine.take_refused(), [Fallible::TableFrame]);
        space.check();
        assert_eq!(space.tables.tables(), 1);
    }
    machine.admit_only(3);
    assert_eq!(space.tables.install(Page::new(1), frame, Read), Ok(Installed::New));
    let neighbour = machine.data_frame(2);
    assert_eq!(space.tables.install(Page::new(2), neighbour, Read), Ok(Installed::New));
    let far = machine.data_frame(3);
    assert_eq!(space.tables.install(Page::new(GIB), far, Read), Err(MmError::NoMemory));
    space.check();
    assert_eq!(space.tables.tables(), 4);
}

#[test]
fn an_install_that_runs_out_of_frames_gives_all_back() {
    let machine = Machine::with_frames(5); // zero frame, root, data, and two of the three tables
    let space = Space::new(&machine);
    let frame = machine.data_frame(1);
    assert_eq!(space.tables.install(Page::new(1), frame, Read), Err(MmError::NoMemory));
    space.check();
    assert_eq!(machine.frames().statistics().free, 2);
}

#[test]
fn threads_that_install_side_by_side_share_the_tables() {
    let machine = Machine::with_frames(4096);
    let space = Space::new(&machine);
    std::thread::scope(|scope| {
        for thread in 0..2u64 {
            let (machine, tables) = (&machine, &space.tables);
            scope.spawn(move || {
                for step in 0..500 {
                    let page = Page::new(step * (MIB2 / 2 - 1) * 2 + thread);
                    let frame = machine.data_frame(thread);
                    assert_eq!(tables.install(page, frame, Read), Ok(Installed::New));
                    assert_eq!(tables.traverse(page), Pte::leaf(frame, Read));
                }
            });
        }
    });
    space.check();
    let mut leaves = 0;
    space.tables.survey(|_| leaves += 1);
    assert_eq!(leaves, 1000);
}

#[test]
fn two_threads_that_install_the_same_page_have_one_winner() {
    let machine = Machine::with_frames(4096);
    let space = Space::new(&machine);
    let count = crate::sync::atomic::AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                for page in (0..200).map(|step| Page::new(step * MIB2)) {
                    let frame = machine.data_frame(0);
                    match space.tables.install(page, frame, Read).unwrap() {
                        Installed::New => drop(count.fetch_add(1, crate::sync::atomic::Ordering::Relaxed)),
                        Installed::Occupied(_) => machine.frames().put(frame),
                    }
                }
            });
        }
    });
    assert_eq!(count.into_inner(), 200);
    assert_eq!(machine.allocated(FrameKind::Anonymous), 200);
    space.check();
}

#[test]
fn replace_changes_the_entry_only_if_it_is_the_expected_one() {
    let machine = Machine::with_frames(16);
    let space = Space::new(&machine);
    let (page, old) = (Page::new(4), space.map(4, Read));
    let expected = space.tables.traverse(page);
    let new = machine.data_frame(2);
    assert!(!space.tables.replace(space.tables.slot(page), Pte::leaf(new, Read), new, ReadWrite));
    assert!(!space.tables.replace(space.tables.slot(Page::new(GIB)), expected, new, ReadWrite));
    assert_eq!(space.tables.traverse(page), expected);
    assert!(space.tables.replace(space.tables.slot(page), expected, new, ReadWrite));
    let mut gather = space.gather();
    gather.unhook_page(page, old);
    assert_eq!(gather.finish(), Freed { pages: 1, tables: 0 });
    assert_eq!(space.access(4), Some((new, ReadWrite)));
    space.check();
}

#[test]
fn pin_takes_a_reference_only_while_the_entry_is_the_expected_one() {
    let machine = Machine::with_frames(16);
    let space = Space::new(&machine);
    let (page, frame) = (Page::new(4), space.map(4, Read));
    let expected = space.tables.traverse(page);
    assert_eq!(space.tables.pin(space.tables.slot(page), Pte::leaf(frame, ReadWrite)), None);
    assert_eq!(space.tables.pin(space.tables.slot(page), Pte::ABSENT), None);
    assert_eq!(space.tables.pin(space.tables.slot(page), expected), Some(frame));
    space.unmap(range(4, 5), 0, Page::USER_END.number());
    assert_eq!(machine.frames().reference_count(frame), 1);
    assert_eq!(space.tables.pin(space.tables.slot(page), expected), None);
    machine.frames().put(frame);
    assert_eq!(machine.allocated(FrameKind::Anonymous), 0);
}
