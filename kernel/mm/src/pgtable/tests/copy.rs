use super::*;

/// Copies `range` of one address space to the other, flushes, and checks both.
fn copy(from: &Space<'_>, to: &Space<'_>, range: PageRange) -> Result<(), MmError> {
    let mut gather = from.gather();
    let result = from.tables.copy_to(&to.tables).leaves(range, &mut gather);
    gather.finish();
    for space in [from, to] {
        assert_eq!(space.tables.tables(), space.tables.survey(|_| ()));
    }
    from.machine.check();
    result
}

#[test]
fn both_have_the_same_pages_and_neither_may_write() {
    let machine = Machine::with_frames(64);
    let (from, to) = (Space::new(&machine), Space::new(&machine));
    let pages =
        [(0, ReadWrite), (1, Read), (511, ReadWriteExecute), (512, ReadExecute), (GIB, Protection::None)];
    let frames = pages.map(|(page, protection)| from.map(page, protection));
    from.map(2 * GIB, ReadWrite);
    copy(&from, &to, range(0, 2 * GIB)).unwrap();
    for ((page, protection), frame) in pages.into_iter().zip(frames) {
        let expected = leaf(frame, protection.without_write());
        assert_eq!(from.tables.traverse(Page::new(page)).view(), expected, "page {page}");
        assert_eq!(to.tables.traverse(Page::new(page)).view(), expected, "page {page}");
        assert_eq!(machine.frames().reference_count(frame), 2);
    }
    assert!(to.tables.traverse(Page::new(2 * GIB)).is_absent(), "beyond the range");
    assert_eq!(from.access(2 * GIB).map(|(_, protection)| protection), Some(ReadWrite));
    // A root, and for each GiB a table of level 1, with one of level 2 above and three of level 0 below.
    assert_eq!(to.tables.tables(), 1 + 1 + 2 + 3);
}

#[test]
fn only_what_lost_the_right_to_write_is_flushed() {
    let machine = Machine::with_frames(64);
    let (from, to) = (Space::new(&machine), Space::new(&machine));
    from.map_all([3, 9], Read);
    from.map_all([5, 7], ReadWrite);
    copy(&from, &to, range(0, 512)).unwrap();
    let flushed = Flush { scope: FlushScope::Range(range(5, 8)), tables: false };
    assert_eq!(machine.take_flushes(), [flushed]);
    let third = Space::new(&machine);
    copy(&from, &third, range(0, 512)).unwrap();
    assert_eq!(machine.take_flushes(), [], "a second copy takes nothing away");
}

#[test]
fn the_zero_page_is_not_counted() {
    let machine = Machine::with_frames(32);
    let (from, to) = (Space::new(&machine), Space::new(&machine));
    let zero = machine.zero_frame();
    let references = machine.frames().reference_count(zero);
    assert_eq!(from.tables.install(Page::new(4), zero, Read), Ok(Installed::New));
    copy(&from, &to, range(0, 8)).unwrap();
    assert_eq!(to.access(4), Some((zero, Read)));
    assert_eq!(machine.frames().reference_count(zero), references);
}

#[test]
fn tables_without_pages_in_the_range_are_not_made() {
    let machine = Machine::with_frames(32);
    let (from, to) = (Space::new(&machine), Space::new(&machine));
    from.map_all([7, MIB2 + 7], ReadWrite);
    copy(&from, &to, range(8, MIB2 + 7)).unwrap();
    assert_eq!(to.tables.tables(), 1);
    assert_eq!(machine.take_flushes(), []);
}

#[test]
fn ranges_of_one_table_one_after_the_other_share_its_copy() {
    let machine = Machine::with_frames(32);
    let (from, to) = (Space::new(&machine), Space::new(&machine));
    from.map_all([1, 100, 200], ReadWrite);
    let mut gather = from.gather();
    let mut copy = from.tables.copy_to(&to.tables);
    for range in [range(150, 300), range(50, 150), range(0, 50)] {
        copy.leaves(range, &mut gather).unwrap();
    }
    gather.finish();
    assert_eq!(to.tables.tables(), 4);
    assert!([1, 100, 200].iter().all(|&page| to.access(page).is_some()));
}

#[test]
fn a_copy_that_fails_can_be_taken_apart() {
    let machine = Machine::with_frames(64);
    let from = Space::new(&machine);
    let pages = [1, MIB2 + 1, 2 * MIB2 + 1];
    let frames = pages.map(|page| from.map(page, ReadWrite));
    // Three tables for the first page, one for each other.
    for admitted in 0..=5 {
        let to = Space::new(&machine);
        machine.admit_only(admitted);
        let result = copy(&from, &to, range(0, GIB));
        machine.admit_all();
        assert_eq!(result.is_ok(), admitted == 5, "{admitted} frames");
        to.unmap(range(0, Page::USER_END.number()), 0, Page::USER_END.number());
        assert!(frames.iter().all(|&frame| machine.frames().reference_count(frame) == 1));
    }
}
